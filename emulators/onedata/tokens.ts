import { createHmac, randomBytes } from 'node:crypto';
import { ApiError, badInput } from './http/api-error.ts';
import { type Caveat, caveatText, holds, parseCaveat, type TokenUse } from './tokens/caveats.ts';
import {
  isGenuine,
  type Macaroon,
  makeMacaroon,
  narrowed,
  parseMacaroon,
  serialiseMacaroon,
} from './tokens/macaroon.ts';

export { type Caveat, caveatsSchema, isDataCaveat, type TokenUse } from './tokens/caveats.ts';

export type TokenKind = 'access' | 'identity' | 'invite';

/** What `examine` tells of a token, without its caveats. */
export interface TokenIdentity {
  readonly id: string;
  readonly onezoneDomain: string;
  readonly persistence: 'named' | 'temporary';
  readonly type: Readonly<Record<string, unknown>>;
  readonly subject: { readonly type: 'user'; readonly id: string };
}

/** A token that was read, not yet verified. */
export interface Token {
  readonly identity: TokenIdentity;
  readonly caveats: readonly Caveat[];
  readonly kind: TokenKind;
  /** Of a temporary token: which of its user's shared secrets it was made with. */
  readonly generation: number;
  readonly macaroon: Macaroon;
}

const MAXIMUM_TOKEN_BYTES = 1_048_576;
const MAX_REMEMBERED = 1000;
const LONGEST_REMEMBERED = 8192;
const KINDS = { access: 'act', identity: 'idn', invite: 'ujs' } as const satisfies Record<TokenKind, string>;

const tokenError = (id: string, description: string, details?: Record<string, unknown>) =>
  new ApiError(400, id, details, description);

/** @throws ApiError `badToken` or `tokenTooLarge`, HTTP 400; the caller wraps it where 401 is due. */
export function parseToken(text: string): Token {
  if (text.length > MAXIMUM_TOKEN_BYTES) throw badInput('tokenTooLarge', { limit: MAXIMUM_TOKEN_BYTES });
  try {
    const macaroon = parseMacaroon(text);
    const found = /^2\/(nmd|tmp-(\d+))\/usr-([^/]+)\/([^/]+)\/([^/]+)$/.exec(macaroon.identifier);
    const [, persistence = '', generation = '0', user = '', type = '', id = ''] = found ?? [];
    const { kind, value } = typeOf(type);
    return {
      identity: {
        id,
        onezoneDomain: macaroon.location,
        persistence: persistence === 'nmd' ? 'named' : 'temporary',
        type: value,
        subject: { type: 'user', id: user },
      },
      caveats: macaroon.caveats.map(parseCaveat),
      kind,
      generation: Number(generation),
      macaroon,
    };
  } catch {
    throw tokenError('badToken', 'Provided token could not be understood by the server.');
  }
}

/** `act`, `idn`, `ujs:<space>:`. @throws Error for another one */
function typeOf(text: string): { kind: TokenKind; value: Record<string, unknown> } {
  const [code, spaceId] = text.split(':');
  if (code === KINDS.access) return { kind: 'access', value: { accessToken: {} } };
  if (code === KINDS.identity) return { kind: 'identity', value: { identityToken: {} } };
  if (code !== KINDS.invite) throw new Error('unknown type');
  const value = { inviteToken: { inviteType: 'userJoinSpace', spaceId, parameters: {} } };
  return { kind: 'invite', value };
}

/** Narrower copy; needs no key. */
export function confineToken(text: string, caveats: readonly Caveat[]): string {
  return serialiseMacaroon(narrowed(parseToken(text).macaroon, caveats.map(caveatText)));
}

export interface MintRequest {
  readonly caveats?: readonly Caveat[];
  readonly kind?: TokenKind;
  /** A temporary token needs a `time` caveat, and only all of a user's can be revoked together. */
  readonly persistence?: 'named' | 'temporary';
  /** Default: the first user. */
  readonly userId?: string | undefined;
}

/** Makes and verifies the tokens of one zone. */
export class TokenAuthority {
  readonly #rootKey: Buffer;
  readonly #domain: string;
  readonly #userId: string;
  readonly #isRevoked: (tokenId: string) => boolean;
  readonly #generationOf: (userId: string) => number;
  /** Text → what it says, of tokens that this zone made. True for ever; whether one still holds is asked each time. */
  readonly #genuine = new Map<string, Token>();

  constructor(args: {
    rootKey: Buffer;
    domain: string;
    /** Whose the tokens are where nobody is named. */
    userId: string;
    isRevoked: (tokenId: string) => boolean;
    /** Of the secret that a user's temporary tokens share; a new one ends all of them. */
    generationOf: (userId: string) => number;
  }) {
    this.#rootKey = args.rootKey;
    this.#domain = args.domain;
    this.#userId = args.userId;
    this.#isRevoked = args.isRevoked;
    this.#generationOf = args.generationOf;
  }

  /** @throws Error for a temporary token that never ends */
  mint(request: MintRequest = {}): { token: string; id: string } {
    const { caveats = [], kind = 'access', persistence = 'named', userId = this.#userId } = request;
    if (persistence === 'temporary' && !caveats.some(({ type }) => type === 'time')) {
      throw new Error('a temporary token needs a caveat of type "time"');
    }
    const id = randomBytes(16).toString('hex');
    const lasting = persistence === 'named' ? 'nmd' : `tmp-${this.#generationOf(userId)}`;
    const type = kind === 'invite' ? `${KINDS.invite}:any:` : KINDS[kind];
    const identifier = `2/${lasting}/usr-${userId}/${type}/${id}`;
    const macaroon = makeMacaroon(
      this.#domain,
      identifier,
      this.#secretOf(identifier),
      caveats.map(caveatText),
    );
    return { token: serialiseMacaroon(macaroon), id };
  }

  /** @throws ApiError with the token error itself (HTTP 400), as the zone's token calls answer it. */
  verify(text: string, use: TokenUse): Token {
    const token = this.#genuine.get(text) ?? this.#recognise(text);
    if (token.kind !== 'access') {
      throw tokenError('notAnAccessToken', 'Expected an access token, but received another kind.', {
        received: token.identity.type,
      });
    }
    const { identity } = token;
    const isTemporary = identity.persistence === 'temporary';
    if (
      isTemporary
        ? token.generation !== this.#generationOf(identity.subject.id)
        : this.#isRevoked(identity.id)
    ) {
      throw tokenError('tokenRevoked', 'Provided token has been revoked.');
    }
    for (const caveat of token.caveats) {
      if (holds(caveat, use, () => this.#consumerOf(use))) continue;
      const description = `Provided token is not valid - below caveat could not be verified: ${caveat.type}.`;
      throw tokenError('tokenCaveatUnverified', description, { caveat });
    }
    return token;
  }

  /** Reads a token that was made here, by its signature. */
  #recognise(text: string): Token {
    const token = parseToken(text);
    if (token.identity.onezoneDomain !== this.#domain || !this.#isOwn(token)) {
      throw tokenError('tokenInvalid', 'Provided token is not valid.');
    }
    if (this.#genuine.size >= MAX_REMEMBERED) this.#genuine.clear();
    if (text.length <= LONGEST_REMEMBERED) this.#genuine.set(text, token);
    return token;
  }

  /** Of its own for each token (and each generation of temporary ones), so that knowing one says nothing of others. */
  #secretOf(identifier: string): string {
    return createHmac('sha256', this.#rootKey).update(identifier).digest('hex');
  }

  #isOwn({ macaroon }: Token): boolean {
    return isGenuine(macaroon, this.#secretOf(macaroon.identifier));
  }

  /** null: no identity token of this zone was shown. */
  #consumerOf({ consumerToken, now, peerAddress }: TokenUse): string | null {
    if (!consumerToken) return null;
    const token = parseToken(consumerToken);
    const isGood =
      token.kind === 'identity' &&
      this.#isOwn(token) &&
      token.caveats.every((caveat) => holds(caveat, { now, peerAddress }, () => null));
    return isGood ? `usr-${token.identity.subject.id}` : null;
  }
}
