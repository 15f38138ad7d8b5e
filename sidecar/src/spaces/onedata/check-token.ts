import { ONEDATA_SECRET_KEYS } from '../../../contract/paths.ts';
import { type TokenFacts, tokenFacts } from '../../../contract/token-facts.ts';
import {
  judgeFacts,
  judgeName,
  judgeScope,
  judgeZone,
  SETTING_OF_FAULT,
  settingKey,
  type TokenFault,
  type TokenSetting,
} from '../../../contract/token-judgement.ts';
import { isSpaceError, SpaceError, type SpaceErrorCode } from '../space-error.ts';
import type { HostChoice } from './discovered-space.ts';
import { type HttpOptions, OnedataHttp } from './http-client.ts';
import { ProviderClient } from './provider-client.ts';
import { inferScope } from './zone.ts';

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

const SIDES = { read: 'source', write: 'project' } as const;

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
    assertNone(facts && judgeFacts(facts, options, Date.now()));
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
    if (facts && onezoneDomain) assertNone(judgeZone(facts, onezoneDomain, options));
    await provider.assertVersion({ signal });
    const zone = { toldHost: options.host, signal };
    const scope = onezoneDomain ? await inferScope({ ...common, host: onezoneDomain }, zone) : undefined;
    const { fault, advice, expiresAt } = scope
      ? judgeScope(scope, { ...options, side: SIDES[options.use] }, providerId ?? undefined)
      : { fault: null, advice: [], expiresAt: facts?.expiresAt ?? null };
    const problem = fault && withKey(new SpaceError(fault.code, fault.message), options);
    if (!problem) await assertAnswers(provider, options);
    return { problem, expiresAt, warnings: advice };
  } finally {
    await http.close();
  }
}

/** @throws SpaceError for a fault */
function assertNone(fault: TokenFault | null): void {
  if (fault) throw new SpaceError(fault.code, fault.message);
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
    assertNone(judgeName(spaceId, named));
    throw error;
  }
}

const SETTINGS: Partial<Record<SpaceErrorCode, TokenSetting>> = {
  ...SETTING_OF_FAULT,
  unreachable: 'host',
  unavailable: 'host',
  unsupported: 'host',
};

/** The same problem with the setting that is to be changed. */
function withKey(problem: SpaceError, { host, use }: Pick<ExamineOptions, 'host' | 'use'>): SpaceError {
  const setting = SETTINGS[problem.code];
  const side = SIDES[use];
  const port = /:(\d+)$/.exec(host.trim())?.[1];
  const hint =
    problem.code === 'unreachable' && port !== undefined && port !== '443'
      ? ` Providers listen on port 443; leave ":${port}" away unless yours says otherwise.`
      : '';
  const where =
    setting === 'token' ? ` (in a Secret of your own: ${ONEDATA_SECRET_KEYS[`${side}Token`]})` : '';
  const change = setting === undefined ? '' : ` Change scipion:${settingKey(setting, side)}${where}.`;
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
      `The two Onedata tokens are swapped: the one that is set for space ${spaceId} is for the other space. Exchange scipion:sourceToken and scipion:projectToken (in a Secret of your own: ${ONEDATA_SECRET_KEYS.sourceToken} and ${ONEDATA_SECRET_KEYS.projectToken}).`,
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
