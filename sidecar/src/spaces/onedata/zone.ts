import { parseJson } from '../../../contract/parse-json.ts';
import { type TokenScope, tokenScopeSchema, zoneRefusal } from '../../../contract/token-judgement.ts';
import { isSpaceError } from '../space-error.ts';
import { tokenError } from './errors.ts';
import { type HttpOptions, type HttpRequest, isSuccess, OnedataHttp } from './http-client.ts';

/**
 * Asks the zone what a token may do; needs no other right. undefined: the zone gave no usable answer (it is too old, or
 * out of reach). `toldHost` is the host that messages name.
 * @throws SpaceError where it says what is wrong with the token
 */
export async function inferScope(
  http: HttpOptions,
  { toldHost, signal }: { readonly toldHost?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<TokenScope | undefined> {
  const zone = new OnedataHttp(http);
  try {
    const request: HttpRequest = {
      method: 'POST',
      url: '/api/v3/onezone/tokens/infer_access_token_scope',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: await zone.token() }),
      isPublic: true,
      signal,
    };
    const answer = await zone.send(request);
    const body = parseJson(await zone.text(request, answer));
    if (isSuccess(answer)) return tokenScopeSchema.safeParse(body).data;
    const refusal = answer.status === 400 ? zoneRefusal(body) : undefined;
    if (!refusal) return undefined;
    const { spaceId, host } = http;
    throw tokenError(refusal, { host: toldHost ?? host, spaceId });
  } catch (error) {
    if (isSpaceError(error, 'unreachable', 'stalled', 'unavailable', 'transfer-broken')) return undefined;
    throw error;
  } finally {
    await zone.close();
  }
}
