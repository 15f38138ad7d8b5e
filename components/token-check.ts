import * as pulumi from '@pulumi/pulumi';
import { tokenFacts } from '../sidecar/contract/token-facts.ts';
import { type InstanceConfig, REMOVING_VARIABLE } from '../stacks/load.ts';
import { type Ask, askJson } from './onedata-request.ts';
import { type Finding, judgeRefusal, judgeScope, type TokenUse } from './token-findings.ts';

/**
 * Looks at both Onedata tokens while the program runs, so that `pulumi preview` says what the instance would say later.
 * Only warns, and says nothing where Onedata cannot be reached from here: the same program runs in CI without a network,
 * and for a removal, which no token may stand in the way of.
 */

/** All requests for one token together. */
const TIME_LIMIT_MS = 5_000;
/** Placeholders of a preview without secrets are short; a token of Onedata holds its zone, id and signature. */
const LEAST_TOKEN_LENGTH = 64;

export interface TokenToCheck extends Omit<TokenUse, 'host'> {
  /** Absent: the zone that the token names is asked alone. */
  readonly host?: string | undefined;
  readonly token: string;
  readonly certificateAuthorities?: string | undefined;
}

/** What is wrong with a token, in sentences; empty also where nobody could be asked. */
export async function findings(given: TokenToCheck, ask: Ask = askJson): Promise<readonly Finding[]> {
  const { certificateAuthorities } = given;
  const signal = AbortSignal.timeout(TIME_LIMIT_MS);
  const common = { certificateAuthorities, signal };
  try {
    const { zone, providerId } = await whoToAsk(given, (host, path) => ask({ ...common, host, path }));
    if (zone === undefined) return [];
    const path = '/api/v3/onezone/tokens/infer_access_token_scope';
    const answer = await ask({ ...common, host: zone, path, body: { token: given.token } });
    const use = { ...given, host: given.host ?? zone };
    if (answer.status === 200) return judgeScope(answer.body, use, providerId, Date.now());
    return answer.status === 400 ? judgeRefusal(answer.body, use) : [];
  } catch {
    return [];
  }
}

/** The provider names its zone; without one, the token does. */
async function whoToAsk(
  { host, token }: TokenToCheck,
  get: (host: string, path: string) => ReturnType<Ask>,
): Promise<{ readonly zone?: string | undefined; readonly providerId?: string | undefined }> {
  if (host === undefined) return { zone: tokenFacts(token)?.zone };
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
  for (const use of ['source', 'project'] as const) {
    const spaceId = use === 'source' ? config.sourceSpaceId : config.projectSpaceId;
    const output = use === 'source' ? config.sourceToken : config.projectToken;
    output?.apply(async (token) => {
      if (token.length < LEAST_TOKEN_LENGTH) return;
      const given = { use, host: config.onedataHost, spaceId, token, certificateAuthorities };
      for (const { message, key } of await findings(given, ask))
        await pulumi.log.warn(`${message} Change it: ${changeCommand(config.stack, key)}`);
    });
  }
}
