import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import fastifyCookie from '@fastify/cookie';
import fastifyRateLimit from '@fastify/rate-limit';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../../contract/config.ts';
import { DESKTOP_PATHS } from '../../contract/paths.ts';
import { LANGUAGES } from '../../web/src/language.ts';
import { addAssets } from '../front/assets.ts';
import { GuardedServer } from '../front/guarded-server.ts';
import { clientKey, isFromOurPage, isWebSocketFromOurPage, languageOf } from '../front/request-checks.ts';
import { type SecurityHeaders, securityHeaders } from '../front/security-headers.ts';
import { doorsOf } from './doors.ts';
import { addFileRoutes } from './file-routes.ts';
import { addJobRoutes } from './job-routes.ts';
import { LiveView } from './live-view.ts';
import { createLoginCheck } from './login.ts';
import { createMetrics } from './metrics.ts';
import { addOpeningRoutes } from './opening-routes.ts';
import { loadPages, type Pages, type Say } from './pages.ts';
import { createProbes } from './probes.ts';
import { ProjectFiles } from './project-files.ts';
import { addRoutes, shortId } from './routes.ts';
import { CookieSessions, DEVICE_COOKIE, SESSION_COOKIE } from './sessions.ts';
import type { SecretStore } from './settings.ts';
import { addShareRoutes, WATCH_DESKTOP_PATH } from './share-routes.ts';
import { SHARE_COOKIE, Shares } from './shares.ts';
import { addSignInRoutes } from './sign-in-routes.ts';
import { Uploads } from './uploads.ts';
import { UsedCodes } from './used-codes.ts';
import { VncRelay } from './vnc-relay.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly secrets: SecretStore;
  /** Folder that `buildWeb` made. */
  readonly webDirectory: string;
  readonly syncSocket: string;
  readonly vncSocket: string;
  /** Of the broker of the jobs; asked only where the configuration says that there are jobs. */
  readonly jobsSocket: string;
  readonly readyFile: string;
  /** The project, for reading. */
  readonly projectDirectory: string;
  /** On the same volume: what browsers send, until it is complete. */
  readonly uploadsDirectory: string;
  /** Folder in which logouts and links outlive the process. */
  readonly stateDirectory: string;
  readonly logger: Logger;
  /** Clock of the sessions, in ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** @default PING_EVERY_MS */
  readonly pingEveryMs?: number;
  /** @default REPORT_EVERY_MS */
  readonly reportEveryMs?: number;
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
/** Methods that only a page of this instance may use. */
const CHANGES = new Set(['POST', 'PUT', 'DELETE']);
const HTML = 'text/html; charset=utf-8';
const busy = (headers: IncomingHttpHeaders) => LANGUAGES[languageOf(headers)].tooManyStrangers;

/** Sockets and requests that fit into the container's memory and leave its processor to the desktop. */
const PUBLIC_LIMITS = {
  maxKnown: 256,
  maxStrangers: 450,
  readsPerSecond: 1000,
  changesPerSecond: 200,
} as const;

/** Builds the gateway of one instance; nothing listens before `listen`. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, secrets, logger, webDirectory, now } = options;
  const doors = doorsOf(options);
  const pages = loadPages(webDirectory, config.instance, doors);
  const onProblem = (error: Error) => logger.error(error.message);
  const clock = now === undefined ? {} : { now };
  const sessions = new CookieSessions({
    secrets,
    file: join(options.stateDirectory, 'revoked-sessions.json'),
    onProblem,
    isOpenDoor: (door) => doors.open.has(door),
    ...clock,
  });
  const shares = new Shares({
    file: join(options.stateDirectory, 'shared-links.json'),
    digestOf: (secret) => sessions.digestOf(secret),
    onProblem,
    ...clock,
  });
  const live = new LiveView({
    ...options,
    instance: config.instance,
    jobsSocket: config.hasJobs === true ? options.jobsSocket : null,
  });
  const metrics = createMetrics(live);
  const headers = securityHeaders(config.publicOrigin);
  const guard: { current?: GuardedServer } = {};
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    serverFactory: (listener) => {
      const isKnown = (request: IncomingMessage) => {
        const cookies = app.parseCookie(request.headers.cookie ?? '');
        return (
          sessions.check(cookies[SESSION_COOKIE]) !== undefined ||
          sessions.knownDevice(cookies[DEVICE_COOKIE]) !== undefined ||
          shares.check(cookies[SHARE_COOKIE]) !== undefined
        );
      };
      guard.current = new GuardedServer({ ...PUBLIC_LIMITS, isKnown, headers, busy }, listener);
      return guard.current.server;
    },
    clientErrorHandler: (error, socket) => guard.current?.clientError(error, socket),
    frameworkErrors: (_error, request, reply) => {
      reply.headers(headers);
      answerError(request, reply, pages, 400);
    },
  }) as unknown as FastifyInstance;
  const guarded = guard.current as GuardedServer;

  await app.register(fastifyCookie);
  addRequestChecks(app, headers, config.publicOrigin, pages);
  await app.register(fastifyRateLimit, { global: false });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  addErrorAnswers(app, pages);
  addAssets(app, join(webDirectory, 'assets'));
  const checkLogin = doors.password ? createLoginCheck(app, secrets, sessions) : undefined;
  addRoutes(app, { pages, sessions, live, metrics, checkLogin, guard: guarded });
  if (doors.signIn !== undefined) {
    addSignInRoutes(app, { pages, sessions, metrics, guard: guarded, ...doors.signIn });
  }
  const usedCodes = new UsedCodes({
    file: join(options.stateDirectory, 'used-codes.json'),
    onProblem,
    now: now ?? Date.now,
  });
  const { publicOrigin } = config;
  addOpeningRoutes(app, {
    pages,
    sessions,
    secrets,
    metrics,
    usedCodes,
    publicOrigin,
    now: now ?? Date.now,
  });

  const uploads = new Uploads(options.uploadsDirectory, (placement) => live.placeUpload(placement));
  const files = new ProjectFiles(options.projectDirectory, DESKTOP_PATHS.project);
  const sessionOf = (request: FastifyRequest) => sessions.check(request.cookies[SESSION_COOKIE]);
  addShareRoutes(app, { pages, shares, sessionOf });
  addFileRoutes(app, { files, uploads, live, sessions, sessionOf });
  if (live.jobs !== null) addJobRoutes(app, { jobs: live.jobs, files, sessionOf });

  const relay = createRelay(app, guarded, options, { sessions, shares, live });
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

interface RelayParts {
  readonly sessions: CookieSessions;
  readonly shares: Shares;
  readonly live: LiveView;
}

function createRelay(
  app: FastifyInstance,
  guard: GuardedServer,
  { config, vncSocket, logger, pingEveryMs }: GatewayOptions,
  { sessions, shares, live }: RelayParts,
): VncRelay {
  const cookiesOf = (request: IncomingMessage) => app.parseCookie(request.headers.cookie ?? '');
  const sessionOf = (request: IncomingMessage) => sessions.check(cookiesOf(request)[SESSION_COOKIE]);
  const shareOf = (request: IncomingMessage) => shares.check(cookiesOf(request)[SHARE_COOKIE]);
  const log = (request: IncomingMessage, isViewOnly: boolean, message: string, seconds?: number) => {
    const session = isViewOnly ? undefined : sessionOf(request);
    const link = isViewOnly ? shareOf(request)?.id : undefined;
    logger.info({ session: session && shortId(session), link, seconds }, message);
  };
  const uncount = new WeakMap<IncomingMessage, () => void>();
  const relay = new VncRelay({
    vncSocket,
    ...(pingEveryMs === undefined ? {} : { pingEveryMs }),
    admit: (request) => {
      const isViewOnly = request.url === WATCH_DESKTOP_PATH;
      if (!isViewOnly && request.url !== DESKTOP_PATH) {
        return { status: 404, message: `WebSockets are served at ${DESKTOP_PATH} only.` };
      }
      if (!isWebSocketFromOurPage(request.headers, config.publicOrigin)) {
        return { status: 403, message: `The desktop opens from ${config.publicOrigin} only.` };
      }
      if (isViewOnly && !shareOf(request)) {
        return { status: 401, message: 'This link has ended.' };
      }
      if (!isViewOnly && !sessionOf(request)) return { status: 401, message: 'Log in first.' };
      return { isViewOnly };
    },
    refuse: (socket, status, message) => guard.refuse(socket, status, message),
    onOpen: (request, isViewOnly) => {
      guard.keepUpgraded(request);
      const share = isViewOnly ? shareOf(request) : undefined;
      if (share) uncount.set(request, shares.countWindow(share));
      live.relayOpened(isViewOnly);
      log(request, isViewOnly, 'desktop opened');
    },
    onClose: (request, isViewOnly, seconds) => {
      uncount.get(request)?.();
      live.relayClosed(isViewOnly);
      log(request, isViewOnly, 'desktop closed', seconds);
    },
  });
  guard.onUpgrade((request, head) => relay.upgrade(request, request.socket, head));
  return relay;
}

/** What can be refused is refused before a body is read: nobody keeps us reading for a page that does not exist. */
function addRequestChecks(
  app: FastifyInstance,
  headers: SecurityHeaders,
  publicOrigin: string,
  pages: Pages,
): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const isForged = CHANGES.has(request.method) && !isFromOurPage(request.headers, publicOrigin);
    if (isForged || request.is404) {
      if (!isRead) reply.header('connection', 'close');
      if (!isForged) return answerNotFound(request, reply, pages);
      request.log.warn(
        { client: clientKey(request.headers, request.ip) },
        'refused a request of another site',
      );
      const page = pages.message(
        languageOf(request.headers),
        (texts) => texts.refused,
        (texts) => texts.refusedText(publicOrigin),
      );
      return reply.code(403).type(HTML).send(page);
    }
    // A body that no route reads would still be waited for.
    if (isRead && hasBody(request)) reply.header('connection', 'close');
    return undefined;
  });
}

const hasBody = ({ headers }: FastifyRequest) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

function addErrorAnswers(app: FastifyInstance, pages: Pages): void {
  app.setNotFoundHandler(async (request, reply) => answerNotFound(request, reply, pages));
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    if (status === 413 && request.url === '/login') {
      const notice: Say = (texts) => texts.passwordTooLong(BODY_LIMIT_BYTES / 1024);
      const page = pages.login(languageOf(request.headers), { notice, isError: true });
      return reply.code(status).type(HTML).send(page);
    }
    return answerError(request, reply, pages, status);
  });
}

function answerNotFound(request: FastifyRequest, reply: FastifyReply, pages: Pages): FastifyReply {
  const page = pages.message(
    languageOf(request.headers),
    (texts) => texts.notHere,
    (texts) => texts.notHereText,
  );
  return reply.code(404).type(HTML).send(page);
}

function answerError(
  request: FastifyRequest,
  reply: FastifyReply,
  pages: Pages,
  status: number,
): FastifyReply {
  const page = pages.message(
    languageOf(request.headers),
    (texts) => texts.failed,
    (texts) => (status >= 500 ? texts.failedHere : texts.notUnderstood),
  );
  return reply.code(status).type(HTML).send(page);
}
