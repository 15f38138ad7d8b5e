import * as z from 'zod';
import { isSpaceError } from '../sync/spaces/space-error.ts';
import { tokenError } from './errors.ts';
import { type HttpOptions, type HttpRequest, isSuccess, OnedataHttp } from './http-client.ts';

const supportSchema = z.record(z.string(), z.object({ readonly: z.boolean().default(false) }));
const scopeSchema = z.object({
  /** Seconds since 1970. */
  validUntil: z.number().nullish(),
  dataAccessScope: z
    .object({
      readonly: z.boolean(),
      spaces: z.record(z.string(), z.object({ name: z.string(), supports: supportSchema.default({}) })),
      providers: z.record(
        z.string(),
        z.object({
          name: z.string(),
          domain: z.string(),
          version: z.string().default(''),
          online: z.boolean().default(true),
        }),
      ),
    })
    .nullish(),
});
/** What a token may do, by the word of its zone: spaces, who supports them, providers. */
export type TokenScope = z.output<typeof scopeSchema>;

const refusalSchema = z.object({
  error: z.object({
    id: z.string(),
    details: z
      .looseObject({
        tokenError: z
          .object({ id: z.string(), details: z.record(z.string(), z.unknown()).optional() })
          .optional(),
      })
      .optional(),
  }),
});

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
    if (isSuccess(answer)) return scopeSchema.safeParse(body).data;
    // ⚠ Here a bad token is HTTP 400 with the token error itself, not 401.
    const refusal = answer.status === 400 ? refusalSchema.safeParse(body).data : undefined;
    if (!refusal) return undefined;
    const { spaceId, host } = http;
    throw tokenError(refusal.error.details?.tokenError ?? refusal.error, { host: toldHost ?? host, spaceId });
  } catch (error) {
    if (isSpaceError(error, 'unreachable', 'stalled', 'unavailable', 'transfer-broken')) return undefined;
    throw error;
  } finally {
    await zone.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
