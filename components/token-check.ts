import * as pulumi from '@pulumi/pulumi';
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

export interface TokenToCheck extends TokenUse {
  readonly token: string;
  readonly certificateAuthorities?: string | undefined;
}

/** What is wrong with a token, in sentences; empty also where nobody could be asked. */
export async function findings(given: TokenToCheck, ask: Ask = askJson): Promise<readonly Finding[]> {
  const { host, certificateAuthorities } = given;
  const signal = AbortSignal.timeout(TIME_LIMIT_MS);
  const common = { certificateAuthorities, signal };
  try {
    const provider = await ask({ ...common, host, path: '/api/v3/oneprovider/configuration' });
    const { onezoneDomain, providerId } = provider.body as { onezoneDomain?: unknown; providerId?: unknown };
    if (typeof onezoneDomain !== 'string') return [];
    const path = '/api/v3/onezone/tokens/infer_access_token_scope';
    const answer = await ask({ ...common, host: onezoneDomain, path, body: { token: given.token } });
    if (answer.status === 200)
      return judgeScope(
        answer.body,
        given,
        typeof providerId === 'string' ? providerId : undefined,
        Date.now(),
      );
    return answer.status === 400 ? judgeRefusal(answer.body, given) : [];
  } catch {
    return [];
  }
}

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
        await pulumi.log.warn(`${message} Change scipion:${key}.`);
    });
  }
}
