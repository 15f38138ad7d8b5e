import { DataScope } from '../access.ts';
import { VERSIONS } from '../configuration.ts';
import { type Context, isMember, tokenOf } from '../context.ts';
import { ApiError, BareStatus, badInput, forbidden, unauthorized } from '../http/api-error.ts';
import {
  booleanParameter,
  type Call,
  type Parameters,
  parameters,
  requiredString,
  sendJson,
  stringParameter,
} from '../http/call.ts';
import type { Provider } from '../provider/provider.ts';
import { assertMethod } from '../provider/routes.ts';
import { nowSeconds, rootUuid } from '../store/file-tree.ts';
import { guid } from '../store/spaces.ts';
import {
  caveatsSchema,
  confineToken,
  isDataCaveat,
  parseToken,
  type Token,
  type TokenUse,
} from '../tokens.ts';
import { supports } from '../version.ts';

/** Every path of the zone: what a client may ask about a token without being anyone, and little more. */
export async function serveZone(context: Context, call: Call): Promise<void> {
  const [api, version, service, resource, ...below] = call.segments;
  if (api !== 'api' || version !== 'v3' || service !== 'onezone') throw new BareStatus(404);
  if (resource === 'configuration') {
    assertMethod(call, 'GET');
    return sendJson(call, 200, configurationOf(context));
  }
  if (resource === 'tokens') return serveTokens(context, call, below[0] ?? '');
  if (resource === 'user') return serveUser(context, call, below);
  throw new BareStatus(404);
}

function configurationOf({ configuration, zoneDomain }: Context): unknown {
  return {
    name: 'Emulator zone',
    domain: zoneDomain,
    version: configuration.version,
    build: 'emulator',
    compatibleOneproviderVersions: VERSIONS,
    subdomainDelegationSupported: true,
    supportedIdPs: [],
  };
}

async function serveTokens(context: Context, call: Call, action: string): Promise<void> {
  if (!['infer_access_token_scope', 'examine', 'verify_access_token', 'confine'].includes(action)) {
    throw new BareStatus(404);
  }
  if (action === 'infer_access_token_scope' && !supports(context.configuration.version).inferScope)
    throw new BareStatus(404);
  assertMethod(call, 'POST');
  const values = await parameters(call);
  const text = requiredString(values, 'token');
  switch (action) {
    case 'infer_access_token_scope':
      return sendJson(call, 200, inferScope(context, call, values, text));
    case 'examine': {
      const { identity, caveats } = parsed(text);
      return sendJson(call, 200, { ...identity, caveats });
    }
    case 'verify_access_token':
      return sendJson(call, 200, verify(context, call, values, text));
    default: {
      const caveats = caveatsSchema.safeParse(values.caveats);
      if (!caveats.success) throw badInput('badData', { key: 'caveats' });
      parsed(text);
      return sendJson(call, 200, { token: confineToken(text, caveats.data) });
    }
  }
}

/** A token that cannot even be read is `badValueToken` with the reason inside. */
function parsed(text: string): Token {
  try {
    return parseToken(text);
  } catch (error) {
    if (error instanceof ApiError) throw badInput('badValueToken', { key: 'token', tokenError: error.body });
    throw error;
  }
}

function useOf(call: Call, values: Parameters): TokenUse {
  const consumerToken = stringParameter(values, 'consumerToken');
  return {
    now: nowSeconds(),
    peerAddress: stringParameter(values, 'peerIp') ?? call.request.socket.remoteAddress ?? '',
    ...(consumerToken === undefined ? {} : { consumerToken }),
  };
}

/** Seconds since 1970; null: for ever. */
function validUntil({ caveats }: Token): number | null {
  const ends = caveats.flatMap((caveat) => (caveat.type === 'time' ? [caveat.validUntil] : []));
  return ends.length > 0 ? Math.min(...ends) : null;
}

/** ⚠ Failures are HTTP 400 with the token error itself, not 401. */
function inferScope(context: Context, call: Call, values: Parameters, text: string): unknown {
  parsed(text);
  const token = context.tokens.verify(text, useOf(call, values));
  const scope = new DataScope(token.caveats, (id) => context.spaces.placeOfId(id));
  const userId = token.identity.subject.id;
  const isLetThrough = ({ id }: Provider) =>
    token.caveats.every(
      (caveat) =>
        caveat.type !== 'service' ||
        caveat.whitelist.some((item) => item === `opw-${id}` || item === 'opw-*'),
    );
  const providers = context.providers.filter(isLetThrough);
  const spaces = context.spaces
    .list()
    .filter(({ id }) => isMember(context, userId, id) && scope.seesSpace(id, guid(rootUuid(id), id)))
    .map((space) => [
      space.id,
      {
        name: space.name,
        supports: Object.fromEntries(
          providers
            .filter((provider) => provider.supports(space))
            .map((provider) => [provider.id, { readonly: provider.isReadonly(space.id) }]),
        ),
      },
    ]);
  return {
    validUntil: validUntil(token),
    dataAccessScope: {
      readonly: scope.isReadonly,
      spaces: Object.fromEntries(spaces),
      providers: Object.fromEntries(
        providers.map(({ id, name, domain, version }) => [
          id,
          { name, domain, version, online: context.faults.isOnline(id, context.provider.id === id) },
        ]),
      ),
    },
  };
}

/** `allowDataAccessCaveats` defaults to false: a data-limited token fails unless it is set. */
function verify(context: Context, call: Call, values: Parameters, text: string): unknown {
  parsed(text);
  const isRest = stringParameter(values, 'interface') === 'rest';
  const token = context.tokens.verify(text, {
    ...useOf(call, values),
    ...(isRest ? { interface: 'rest' as const } : {}),
  });
  const limiting = token.caveats.find(isDataCaveat);
  if (limiting && !booleanParameter(values, 'allowDataAccessCaveats', false)) {
    throw new ApiError(400, 'tokenCaveatUnverified', { caveat: limiting });
  }
  const until = validUntil(token);
  return { subject: token.identity.subject, ttl: until === null ? null : until - nowSeconds() };
}

/** Refused for tokens with data caveats: never rely on these calls. */
function serveUser(context: Context, call: Call, below: readonly string[]): void {
  assertMethod(call, 'GET');
  const text = tokenOf(call);
  if (text === undefined) throw unauthorized();
  let token: Token;
  try {
    token = context.tokens.verify(text, { ...useOf(call, {}), service: 'ozw-onezone', interface: 'rest' });
  } catch (error) {
    throw error instanceof ApiError ? unauthorized(error) : error;
  }
  if (below.length === 0) {
    sendJson(call, 200, { userId: token.identity.subject.id, fullName: 'Emulator User' });
    return;
  }
  if (token.caveats.some(isDataCaveat)) throw forbidden();
  if (below.join('/') !== 'effective_spaces') throw new BareStatus(404);
  const userId = token.identity.subject.id;
  const ids = context.spaces.list().map(({ id }) => id);
  sendJson(call, 200, { spaces: ids.filter((id) => isMember(context, userId, id)) });
}
