import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import fastifyCookie from '@fastify/cookie';
import fastifyRateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import Fastify, { type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../../contract/config.ts';
import { LiveView } from './live-view.ts';
import { createLoginCheck } from './login.ts';
import { createMetrics } from './metrics.ts';
import { loadPages, type Pages } from './pages.ts';
import { createProbes } from './probes.ts';
import { isWebSocketFromOurPage } from './request-checks.ts';
import { addRoutes, shortId } from './routes.ts';
import { addSecurityHeaders } from './security-headers.ts';
import { SESSION_COOKIE, Sessions } from './sessions.ts';
import type { SecretStore } from './settings.ts';
import { VncRelay } from './vnc-relay.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly secrets: SecretStore;
  /** Folder that `buildWeb` made. */
  readonly webDirectory: string;
  readonly syncSocket: string;
  readonly vncSocket: string;
  readonly readyFile: string;
  readonly logger: Logger;
  /** Clock of the sessions, in ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** @default PING_EVERY_MS */
  readonly pingEveryMs?: number;
}

export interface Gateway {
  readonly app: FastifyInstance;
  readonly probes: FastifyInstance;
  /** Serves on both ports. Port 0 takes a free one. */
  listen(address: { host: string; port: number; probesPort: number }): Promise<void>;
  /** Tells the open pages, then ends everything within a second or two. */
  close(): Promise<void>;
}

/** The password form and small JSON; above it a sentence is answered. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** Where the page opens its WebSocket. */
export const DESKTOP_PATH = '/desktop';
const GOODBYE_MS = 300;

/** Builds the gateway of one instance; nothing listens before `listen`. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, secrets, logger, webDirectory } = options;
  const pages = loadPages(webDirectory, config.instance);
  const sessions = new Sessions(secrets, options.now);
  const live = new LiveView({ instance: config.instance, ...options });
  const metrics = createMetrics(live);
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;

  addSecurityHeaders(app, config.publicOrigin);
  await app.register(fastifyCookie);
  await app.register(fastifyRateLimit, { global: false });
  await app.register(fastifyStatic, {
    root: join(webDirectory, 'assets'),
    prefix: '/assets/',
    index: false,
    cacheControl: false,
    setHeaders: (reply) => reply.header('cache-control', 'no-cache'),
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  addErrorAnswers(app, pages);
  const checkLogin = createLoginCheck(app, secrets, sessions);
  addRoutes(app, { config, pages, sessions, live, metrics, checkLogin });

  const relay = createRelay(app, options, sessions, live);
  let isServing = false;
  const probes = createProbes(metrics, () => isServing);
  return {
    app,
    probes,
    async listen({ host, port, probesPort }) {
      live.start();
      await app.listen({ host, port });
      await probes.listen({ host, port: probesPort });
      isServing = true;
    },
    async close() {
      isServing = false;
      live.announceStop();
      relay.closeAll();
      await new Promise((resolve) => setTimeout(resolve, GOODBYE_MS));
      await Promise.all([app.close(), probes.close(), live.close()]);
    },
  };
}

function createRelay(
  app: FastifyInstance,
  { config, vncSocket, logger, pingEveryMs }: GatewayOptions,
  sessions: Sessions,
  live: LiveView,
): VncRelay {
  const sessionOf = (request: IncomingMessage) =>
    sessions.check(app.parseCookie(request.headers.cookie ?? '')[SESSION_COOKIE]);
  const log = (request: IncomingMessage, message: string, seconds?: number) => {
    const session = sessionOf(request);
    logger.info({ session: session && shortId(session), seconds }, message);
  };
  const relay = new VncRelay({
    vncSocket,
    ...(pingEveryMs === undefined ? {} : { pingEveryMs }),
    admit: (request) => {
      if (request.url !== DESKTOP_PATH) {
        return { status: 404, message: `WebSockets are served at ${DESKTOP_PATH} only.` };
      }
      if (!isWebSocketFromOurPage(request.headers, config.publicOrigin)) {
        return { status: 403, message: `The desktop opens from ${config.publicOrigin} only.` };
      }
      if (!sessionOf(request)) return { status: 401, message: 'Log in first.' };
      return undefined;
    },
    isStillAllowed: (request) => sessionOf(request) !== undefined,
    onOpen: (request) => {
      live.relayOpened();
      log(request, 'desktop opened');
    },
    onClose: (request, seconds) => {
      live.relayClosed();
      log(request, 'desktop closed', seconds);
    },
  });
  app.server.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
  return relay;
}

function addErrorAnswers(app: FastifyInstance, pages: Pages): void {
  app.setNotFoundHandler(async (_request, reply) =>
    reply
      .code(404)
      .type('text/html; charset=utf-8')
      .send(pages.message('Not here', 'There is no such page in this instance.')),
  );
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    reply.code(status).type('text/html; charset=utf-8');
    if (status === 413 && request.url === '/login') {
      const notice = `That is too long for a password: more than ${BODY_LIMIT_BYTES / 1024} KiB were sent.`;
      return reply.send(pages.login({ notice, isError: true, waitSeconds: 0 }));
    }
    const text =
      status >= 500
        ? 'The gateway made a mistake. Load the page again; if it happens again, tell the people who run this instance.'
        : 'The request was not understood. Go back and load the page again.';
    return reply.send(pages.message('That did not work', text));
  });
}
