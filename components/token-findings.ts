import * as z from 'zod';

/** What the zone's answers about a token mean for a space. Pure; no sentence holds a token. */

export interface Finding {
  readonly message: string;
  /** Setting of the stack to change, without prefix. */
  readonly key: string;
}

/** What a token is for. */
export interface TokenUse {
  readonly use: 'source' | 'project';
  readonly host: string;
  readonly spaceId: string;
}

const scopeSchema = z.object({
  /** Seconds since 1970. */
  validUntil: z.number().nullish(),
  dataAccessScope: z
    .object({
      readonly: z.boolean(),
      spaces: z.record(
        z.string(),
        z.object({ name: z.string(), supports: z.record(z.string(), z.unknown()).default({}) }),
      ),
      providers: z.record(z.string(), z.object({ domain: z.string() })).default({}),
    })
    .nullish(),
});
const errorSchema = z.object({ id: z.string(), details: z.record(z.string(), z.unknown()).optional() });
const refusalSchema = z.object({ error: errorSchema });
const caveatSchema = z.object({ type: z.string(), validUntil: z.number().optional() });

/** An instance is used for days; the final save needs its token at the very end. */
const SOON_MS = 48 * 3_600_000;

const when = (seconds: number) =>
  `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** @param nowMs since 1970 */
export function judgeScope(
  answer: unknown,
  { use, spaceId, host }: TokenUse,
  providerId: string | undefined,
  nowMs: number,
): Finding[] {
  const scope = scopeSchema.safeParse(answer).data;
  if (!scope) return [];
  const [token, id] = [`${use}Token`, `${use}SpaceId`];
  const { validUntil, dataAccessScope: data } = scope;
  if (!data) return [{ message: `The token for the ${use} space belongs to no user.`, key: token }];
  const found: Finding[] = [];
  const space = data.spaces[spaceId];
  const named = Object.entries(data.spaces).find(([, { name }]) => name === spaceId);
  if (!space && named)
    found.push({ message: `"${spaceId}" is the name of a space; its id is ${named[0]}.`, key: id });
  else if (!space) {
    const allowed = Object.entries(data.spaces).map(([other, { name }]) => `${name} (${other})`);
    const list = allowed.length > 0 ? allowed.slice(0, 5).join(', ') : 'no space';
    found.push({
      message: `The token for the ${use} space does not allow space ${spaceId}; it allows ${list}.`,
      key: token,
    });
  } else if (providerId !== undefined && !Object.hasOwn(space.supports, providerId)) {
    const others = Object.keys(space.supports).map((other) => data.providers[other]?.domain ?? other);
    const list = others.length > 0 ? `these do: ${others.join(', ')}` : 'no provider does';
    const message = `The provider ${host} does not support the ${use} space ${space.name} (${spaceId}); ${list}.`;
    found.push({ message, key: 'onedataHost' });
  }
  if (use === 'project' && data.readonly)
    found.push({
      message: 'The token for the project space may only read, so nothing could be saved.',
      key: token,
    });
  if (use === 'source' && !data.readonly) {
    const message =
      'The token for the source space could also write. Reading is enough: make one for read-only data access ("data.readonly").';
    found.push({ message, key: token });
  }
  if (validUntil && validUntil * 1000 - nowMs < SOON_MS) {
    const message = `The token for the ${use} space ends at ${when(validUntil)}, within two days. Work that is not saved by then waits on its volume.`;
    found.push({ message, key: token });
  }
  return found;
}

const REFUSALS: Readonly<Record<string, string>> = {
  tokenRevoked: 'was revoked',
  notAnAccessToken: 'is no access token but one of another kind',
  tokenInvalid: 'is not valid in the zone of the provider',
  badToken: 'is no token of Onedata, or not a whole one',
  badValueToken: 'is no token of Onedata, or not a whole one',
  userBlocked: 'belongs to a user who is blocked',
};

/** A refusal that is not known says nothing: the instance itself asks again with more patience. */
export function judgeRefusal(answer: unknown, { use, host }: TokenUse): Finding[] {
  const outer = refusalSchema.safeParse(answer).data?.error;
  const error = errorSchema.safeParse(outer?.details?.tokenError).data ?? outer;
  const caveat = caveatSchema.safeParse(error?.details?.caveat).data;
  const key = `${use}Token`;
  const start = `The token for the ${use} space`;
  if (caveat?.type === 'time') {
    const end = caveat.validUntil === undefined ? '' : ` at ${when(caveat.validUntil)}`;
    return [{ message: `${start} has expired${end}.`, key }];
  }
  const text = REFUSALS[error?.id ?? ''];
  return text === undefined ? [] : [{ message: `${start} ${text} (${host}).`, key }];
}
