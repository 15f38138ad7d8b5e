import * as pulumi from '@pulumi/pulumi';
import { type TokenFacts, tokenFacts } from '../sidecar/contract/token-facts.ts';
import {
  judgeEnd,
  judgeFacts,
  judgeRefusal,
  judgeScope,
  judgeZone,
  SETTING_OF_FAULT,
  settingKey,
  type TokenFault,
  type TokenUse,
  tokenScopeSchema,
  zoneRefusal,
} from '../sidecar/contract/token-judgement.ts';
import { REMOVING_VARIABLE } from '../stacks/environment.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import { type Ask, askJson } from './onedata-request.ts';

/**
 * Looks at both Onedata tokens while the program runs, so that `pulumi preview` says what the instance would say later.
 * Only warns, and says nothing where Onedata cannot be reached from here: the same program runs in CI without a network,
 * and for a removal, which no token may stand in the way of.
 */

/** All requests for one token together. */
const TIME_LIMIT_MS = 5_000;
/** Placeholders of a preview without secrets are short; a token of Onedata holds its zone, id and signature. */
const MIN_TOKEN_LENGTH = 64;

export interface TokenToCheck extends Omit<TokenUse, 'host'> {
  /** Absent: the zone that the token names is asked alone. */
  readonly host?: string | undefined;
  readonly token: string;
  readonly certificateAuthorities?: string | undefined;
}

export interface Finding {
  readonly message: string;
  /** Setting of the stack to change, without prefix. */
  readonly key: string;
}

/** What is wrong with a token, in sentences; what only Onedata can tell is missing where nobody could be asked. */
export async function findings(given: TokenToCheck, ask: Ask = askJson): Promise<readonly Finding[]> {
  const facts = tokenFacts(given.token);
  const faults = (found: TokenFault | null): Finding[] =>
    found === null
      ? []
      : [{ message: found.message, key: settingKey(SETTING_OF_FAULT[found.code], given.side) }];
  const own = faults(facts && judgeFacts(facts, given, Date.now()));
  if (own.length > 0) return own;
  const { certificateAuthorities } = given;
  const signal = AbortSignal.timeout(TIME_LIMIT_MS);
  const common = { certificateAuthorities, signal };
  try {
    const { zone, providerId } = await whoToAsk(given, facts, (host, path) => ask({ ...common, host, path }));
    if (zone === undefined) return [];
    const use = { ...given, host: given.host ?? zone };
    const stranger = faults(facts && judgeZone(facts, zone, use));
    if (stranger.length > 0) return stranger;
    const path = '/api/v3/onezone/tokens/infer_access_token_scope';
    const answer = await ask({ ...common, host: zone, path, body: { token: given.token } });
    // A refusal that is not known says nothing: the instance itself asks again with more patience.
    const refusal = answer.status === 400 ? zoneRefusal(answer.body) : undefined;
    if (refusal !== undefined) return faults(judgeRefusal(refusal, use));
    const scope = answer.status === 200 ? tokenScopeSchema.safeParse(answer.body).data : undefined;
    if (scope === undefined) return [];
    const { fault, advice, expiresAt } = judgeScope(scope, use, providerId);
    const end = judgeEnd(expiresAt, use, Date.now());
    const key = settingKey('token', given.side);
    const texts = [...advice, ...(end === null ? [] : [end])];
    return [...faults(fault), ...texts.map((message) => ({ message, key }))];
  } catch {
    return [];
  }
}

/** The provider names its zone; without one, the token does. */
async function whoToAsk(
  { host }: TokenToCheck,
  facts: TokenFacts | null,
  get: (host: string, path: string) => ReturnType<Ask>,
): Promise<{ readonly zone?: string | undefined; readonly providerId?: string | undefined }> {
  if (host === undefined) return { zone: facts?.zone };
  const { body } = await get(host, '/api/v3/oneprovider/configuration');
  const { onezoneDomain, providerId } = body as { onezoneDomain?: unknown; providerId?: unknown };
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return { zone: text(onezoneDomain), providerId: text(providerId) };
}

const changeCommand = (stack: string, key: string) =>
  key.endsWith('Token')
    ? `pulumi config set --secret scipion:${key} --stack ${stack}`
    : `pulumi config set scipion:${key} VALUE --stack ${stack}`;

/** Warns of what is wrong with the tokens of a stack, as far as the stack holds them and they are known by now. */
export function checkTokens(
  config: InstanceConfig,
  options: { readonly environment?: NodeJS.ProcessEnv; readonly ask?: Ask } = {},
): void {
  const { environment = process.env, ask } = options;
  if (!config.checkTokens || environment[REMOVING_VARIABLE] === 'true') return;
  const certificateAuthorities = config.onedataCertificateAuthorities;
  for (const side of ['source', 'project'] as const) {
    const spaceId = side === 'source' ? config.sourceSpaceId : config.projectSpaceId;
    const output = side === 'source' ? config.sourceToken : config.projectToken;
    output?.apply(async (token) => {
      if (token.length < MIN_TOKEN_LENGTH) return;
      const given = { side, host: config.onedataHost, spaceId, token, certificateAuthorities };
      for (const { message, key } of await findings(given, ask))
        await pulumi.log.warn(`${message} Change it: ${changeCommand(config.stack, key)}`);
    });
  }
}
