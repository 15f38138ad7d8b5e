import { type Ask, askJson } from '../../components/onedata-request.ts';
import { tokenFacts } from '../../sidecar/contract/token-facts.ts';
import {
  judgeEnd,
  judgeFacts,
  judgeRefusal,
  judgeScope,
  type TokenFault,
  tokenScopeSchema,
  zoneRefusal,
} from '../../sidecar/contract/token-judgement.ts';
import { isToken } from '../../stacks/grammar.ts';

/** What a token opens, so that a space can be chosen by its name: the zone that the token names is asked. */

export interface ReadableSpace {
  readonly id: string;
  readonly name: string;
  /** Host names of the providers that support it. */
  readonly providers: readonly string[];
  /** Why it cannot be used as this side; absent: it can. */
  readonly fault?: TokenFault;
  /** What works and is better changed. */
  readonly advice: readonly TokenAdvice[];
}

export interface TokenAdvice {
  readonly code: 'could-write' | 'ends-soon';
  readonly message: string;
}

export type TokenReading =
  | { readonly kind: 'spaces'; readonly zone: string; readonly spaces: readonly ReadableSpace[] }
  /** It cannot be used, whatever the space. */
  | {
      readonly kind: 'unusable';
      readonly code: TokenFault['code'] | 'no-token' | 'no-space';
      readonly message: string;
    }
  /** Nobody could be asked: the space must be given by its id. */
  | { readonly kind: 'unasked'; readonly message: string };

const ANSWER_MS = 15_000;

export interface TokenQuestion {
  readonly token: string;
  readonly side: 'source' | 'project';
  readonly certificateAuthorities?: string | undefined;
  readonly ask?: Ask;
  /** Zones that may be asked; absent: whichever the token names. */
  readonly zones?: readonly string[] | undefined;
}

/** Never throws, and no sentence holds the token. */
export async function readToken(question: TokenQuestion): Promise<TokenReading> {
  const { side, ask = askJson, certificateAuthorities } = question;
  const token = question.token.trim();
  const unusable = (code: (TokenReading & { kind: 'unusable' })['code'], message: string): TokenReading => ({
    kind: 'unusable',
    code,
    message,
  });
  if (!isToken(token))
    return unusable(
      'no-token',
      `Found ${token.length === 0 ? 'nothing' : `a text of ${token.length} characters that is no token`}; expected an access token of Onedata, whole and on one line.`,
    );
  const facts = tokenFacts(token);
  if (facts === null)
    return {
      kind: 'unasked',
      message: 'The token does not say which zone made it, so its spaces cannot be listed.',
    };
  const anySpace = { spaceId: '(any)', host: facts.zone, side };
  const worded = (text: string) => text.replaceAll(/ for space \(any\)/g, '');
  const own = judgeFacts(facts, anySpace, Date.now());
  if (own !== null) return unusable(own.code, worded(own.message));
  if (question.zones !== undefined && !question.zones.includes(facts.zone))
    return unusable(
      'token-invalid',
      `The token is of the zone ${facts.zone}. Expected: one of ${question.zones.join(', ')}.`,
    );
  const path = '/api/v3/onezone/tokens/infer_access_token_scope';
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await ask({ host: facts.zone, path, body: { token }, certificateAuthorities, signal });
    const refusal = answer.status === 400 ? zoneRefusal(answer.body) : undefined;
    const fault = refusal && judgeRefusal(refusal, anySpace);
    if (fault) return unusable(fault.code, worded(fault.message));
    const scope = answer.status === 200 ? tokenScopeSchema.safeParse(answer.body).data : undefined;
    if (scope === undefined)
      return {
        kind: 'unasked',
        message: `The zone ${facts.zone} does not list spaces (it answered ${answer.status}).`,
      };
    const { spaces = {}, providers = {} } = scope.dataAccessScope ?? {};
    const list = Object.entries(spaces).map(([id, { name, supports }]): ReadableSpace => {
      const verdict = judgeScope(scope, { spaceId: id, host: facts.zone, side }, undefined);
      const end = judgeEnd(verdict.expiresAt, { side }, Date.now());
      return {
        id,
        name,
        providers: Object.keys(supports).flatMap((provider) => providers[provider]?.domain ?? []),
        ...(verdict.fault === null ? {} : { fault: verdict.fault }),
        advice: [
          ...verdict.advice.map((message): TokenAdvice => ({ code: 'could-write', message })),
          ...(end === null ? [] : [{ code: 'ends-soon', message: end } as const]),
        ],
      };
    });
    if (list.length > 0) return { kind: 'spaces', zone: facts.zone, spaces: list };
    return unusable(
      'no-space',
      `The token opens no space of the zone ${facts.zone}. Make one that does, in its web page.`,
    );
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? (error as Error).name;
    return { kind: 'unasked', message: `The zone ${facts.zone} cannot be asked from here (${cause}).` };
  }
}
