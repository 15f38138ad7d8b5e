import { join } from 'node:path';
import fastifyCookie from '@fastify/cookie';
import Fastify, { type FastifyInstance } from 'fastify';
import Provider, { type Configuration, type JWKS } from 'oidc-provider';
import PQueue from 'p-queue';
import { addAssets } from '../../sidecar/src/front/assets.ts';
import { isFromOurPage, languageOf } from '../../sidecar/src/front/request-checks.ts';
import { securityHeaders } from '../../sidecar/src/front/security-headers.ts';
import { TEXTS } from '../web/src/texts/index.ts';
import { loadSignInPage, loadSignOutPage } from './page.ts';
import { isRight, type LocalUsers } from './users.ts';

/**
 * A sign-in service for one machine: OpenID Connect by `oidc-provider`, with users from a file. It is for trying the
 * console, and for its tests; a site has a service of its own.
 */

export interface IdentitySettings {
  /** Its address, e.g. `http://localhost:8444`. */
  readonly issuer: string;
  /** Origin of the console, its only client. */
  readonly consoleOrigin: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly users: () => LocalUsers;
  /** Keys that sign; others are made at each start. */
  readonly jwks?: JWKS;
  /** Keys of its cookies. */
  readonly cookieKeys: readonly string[];
  /** Folder of built pages. */
  readonly webDirectory: string;
  /** Seconds that an access token lives. @default 600 */
  readonly accessSeconds?: number;
}

export interface Identity {
  readonly app: FastifyInstance;
  readonly provider: Provider;
}

/** Wrong passwords wait this long, one after the other. */
const WRONG_MS = 500;
const MAX_WAITING = 20;
const HOUR = 3600;

export async function createIdentity(settings: IdentitySettings): Promise<Identity> {
  const { issuer, users } = settings;
  const provider = new Provider(issuer, configurationOf(settings));
  const page = loadSignInPage(settings.webDirectory);
  const headers = securityHeaders(issuer, [settings.consoleOrigin]);
  const serve = provider.callback();
  const queue = new PQueue({ concurrency: 1 });
  const app = Fastify({ bodyLimit: 16_384, forceCloseConnections: true });
  await app.register(fastifyCookie);
  app.addHook('onRequest', async (request, reply) => {
    if (/^\/(interaction|assets)\//.test(request.url)) return void reply.headers(headers);
    // Its own pages are ours as well, and lead to the console.
    for (const [name, value] of Object.entries(headers)) reply.raw.setHeader(name, value);
    reply.hijack();
    await serve(request.raw, reply.raw);
    return undefined;
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  addAssets(app, join(settings.webDirectory, 'assets'));

  app.get('/interaction/:id', async (request, reply) => {
    await provider.interactionDetails(request.raw, reply.raw);
    return reply.type('text/html; charset=utf-8').send(page(languageOf(request.headers), false));
  });
  app.post('/interaction/:id', async (request, reply) => {
    if (!isFromOurPage(request.headers, issuer)) return reply.code(403).send('not from this page\n');
    await provider.interactionDetails(request.raw, reply.raw);
    const body = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const name = body.get('username') ?? '';
    if (queue.size >= MAX_WAITING) return reply.code(503).send('too many\n');
    const isIn = await queue.add(async () => {
      const all = users();
      const [any] = Object.values(all);
      const user = Object.hasOwn(all, name) ? all[name] : undefined;
      if (any !== undefined && (await isRight(user, body.get('password') ?? '', any))) return true;
      await new Promise((resolve) => setTimeout(resolve, WRONG_MS));
      return false;
    });
    if (isIn !== true)
      return reply
        .code(401)
        .type('text/html; charset=utf-8')
        .send(page(languageOf(request.headers), true));
    reply.hijack();
    await provider.interactionFinished(request.raw, reply.raw, { login: { accountId: name } });
    return reply;
  });
  app.setErrorHandler(async (error: Error, request, reply) => {
    const texts = TEXTS[languageOf(request.headers)];
    const status = error.name === 'SessionNotFound' ? 400 : 500;
    return reply.code(status).type('text/plain; charset=utf-8').send(`${texts.signInErrors.expired}\n`);
  });
  return { app: app as unknown as FastifyInstance, provider };
}

function configurationOf({
  consoleOrigin,
  clientId,
  clientSecret,
  users,
  jwks,
  cookieKeys,
  accessSeconds = 600,
  webDirectory,
}: IdentitySettings): Configuration {
  const signOutPage = loadSignOutPage(webDirectory);
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${consoleOrigin}/sign-in/callback`],
        post_logout_redirect_uris: [`${consoleOrigin}/signed-out`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    ...(jwks === undefined ? {} : { jwks }),
    cookies: { keys: [...cookieKeys] },
    claims: { openid: ['sub', 'name', 'preferred_username', 'groups'] },
    // There is one client, and it reads the ID token.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: async (_context, client) => client.clientId === clientId },
      rpInitiatedLogout: {
        logoutSource: async (context, form) => {
          context.body = signOutPage(languageOf(context.req.headers), form);
        },
      },
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: accessSeconds,
      IdToken: HOUR,
      Interaction: HOUR,
      Session: 12 * HOUR,
      Grant: 12 * HOUR,
      RefreshToken: 12 * HOUR,
      AuthorizationCode: 60,
    },
    findAccount: (_context, id) => {
      const all = users();
      const user = Object.hasOwn(all, id) ? all[id] : undefined;
      if (user === undefined) return undefined;
      const { name, groups } = user;
      return { accountId: id, claims: () => ({ sub: id, name, preferred_username: id, groups }) };
    },
    // Nobody is asked whether the console of this very machine may know who they are.
    loadExistingGrant: async ({ oidc }) => {
      const { client, session, provider } = oidc;
      if (client === undefined || session === undefined) return undefined;
      const known = session.grantIdFor(client.clientId);
      if (known !== undefined) return provider.Grant.find(known);
      const grant = new provider.Grant({ clientId: client.clientId, ...accountOf(session) });
      grant.addOIDCScope('openid profile offline_access');
      await grant.save();
      return grant;
    },
  };
}

const accountOf = ({ accountId }: { readonly accountId?: string | undefined }) =>
  accountId === undefined ? {} : { accountId };
