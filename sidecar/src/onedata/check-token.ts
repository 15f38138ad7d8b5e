import { type TokenFacts, tokenFacts } from '../../contract/token-facts.ts';
import { isSpaceError, SpaceError, type SpaceErrorCode } from '../sync/spaces/space-error.ts';
import type { HostChoice } from './discovered-space.ts';
import { type HttpOptions, OnedataHttp } from './http-client.ts';
import { ProviderClient } from './provider-client.ts';
import { inferScope, type TokenScope } from './zone.ts';

export interface TokenCheckOptions {
  /** Of the provider, or how it is found with a token. */
  readonly host: string | HostChoice['host'];
  readonly spaceId: string;
  readonly token: () => Promise<string>;
  readonly certificateAuthorities?: string;
  /** `write` for the project space. */
  readonly use: 'read' | 'write';
  /** @default 30000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface TokenCheck {
  /** null: the space can be used as asked. */
  readonly problem: SpaceError | null;
  /** When the token ends; null: never, or the zone could not be asked. */
  readonly expiresAt: Date | null;
  /** What works but is better changed, in sentences. */
  readonly warnings: readonly string[];
}

/** Settings of a stack that each use has; sentences end with the one to change. */
const KEYS = {
  read: { space: 'scipion:sourceSpaceId', token: 'scipion:sourceToken', inSecret: 'source-token' },
  write: { space: 'scipion:projectSpaceId', token: 'scipion:projectToken', inSecret: 'project-token' },
} as const;
const HOST_KEY = 'scipion:onedataHost';

/**
 * Is the token valid, for this space at this host, and good for writing where that is asked? Asks the provider and its
 * zone; changes nothing. A zone that cannot be asked (older, out of reach) leaves the provider's own answer. Every
 * problem is a sentence that ends with the setting to change.
 */
export async function checkToken(options: TokenCheckOptions): Promise<TokenCheck> {
  const facts = tokenFacts(await options.token().catch(() => ''));
  const { host: given, token, signal } = options;
  let host = typeof given === 'string' ? given : (facts?.zone ?? '');
  try {
    if (facts) assertAccess(facts, options);
    if (typeof given !== 'string') host = await given(token, signal);
    return await examine({ ...options, host }, facts);
  } catch (error) {
    if (!isSpaceError(error)) throw error;
    const problem = withKey(error, { host, use: options.use });
    return { problem, expiresAt: facts?.expiresAt ?? null, warnings: [] };
  }
}

interface ExamineOptions extends TokenCheckOptions {
  readonly host: string;
}

/** @throws SpaceError */
async function examine(options: ExamineOptions, facts: TokenFacts | null): Promise<TokenCheck> {
  const common: Omit<HttpOptions, 'host'> = {
    spaceId: options.spaceId,
    token: options.token,
    certificateAuthorities: options.certificateAuthorities,
    concurrency: 1,
    stallTimeoutMs: options.timeoutMs ?? 30_000,
  };
  const http = new OnedataHttp({ ...common, host: options.host });
  const { signal } = options;
  try {
    const provider = new ProviderClient(http, options.spaceId);
    const { onezoneDomain, providerId } = await provider.configuration({ signal });
    if (facts && onezoneDomain) assertSameZone(facts, onezoneDomain, options);
    await provider.assertVersion({ signal });
    const zone = { toldHost: options.host, signal };
    const scope = onezoneDomain ? await inferScope({ ...common, host: onezoneDomain }, zone) : undefined;
    const judged = scope
      ? judgeScope(scope, options, providerId ?? undefined)
      : { problem: null, expiresAt: facts?.expiresAt ?? null, warnings: [] };
    if (judged.problem) return { ...judged, problem: withKey(judged.problem, options) };
    await assertAnswers(provider, options);
    return judged;
  } finally {
    await http.close();
  }
}

/** What the token is can be read from it, whoever can be asked. */
function assertAccess(
  { kind, expiresAt }: TokenFacts,
  { spaceId }: Pick<TokenCheckOptions, 'spaceId'>,
): void {
  if (kind !== 'access') {
    const what = kind === 'invite' ? 'an invite token' : 'an identity token';
    throw new SpaceError(
      'token-invalid',
      `The Onedata token for space ${spaceId} is ${what}, which opens no data: an access token is needed.`,
    );
  }
  if (expiresAt && expiresAt.getTime() <= Date.now()) {
    throw new SpaceError(
      'token-expired',
      `The Onedata token for space ${spaceId} expired at ${expiresAt.toISOString()}. Make a new access token in the web page of your Onedata zone.`,
    );
  }
}

/** Zones know nothing of each other. */
function assertSameZone({ zone }: TokenFacts, domain: string, { host, spaceId }: ExamineOptions): void {
  const bare = (name: string) => name.toLowerCase().replace(/:\d+$/, '');
  if (bare(zone) === bare(domain)) return;
  throw new SpaceError(
    'token-invalid',
    `The Onedata token for space ${spaceId} comes from the zone ${zone}, but the provider ${host} belongs to the zone ${domain}. Make a token in the zone of the provider, or name a provider of the token's zone.`,
  );
}

/** The provider's own word. A name instead of an id is the usual mistake, so names are looked through too. */
async function assertAnswers(provider: ProviderClient, options: ExamineOptions): Promise<void> {
  const { signal, spaceId } = options;
  try {
    await provider.space({ signal });
  } catch (error) {
    if (!isSpaceError(error, 'space-unknown', 'space-not-supported')) throw error;
    const spaces = await provider.spaces({ signal }).catch(() => []);
    const named = Object.fromEntries(spaces.map((space) => [space.spaceId, space]));
    throw nameForId(spaceId, named) ?? error;
  }
}

const KEY_KINDS: Partial<Record<SpaceErrorCode, 'host' | 'space' | 'token'>> = {
  unreachable: 'host',
  unavailable: 'host',
  unsupported: 'host',
  'space-not-supported': 'host',
  'space-unknown': 'space',
  'read-only': 'space',
  'token-invalid': 'token',
  'token-expired': 'token',
  'token-not-permitted': 'token',
};

/** The same problem with the setting that is to be changed. */
function withKey(problem: SpaceError, { host, use }: Pick<ExamineOptions, 'host' | 'use'>): SpaceError {
  const kind = KEY_KINDS[problem.code];
  const { space, token, inSecret } = KEYS[use];
  const port = /:(\d+)$/.exec(host.trim())?.[1];
  const hint =
    problem.code === 'unreachable' && port !== undefined && port !== '443'
      ? ` Providers listen on port 443; leave ":${port}" away unless yours says otherwise.`
      : '';
  const change =
    kind === 'host'
      ? ` Change ${HOST_KEY}.`
      : kind === 'space'
        ? ` Change ${space}.`
        : kind === 'token'
          ? ` Change ${token} (in a Secret of your own: ${inSecret}).`
          : '';
  return new SpaceError(problem.code, `${problem.message}${hint}${change}`, {
    cause: problem.cause,
    ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
  });
}

/** What a use needs to be checked; the use itself goes by the place. */
export type TokenToCheck = Omit<TokenCheckOptions, 'use' | 'signal'>;

/** The token of each space opens the other one: they were set the wrong way round. */
export class SwappedTokensError extends SpaceError {
  constructor(spaceId: string) {
    super(
      'token-not-permitted',
      `The two Onedata tokens are swapped: the one that is set for space ${spaceId} is for the other space. Exchange ${KEYS.read.token} and ${KEYS.write.token} (in a Secret of your own: ${KEYS.read.inSecret} and ${KEYS.write.inSecret}).`,
    );
  }
}

/** Both tokens of an instance. Where each would do for the other's space, that is the problem. */
export async function checkTokens(
  source: TokenToCheck,
  project: TokenToCheck,
  signal?: AbortSignal,
): Promise<{ readonly source: TokenCheck; readonly project: TokenCheck }> {
  const common = signal === undefined ? {} : { signal };
  const asSource = { ...source, ...common, use: 'read' } as const;
  const asProject = { ...project, ...common, use: 'write' } as const;
  const [first, second] = await Promise.all([checkToken(asSource), checkToken(asProject)]);
  if (!mayBeOfOther(first) && !mayBeOfOther(second)) return { source: first, project: second };
  const crossed = await Promise.all([
    checkToken({ ...asSource, token: project.token }),
    checkToken({ ...asProject, token: source.token }),
  ]);
  if (crossed.some(({ problem }) => problem)) return { source: first, project: second };
  return {
    source: { ...first, problem: new SwappedTokensError(source.spaceId) },
    project: { ...second, problem: new SwappedTokensError(project.spaceId) },
  };
}

/** One of both tokens; the other one is looked at only where this one does not open its space. */
export async function checkTokenOf(
  side: 'source' | 'project',
  tokens: { readonly source: TokenToCheck; readonly project: TokenToCheck },
  signal: AbortSignal,
): Promise<TokenCheck> {
  const own = await checkToken({ ...tokens[side], use: side === 'source' ? 'read' : 'write', signal });
  if (!mayBeOfOther(own)) return own;
  return (await checkTokens(tokens.source, tokens.project, signal))[side];
}

const mayBeOfOther = ({ problem }: TokenCheck): boolean =>
  problem !== null && isSpaceError(problem, 'token-not-permitted', 'space-unknown');

/** Pure: what the zone's answer means for this use. */
export function judgeScope(
  scope: TokenScope,
  { spaceId, host, use }: Pick<ExamineOptions, 'spaceId' | 'host' | 'use'>,
  providerId: string | undefined,
): TokenCheck {
  const expiresAt = scope.validUntil ? new Date(scope.validUntil * 1000) : null;
  const result = (problem: SpaceError | null, warnings: string[] = []): TokenCheck => ({
    problem,
    expiresAt,
    warnings,
  });
  const { dataAccessScope: data } = scope;
  if (!data) {
    return result(
      new SpaceError(
        'token-invalid',
        `The Onedata token for space ${spaceId} belongs to no user. Make one in the web page of your zone.`,
      ),
    );
  }
  const space = data.spaces[spaceId];
  if (!space) return result(unknownSpace(spaceId, data.spaces, KEYS[use].token));
  const own = providerId === undefined ? undefined : space.supports[providerId];
  if (providerId !== undefined && !own) {
    const others = Object.keys(space.supports).map((id) => data.providers[id]?.domain ?? id);
    const where =
      others.length > 0 ? `It is supported by: ${others.join(', ')}.` : 'No provider supports it.';
    return result(
      new SpaceError(
        'space-not-supported',
        `The provider ${host} does not support space ${space.name} (${spaceId}). ${where}`,
      ),
    );
  }
  if (use === 'write' && (data.readonly || own?.readonly)) {
    const what = data.readonly
      ? 'The token for the project space may only read'
      : `The storage of space ${space.name} at ${host} can only be read`;
    return result(
      new SpaceError(
        data.readonly ? 'token-not-permitted' : 'read-only',
        `${what}, so nothing could be saved.`,
      ),
    );
  }
  const isTooPowerful = use === 'read' && !data.readonly;
  return result(
    null,
    isTooPowerful
      ? [
          `The token for the source space ${space.name} could also write. Reading is enough: make one for read-only data access in the web page of your zone ("data.readonly") and set it as ${KEYS.read.token}.`,
        ]
      : [],
  );
}

/** A name instead of an id is the usual mistake. */
function unknownSpace(
  spaceId: string,
  spaces: Readonly<Record<string, { readonly name: string }>>,
  tokenKey: string,
): SpaceError {
  const known = Object.entries(spaces).map(([id, { name }]) => `${name} (${id})`);
  const shown = known.slice(0, 5).join(', ') + (known.length > 5 ? ', …' : '');
  return (
    nameForId(spaceId, spaces) ??
    new SpaceError(
      'space-unknown',
      `The token does not allow space ${spaceId}. It allows: ${shown || 'none'}. Where the id is right, change ${tokenKey}.`,
    )
  );
}

function nameForId(
  text: string,
  spaces: Readonly<Record<string, { readonly name: string }>>,
): SpaceError | undefined {
  const ids = Object.entries(spaces).flatMap(([id, { name }]) => (name === text ? [id] : []));
  if (ids.length === 0) return undefined;
  const found =
    ids.length === 1
      ? `its id is ${ids[0]}. Set the id`
      : `which ${ids.length} have. Set one of ${ids.join(', ')}`;
  return new SpaceError('space-unknown', `${JSON.stringify(text)} is the name of a space, ${found}.`);
}
