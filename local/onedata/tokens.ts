import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import { z } from 'zod';
import { ApiError, badInput } from './http/api-error.ts';

const caveatSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('time'), validUntil: z.int() }),
  z.object({ type: z.literal('ip'), whitelist: z.array(z.string()) }),
  z.object({ type: z.literal('asn'), whitelist: z.array(z.int()) }),
  z.object({ type: z.literal('geo.country'), filter: z.string(), list: z.array(z.string()) }),
  z.object({ type: z.literal('geo.region'), filter: z.string(), list: z.array(z.string()) }),
  z.object({ type: z.literal('service'), whitelist: z.array(z.string()) }),
  z.object({ type: z.literal('consumer'), whitelist: z.array(z.string()) }),
  z.object({ type: z.literal('interface'), interface: z.enum(['rest', 'oneclient', 'graphsync']) }),
  z.object({ type: z.literal('api'), whitelist: z.array(z.string()) }),
  z.object({ type: z.literal('data.readonly') }),
  z.object({ type: z.literal('data.path'), whitelist: z.array(z.base64()) }),
  z.object({ type: z.literal('data.objectid'), whitelist: z.array(z.string()) }),
]);
export type Caveat = z.infer<typeof caveatSchema>;
export const caveatsSchema = z.array(caveatSchema);

const identitySchema = z.object({
  id: z.string(),
  onezoneDomain: z.string(),
  persistence: z.enum(['named', 'temporary']),
  type: z.record(z.string(), z.unknown()),
  subject: z.object({ type: z.literal('user'), id: z.string() }),
});
export type TokenIdentity = z.infer<typeof identitySchema>;
export type TokenKind = 'access' | 'identity' | 'invite';

/** A token that was read, not yet verified. */
export interface Token {
  readonly identity: TokenIdentity;
  readonly caveats: readonly Caveat[];
  readonly identityText: string;
  readonly caveatTexts: readonly string[];
  readonly signature: string;
}

/** Where and by whom a token is used; what its caveats are checked against. */
export interface TokenUse {
  /** Seconds since 1970. */
  readonly now: number;
  readonly peerAddress: string;
  /** `opw-<providerId>` or `ozw-onezone`; absent: the service is not verified (infer scope). */
  readonly service?: string;
  readonly interface?: 'rest';
  readonly consumerToken?: string;
}

const MAXIMUM_TOKEN_BYTES = 1_048_576;
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();

/** Signature chain of a macaroon: whoever holds a token can add a caveat, nobody can take one off. */
function chain(start: Buffer, texts: readonly string[]): Buffer {
  return texts.reduce((signature, text) => hmac(signature, text), start);
}

const serialise = (identityText: string, caveatTexts: readonly string[], signature: Buffer): string =>
  Buffer.from(JSON.stringify([identityText, caveatTexts, signature.toString('hex')])).toString('base64url');

/** @throws ApiError `badToken` or `tokenTooLarge`, HTTP 400; the caller wraps it where 401 is due. */
export function parseToken(text: string): Token {
  if (text.length > MAXIMUM_TOKEN_BYTES) throw badInput('tokenTooLarge', { limit: MAXIMUM_TOKEN_BYTES });
  try {
    const [identityText, caveatTexts, signature] = z
      .tuple([z.string(), z.array(z.string()), z.string().regex(/^[0-9a-f]{64}$/)])
      .parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return {
      identity: identitySchema.parse(JSON.parse(identityText)),
      caveats: caveatTexts.map((caveat) => caveatSchema.parse(JSON.parse(caveat))),
      identityText,
      caveatTexts,
      signature,
    };
  } catch {
    throw new ApiError(400, 'badToken', undefined, 'Provided token could not be understood by the server.');
  }
}

/** Narrower copy; needs no key. */
export function confineToken(text: string, caveats: readonly Caveat[]): string {
  const token = parseToken(text);
  const added = caveats.map((caveat) => JSON.stringify(caveat));
  const signature = chain(Buffer.from(token.signature, 'hex'), added);
  return serialise(token.identityText, [...token.caveatTexts, ...added], signature);
}

export interface MintRequest {
  readonly caveats?: readonly Caveat[];
  readonly kind?: TokenKind;
  readonly persistence?: 'named' | 'temporary';
}

const KINDS: Record<TokenKind, Record<string, unknown>> = {
  access: { accessToken: {} },
  identity: { identityToken: {} },
  invite: { inviteToken: { inviteType: 'userJoinSpace' } },
};

/** Makes and verifies the tokens of one zone. */
export class TokenAuthority {
  readonly #rootKey: Buffer;
  readonly #domain: string;
  readonly #userId: string;
  readonly #isRevoked: (tokenId: string) => boolean;

  constructor(args: {
    rootKey: Buffer;
    domain: string;
    userId: string;
    isRevoked: (tokenId: string) => boolean;
  }) {
    this.#rootKey = args.rootKey;
    this.#domain = args.domain;
    this.#userId = args.userId;
    this.#isRevoked = args.isRevoked;
  }

  mint(request: MintRequest = {}): { token: string; id: string } {
    const identity: TokenIdentity = {
      id: randomBytes(16).toString('hex'),
      onezoneDomain: this.#domain,
      persistence: request.persistence ?? 'named',
      type: KINDS[request.kind ?? 'access'],
      subject: { type: 'user', id: this.#userId },
    };
    const identityText = JSON.stringify(identity);
    const caveatTexts = (request.caveats ?? []).map((caveat) => JSON.stringify(caveat));
    const signature = chain(hmac(this.#rootKey, identityText), caveatTexts);
    return { token: serialise(identityText, caveatTexts, signature), id: identity.id };
  }

  /** @throws ApiError with the token error itself (HTTP 400), as the zone's token calls answer it. */
  verify(text: string, use: TokenUse): Token {
    const token = parseToken(text);
    const expected = chain(hmac(this.#rootKey, token.identityText), token.caveatTexts);
    if (!timingSafeEqual(expected, Buffer.from(token.signature, 'hex'))) {
      throw new ApiError(400, 'tokenInvalid', undefined, 'Provided token is not valid.');
    }
    if (!('accessToken' in token.identity.type)) {
      throw new ApiError(
        400,
        'notAnAccessToken',
        { received: token.identity.type },
        'Expected an access token, but received another kind.',
      );
    }
    if (this.#isRevoked(token.identity.id)) {
      throw new ApiError(400, 'tokenRevoked', undefined, 'Provided token has been revoked.');
    }
    for (const caveat of token.caveats) {
      if (this.#holds(caveat, use)) continue;
      throw new ApiError(
        400,
        'tokenCaveatUnverified',
        { caveat },
        `Provided token is not valid - below caveat could not be verified: ${caveat.type}.`,
      );
    }
    return token;
  }

  #holds(caveat: Caveat, use: TokenUse): boolean {
    switch (caveat.type) {
      case 'time':
        return use.now < caveat.validUntil;
      case 'ip':
        return isListed(use.peerAddress, caveat.whitelist);
      case 'service':
        return use.service === undefined || isServiceListed(use.service, caveat.whitelist);
      case 'interface':
        return use.interface === undefined || caveat.interface === use.interface;
      case 'consumer':
        return this.#isConsumerListed(caveat.whitelist, use);
      case 'asn':
      case 'geo.country':
      case 'geo.region':
        // They need the geo database of a zone, which the stand-in does not have.
        return false;
      case 'api':
        return use.service === undefined;
      case 'data.readonly':
      case 'data.path':
      case 'data.objectid':
        // Checked at each file operation.
        return true;
    }
  }

  #isConsumerListed(whitelist: readonly string[], use: TokenUse): boolean {
    if (!use.consumerToken) return false;
    const token = parseToken(use.consumerToken);
    const expected = chain(hmac(this.#rootKey, token.identityText), token.caveatTexts);
    const isGenuine = timingSafeEqual(expected, Buffer.from(token.signature, 'hex'));
    return (
      isGenuine &&
      'identityToken' in token.identity.type &&
      whitelist.includes(`usr-${token.identity.subject.id}`)
    );
  }
}

function isServiceListed(service: string, whitelist: readonly string[]): boolean {
  const [kind] = service.split('-');
  return whitelist.includes(service) || whitelist.includes(`${kind}-*`);
}

function isListed(address: string, masks: readonly string[]): boolean {
  const plain = address.replace(/^::ffff:/, '');
  const list = new BlockList();
  for (const mask of masks) {
    const [network = '', bits] = mask.split('/');
    list.addSubnet(network, Number(bits ?? (isIPv6(network) ? 128 : 32)), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
