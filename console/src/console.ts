import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import fastifyCookie from '@fastify/cookie';
import fastifyRateLimit from '@fastify/rate-limit';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import type { Logger } from 'pino';
import * as z from 'zod';
import { type Fleet, FleetError } from '../../automation/fleet/index.ts';
import type { Ask } from '../../components/onedata-request.ts';
import { addAssets } from '../../sidecar/src/front/assets.ts';
import { GuardedServer } from '../../sidecar/src/front/guarded-server.ts';
import { isFromOurPage, languageOf } from '../../sidecar/src/front/request-checks.ts';
import { securityHeaders } from '../../sidecar/src/front/security-headers.ts';
import { TEXTS } from '../web/src/texts/index.ts';
import { Announcement } from './announcement.ts';
import { refused, sendFleetError } from './answers.ts';
import { addApi } from './api.ts';
import { AuditLog } from './audit.ts';
import { InstanceBoard } from './board.ts';
import type { ConsoleConfig } from './config.ts';
import { COOKIES } from './cookies.ts';
import { UserLimits } from './limits.ts';
import { OpenIdSignIn } from './openid.ts';
import { Operations, TooManyError } from './operations.ts';
import { addPages, HTML, loadPages } from './pages.ts';
import { Rules } from './rules/rules.ts';
import { SessionStore } from './sessions.ts';
import { addSignIn } from './sign-in-routes.ts';
import { type CompareInstance, Drifts } from './site/drifts.ts';
import { Upgrades } from './site/upgrades.ts';
import { Usage } from './usage/usage.ts';
import { ProxyVisitors, SessionVisitors, type Visitors } from './visitors.ts';

/** The console: pages and their answers on a fleet. Nothing listens before `listen`. */

export interface ConsoleOptions {
  readonly config: ConsoleConfig;
  readonly fleet: Fleet;
  /** Folder of built pages. */
  readonly webDirectory: string;
  /** Folder of the audit log. */
  readonly stateDirectory: string;
  /** Folder of what rules and upgrades remember, which all consoles on these stacks share. @default in `stateDirectory` */
  readonly rulesDirectory?: string;
  readonly logger: Logger;
  /** Whether the cluster is as an instance's state and settings say. */
  readonly compare?: CompareInstance;
  /** How Onedata is asked; for tests. */
  readonly ask?: Ask;
  /** Clock of the sessions, in ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** Clock of what is counted, in ms. @default performance.now */
  readonly monotonic?: () => number;
}

export interface Console {
  readonly app: FastifyInstance;
  readonly board: InstanceBoard;
  readonly operations: Operations;
  readonly rules: Rules;
  listen(address: { readonly host: string; readonly port: number }): Promise<void>;
  close(): Promise<void>;
}

const cannotCompare: CompareInstance = async () => {
  throw new Error('this console has no engine to compare with');
};

/** Forms and small JSON; two tokens of 16 KiB fit. */
const BODY_LIMIT_BYTES = 64 * 1024;
const LIMITS = { maxKnown: 1024, maxStrangers: 450, readsPerSecond: 500, changesPerSecond: 50 } as const;

export async function createConsole(options: ConsoleOptions): Promise<Console> {
  const { config, fleet, logger } = options;
  const headers = securityHeaders(config.publicOrigin);
  const pages = loadPages(options.webDirectory);
  const visitors = visitorsOf(options);
  const audit = new AuditLog(options.stateDirectory);
  const board = new InstanceBoard({ fleet, onProblem: (error) => logger.warn(error.message) });
  const operations = new Operations(({ operation, user }, error) => {
    const what = error instanceof FleetError ? error.code : error === undefined ? undefined : 'failed';
    const { stack: instance, kind: action } = operation;
    logger.info({ user: user.id, instance, action, what }, 'operation ended');
    try {
      const outcome = error === undefined ? 'done' : 'failed';
      audit.write({ user: user.id, action, instance, outcome, ...(what ? { detail: what } : {}) });
    } catch (failure) {
      logger.error(`The audit log cannot be written: ${(failure as Error).message}`);
    }
    void board.refresh();
    void board.look(instance).catch(() => undefined);
  });

  const sharedFolder = options.rulesDirectory ?? join(options.stateDirectory, 'rules');
  const rules = new Rules({ ...options, ...{ board, operations, audit, folder: sharedFolder } });

  const usage = new Usage({
    ...{ ...options, board, folder: sharedFolder },
    onProblem: (message) => logger.error(message),
  });

  const guard: { current?: GuardedServer } = {};
  const busy = (given: IncomingHttpHeaders) => TEXTS[languageOf(given)].refusals['too-many'];
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 100 },
    serverFactory: (listener) => {
      const isKnown = (request: IncomingMessage) =>
        visitors.isKnown(request, app.parseCookie(request.headers.cookie ?? '')[COOKIES.session]);
      guard.current = new GuardedServer({ ...LIMITS, isKnown, headers, busy }, listener);
      return guard.current.server;
    },
    clientErrorHandler: (error, socket) => guard.current?.clientError(error, socket),
    frameworkErrors: (_error, _request, reply) => {
      void (reply as unknown as FastifyReply).headers(headers).code(400).send(refused('not-understood'));
    },
  }) as unknown as FastifyInstance;

  await app.register(fastifyCookie);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!request.is404 && (isRead || isFromOurPage(request.headers, config.publicOrigin))) return undefined;
    // What can be refused is refused before its body is read.
    if (!isRead) reply.header('connection', 'close');
    if (!request.is404) return reply.code(403).send(refused('not-from-here'));
    if (!isRead || request.url.startsWith('/api/')) return reply.code(404).send(refused('not-found'));
    const page = pages.message(
      languageOf(request.headers),
      (texts) => texts.notHere,
      (texts) => texts.notHereText,
    );
    return reply.code(404).type(HTML).send(page);
  });
  await app.register(fastifyRateLimit, { global: false });
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    if (error instanceof FleetError) return sendFleetError(reply, error);
    if (error instanceof z.ZodError) return reply.code(400).send(refused('not-understood'));
    if (error instanceof TooManyError) return reply.code(429).send(refused('too-many'));
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    if (status === 429) return reply.code(429).send(refused('too-many'));
    if (status === 413) return reply.code(413).send(refused('too-large'));
    if (status >= 500) return reply.code(500).send(refused('failed'));
    return reply.code(status).send(refused('not-understood'));
  });
  addAssets(app, join(options.webDirectory, 'assets'));
  const visitorOf = (request: {
    readonly raw: IncomingMessage;
    readonly cookies: Record<string, string | undefined>;
  }) => visitors.of(request.raw, request.cookies[COOKIES.session]);
  const parts = {
    config,
    // The engine locks the stack for it, and an operation that meets that lock fails.
    drifts: new Drifts(
      (name) => fleet.undisturbed(name, () => (options.compare ?? cannotCompare)(name)),
      () => board.tell(),
    ),
    upgrades: new Upgrades({
      ...{ fleet, operations, folder: sharedFolder },
      onNews: () => board.tell(),
      onProblem: (error) => logger.error(error.message),
    }),
    announcement: new Announcement(config.announcementFile),
    fleet,
    board,
    operations,
    audit,
    rules,
    usage,
    limits: new UserLimits(config.limits, () => board.all()),
    visitorOf,
    now: options.now ?? Date.now,
    ...(options.ask ? { ask: options.ask } : {}),
  };
  addPages(app, { pages, visitorOf, isProxy: config.signIn.kind === 'proxy' });
  if (visitors instanceof SessionVisitors) addSignIn(app, { visitors, audit, pages, visitorOf });
  await addApi(app, parts);

  return {
    app,
    board,
    operations,
    rules,
    async listen(address) {
      await board.start();
      await app.listen(address);
      rules.start();
      usage.start();
    },
    async close() {
      board.close();
      usage.close();
      await rules.close();
      await app.close();
      if (visitors instanceof SessionVisitors) await visitors.signIn.close();
    },
  };
}

function visitorsOf({ config, logger, now }: ConsoleOptions): Visitors {
  if (config.signIn.kind === 'proxy') return new ProxyVisitors(config);
  const signIn = new OpenIdSignIn(config.signIn, config, now);
  return new SessionVisitors(new SessionStore(now), signIn, logger, now);
}
