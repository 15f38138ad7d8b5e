import { z } from 'zod';
import { isSpaceError, SpaceError } from '../sync/space-error.ts';
import { tokenError } from './errors.ts';
import { type HttpOptions, type HttpRequest, isSuccess, OnedataHttp } from './http-client.ts';
import { ProviderClient } from './provider-client.ts';

export interface TokenCheckOptions {
  readonly host: string;
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

const support = z.record(z.string(), z.object({ readonly: z.boolean().default(false) }));
const scopeSchema = z.object({
  validUntil: z.number().nullish(),
  dataAccessScope: z
    .object({
      readonly: z.boolean(),
      spaces: z.record(z.string(), z.object({ name: z.string(), supports: support.default({}) })),
      providers: z.record(
        z.string(),
        z.object({ name: z.string(), domain: z.string(), online: z.boolean().default(true) }),
      ),
    })
    .nullish(),
});
type Scope = z.output<typeof scopeSchema>;
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
 * Is the token valid, for this space at this host, and good for writing where that is asked? Asks the provider and its
 * zone; changes nothing. A zone that cannot be asked (older, out of reach) leaves the provider's own answer.
 */
export async function checkToken(options: TokenCheckOptions): Promise<TokenCheck> {
  const common: Omit<HttpOptions, 'host'> = {
    spaceId: options.spaceId,
    token: options.token,
    certificateAuthorities: options.certificateAuthorities,
    concurrency: 1,
    stallTimeoutMs: options.timeoutMs ?? 30_000,
  };
  const http = new OnedataHttp({ ...common, host: options.host });
  try {
    const provider = new ProviderClient(http, options.spaceId);
    const { onezoneDomain, providerId } = await provider.configuration({ signal: options.signal });
    const scope = onezoneDomain ? await askZone({ ...common, host: onezoneDomain }, options) : undefined;
    if (scope) {
      const judged = judgeScope(scope, options, providerId ?? undefined);
      if (judged.problem) return judged;
      await provider.space({ signal: options.signal });
      return judged;
    }
    await provider.space({ signal: options.signal });
    return { problem: null, expiresAt: null, warnings: [] };
  } catch (error) {
    if (!isSpaceError(error)) throw error;
    return { problem: error, expiresAt: null, warnings: [] };
  } finally {
    await http.close();
  }
}

/** undefined: the zone gave no usable answer. @throws SpaceError where it says what is wrong with the token */
async function askZone(http: HttpOptions, options: TokenCheckOptions): Promise<Scope | undefined> {
  const zone = new OnedataHttp(http);
  try {
    const request: HttpRequest = {
      method: 'POST',
      url: '/api/v3/onezone/tokens/infer_access_token_scope',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: (await options.token()).trim() }),
      isPublic: true,
      signal: options.signal,
    };
    const answer = await zone.send(request);
    const body = parseJson(await zone.text(request, answer));
    if (isSuccess(answer)) return scopeSchema.safeParse(body).data;
    // ⚠ Here a bad token is HTTP 400 with the token error itself, not 401.
    const refusal = answer.status === 400 ? refusalSchema.safeParse(body).data : undefined;
    if (refusal)
      throw tokenError(refusal.error.details?.tokenError ?? refusal.error, {
        host: options.host,
        spaceId: options.spaceId,
      });
    return undefined;
  } catch (error) {
    if (isSpaceError(error, 'unreachable', 'stalled', 'unavailable', 'transfer-broken')) return undefined;
    throw error;
  } finally {
    await zone.close();
  }
}

/** Pure: what the zone's answer means for this use. */
export function judgeScope(
  scope: Scope,
  { spaceId, host, use }: Pick<TokenCheckOptions, 'spaceId' | 'host' | 'use'>,
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
  if (!space) return result(unknownSpace(spaceId, data.spaces));
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
        `${what}, so nothing could be saved. Set a token without the restriction "data.readonly".`,
      ),
    );
  }
  const isTooPowerful = use === 'read' && !data.readonly;
  return result(
    null,
    isTooPowerful
      ? [
          `The token for the source space ${space.name} could also write. Reading is enough: confine it to "data.readonly".`,
        ]
      : [],
  );
}

/** A name instead of an id is the usual mistake. */
function unknownSpace(
  spaceId: string,
  spaces: Readonly<Record<string, { readonly name: string }>>,
): SpaceError {
  const named = Object.entries(spaces).find(([, { name }]) => name === spaceId)?.[0];
  if (named !== undefined) {
    return new SpaceError(
      'space-unknown',
      `${JSON.stringify(spaceId)} is the name of a space, its id is ${named}. Set the id.`,
    );
  }
  const known = Object.entries(spaces).map(([id, { name }]) => `${name} (${id})`);
  const shown = known.slice(0, 5).join(', ') + (known.length > 5 ? ', …' : '');
  return new SpaceError(
    'space-unknown',
    `The token does not allow space ${spaceId}. It allows: ${shown || 'none'}.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
