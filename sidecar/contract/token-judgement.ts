import * as z from 'zod';
import type { TokenFacts } from './token-facts.ts';

/**
 * What is wrong with a token for a space: one judgement for the program, which asks while it runs, and for `sync`, which
 * asks all the time. Pure: each gives what it has. No sentence holds a token.
 */

/** What a token is for. */
export interface TokenUse {
  /** Of the source it is read, to the project it is written. */
  readonly side: 'source' | 'project';
  readonly spaceId: string;
  /** The provider as the configuration names it, with its port; messages name it. */
  readonly host: string;
}

/** Why the space cannot be used with the token. */
export interface TokenFault {
  readonly code:
    | 'token-invalid'
    | 'token-expired'
    | 'token-not-permitted'
    | 'space-unknown'
    | 'space-not-supported'
    | 'read-only';
  /** One or two sentences, without the setting to change. */
  readonly message: string;
}

export interface TokenVerdict {
  /** null: the space can be used as asked. */
  readonly fault: TokenFault | null;
  /** What works and is better changed (the token), in sentences. */
  readonly advice: readonly string[];
  /** null: the token does not end. */
  readonly expiresAt: Date | null;
}

/** Which setting is to be changed, by what is wrong. */
export const SETTING_OF_FAULT = {
  'token-invalid': 'token',
  'token-expired': 'token',
  'token-not-permitted': 'token',
  'space-unknown': 'space',
  'read-only': 'space',
  'space-not-supported': 'host',
} as const satisfies Record<TokenFault['code'], TokenSetting>;

export type TokenSetting = 'host' | 'space' | 'token';

/** Key of the stack, without its prefix: `projectToken`. */
export function settingKey(setting: TokenSetting, side: TokenUse['side']): string {
  return setting === 'host' ? 'onedataHost' : `${side}${setting === 'space' ? 'SpaceId' : 'Token'}`;
}

/** What a token may do, by the word of its zone (`infer_access_token_scope`): spaces, who supports them, providers. */
export const tokenScopeSchema = z.object({
  /** Seconds since 1970. */
  validUntil: z.number().nullish(),
  dataAccessScope: z
    .object({
      readonly: z.boolean(),
      spaces: z.record(
        z.string(),
        z.object({
          name: z.string(),
          supports: z.record(z.string(), z.object({ readonly: z.boolean().default(false) })).default({}),
        }),
      ),
      providers: z
        .record(
          z.string(),
          z.object({
            name: z.string().default(''),
            domain: z.string(),
            version: z.string().default(''),
            online: z.boolean().default(true),
          }),
        )
        .default({}),
    })
    .nullish(),
});
export type TokenScope = z.output<typeof tokenScopeSchema>;

/** An error of Onedata, as it stands in its answers. */
export interface Refusal {
  readonly id: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

const refusalSchema = z.object({ id: z.string(), details: z.record(z.string(), z.unknown()).optional() });
const zoneRefusalSchema = z.object({ error: refusalSchema });
const caveatSchema = z
  .object({ type: z.string().default('unknown'), validUntil: z.number().optional() })
  .catch({ type: 'unknown', validUntil: undefined });

/** The error in a zone's answer that refuses a token; undefined for an answer that is none. */
export function zoneRefusal(answer: unknown): Refusal | undefined {
  const error = zoneRefusalSchema.safeParse(answer).data?.error;
  // ⚠ Here a bad token is HTTP 400 with the token error itself, not 401.
  return refusalSchema.safeParse(error?.details?.tokenError).data ?? error;
}

const utc = (date: Date) => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const RENEW = 'Make a new access token in the web page of your Onedata zone and set it.';

/** What a token says of itself, whoever can be asked. */
export function judgeFacts(
  { kind, expiresAt }: TokenFacts,
  { spaceId }: Pick<TokenUse, 'spaceId'>,
  nowMs: number,
): TokenFault | null {
  const token = `The Onedata token for space ${spaceId}`;
  if (kind !== 'access') {
    const what = kind === 'invite' ? 'an invite token' : 'an identity token';
    return fault('token-invalid', `${token} is ${what}, which opens no data: an access token is needed.`);
  }
  if (expiresAt && expiresAt.getTime() <= nowMs)
    return fault('token-expired', `${token} has expired at ${utc(expiresAt)}. ${RENEW}`);
  return null;
}

/** Zones know nothing of each other. @param domain the provider's zone, by its own word */
export function judgeZone(
  { zone }: Pick<TokenFacts, 'zone'>,
  domain: string,
  { spaceId, host }: Pick<TokenUse, 'spaceId' | 'host'>,
): TokenFault | null {
  const bare = (name: string) => name.toLowerCase().replace(/:\d+$/, '');
  if (bare(zone) === bare(domain)) return null;
  return fault(
    'token-invalid',
    `The Onedata token for space ${spaceId} comes from the zone ${zone}, but the provider ${host} belongs to the zone ${domain}. Make a token in the zone of the provider, or name a provider of the token's zone.`,
  );
}

/** What the zone's answer means for this use. @param providerId absent: any provider will do */
export function judgeScope(
  scope: TokenScope,
  { spaceId, host, side }: TokenUse,
  providerId: string | undefined,
): TokenVerdict {
  const expiresAt = scope.validUntil ? new Date(scope.validUntil * 1000) : null;
  const faulty = (code: TokenFault['code'], message: string): TokenVerdict => ({
    fault: fault(code, message),
    advice: [],
    expiresAt,
  });
  const { dataAccessScope: data } = scope;
  if (!data) {
    const message = `The Onedata token for space ${spaceId} belongs to no user. Make one in the web page of your zone.`;
    return faulty('token-invalid', message);
  }
  const space = data.spaces[spaceId];
  if (!space) return { fault: unknownSpace(spaceId, data.spaces, side), advice: [], expiresAt };
  const own = providerId === undefined ? undefined : space.supports[providerId];
  if (providerId !== undefined && !own) {
    const others = Object.keys(space.supports).map((id) => data.providers[id]?.domain ?? id);
    const where =
      others.length > 0 ? `It is supported by: ${others.join(', ')}.` : 'No provider supports it.';
    const message = `The provider ${host} does not support space ${space.name} (${spaceId}). ${where}`;
    return faulty('space-not-supported', message);
  }
  if (side === 'project' && data.readonly) {
    const message = 'The token for the project space may only read, so nothing could be saved.';
    return faulty('token-not-permitted', message);
  }
  if (side === 'project' && own?.readonly) {
    const message = `The storage of space ${space.name} at ${host} can only be read, so nothing could be saved.`;
    return faulty('read-only', message);
  }
  if (side === 'project' || data.readonly) return { fault: null, advice: [], expiresAt };
  const advice = `The token for the source space ${space.name} could also write. Reading is enough: make one for read-only data access in the web page of your zone ("data.readonly") and set it as scipion:sourceToken.`;
  return { fault: null, advice: [advice], expiresAt };
}

function unknownSpace(
  spaceId: string,
  spaces: Readonly<Record<string, { readonly name: string }>>,
  side: TokenUse['side'],
): TokenFault {
  const known = Object.entries(spaces).map(([id, { name }]) => `${name} (${id})`);
  const shown = known.slice(0, 5).join(', ') + (known.length > 5 ? ', …' : '');
  return (
    judgeName(spaceId, spaces) ??
    fault(
      'space-unknown',
      `The token does not allow space ${spaceId}. It allows: ${shown || 'none'}. Where the id is right, change scipion:${side}Token.`,
    )
  );
}

/** A name instead of an id is the usual mistake. @param spaces by id; null where none has the name */
export function judgeName(
  text: string,
  spaces: Readonly<Record<string, { readonly name: string }>>,
): TokenFault | null {
  const ids = Object.entries(spaces).flatMap(([id, { name }]) => (name === text ? [id] : []));
  if (ids.length === 0) return null;
  const found =
    ids.length === 1
      ? `its id is ${ids[0]}. Set the id`
      : `which ${ids.length} have. Set one of ${ids.join(', ')}`;
  return fault('space-unknown', `${JSON.stringify(text)} is the name of a space, ${found}.`);
}

/** What a refusal of the zone or the provider means; null for one that is not known. */
export function judgeRefusal(
  { id, details }: Refusal,
  { spaceId, host }: Pick<TokenUse, 'spaceId' | 'host'>,
): TokenFault | null {
  const token = `The Onedata token for space ${spaceId}`;
  const refused = `The Onedata provider ${host} does not accept the token for space ${spaceId}`;
  switch (id) {
    case 'tokenCaveatUnverified':
      return judgeCaveat(details?.caveat, token, host);
    case 'tokenRevoked':
      return fault('token-invalid', `${token} was revoked. ${RENEW}`);
    case 'notAnAccessToken':
      return fault('token-invalid', `${token} is no access token but one of another kind. ${RENEW}`);
    case 'tokenInvalid':
      return fault('token-invalid', `${refused}: it is not valid in its zone (${id}). ${RENEW}`);
    case 'badToken':
    case 'badValueToken':
      return fault(
        'token-invalid',
        `${refused}: it is no token of Onedata, or not a whole one (${id}). ${RENEW}`,
      );
    case 'tokenServiceForbidden':
      return fault('token-not-permitted', `${token} does not hold for the provider ${host}. ${RENEW}`);
    case 'userNotSupported':
      return fault(
        'space-not-supported',
        `The provider ${host} supports none of the spaces of the token's owner. Check the host and space ${spaceId}.`,
      );
    case 'userBlocked':
      return fault(
        'token-invalid',
        `The Onedata user of the token for space ${spaceId} is blocked. Ask the administrators of your zone.`,
      );
    default:
      return null;
  }
}

/** A refusal that is not known. @param id of Onedata's error; absent where it names none */
export function unknownRefusal(
  id: string | undefined,
  { spaceId, host }: Pick<TokenUse, 'spaceId' | 'host'>,
): TokenFault {
  const message = `The Onedata provider ${host} does not accept the token for space ${spaceId} (${id ?? 'no token'}). ${RENEW}`;
  return fault('token-invalid', message);
}

function judgeCaveat(caveat: unknown, token: string, host: string): TokenFault {
  const { type, validUntil } = caveatSchema.parse(caveat ?? {});
  if (type === 'time') {
    const when = validUntil === undefined ? '' : ` at ${utc(new Date(validUntil * 1000))}`;
    return fault('token-expired', `${token} has expired${when}. ${RENEW}`);
  }
  return fault(
    'token-not-permitted',
    `${token} may not be used here: its restriction "${type}" does not hold for ${host}. ${RENEW}`,
  );
}

/** Time to make a new token on a working day, and for the final save to end. */
const SOON_MS = 48 * 3_600_000;

/** What to say of a token that will end soon; null: it will not. */
export function judgeEnd(
  expiresAt: Date | null,
  { side }: Pick<TokenUse, 'side'>,
  nowMs: number,
): string | null {
  if (expiresAt === null || expiresAt.getTime() - nowMs >= SOON_MS) return null;
  return (
    `The token of the ${side} space ends at ${utc(expiresAt)}, within two days. Set a new one before (scipion:${side}Token): ` +
    'it is used without a restart. Work that is not saved by then waits on its volume.'
  );
}

const fault = (code: TokenFault['code'], message: string): TokenFault => ({ code, message });
