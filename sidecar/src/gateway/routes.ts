import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isLanguage, LANGUAGE_COOKIE, LANGUAGE_SECONDS } from '../../web/shared/languages.ts';
import type { GuardedServer } from '../front/guarded-server.ts';
import { clientKey, languageOf } from '../front/request-checks.ts';
import { addActionRoutes, LOGGED_OUT, sendResult } from './action-routes.ts';
import { streamView } from './event-stream.ts';
import type { LiveView } from './live-view.ts';
import type { CheckLogin } from './login.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Pages, Say } from './pages.ts';
import {
  type CookieSessions,
  DEVICE_COOKIE,
  DEVICE_MAX_MS,
  DOORS,
  SESSION_COOKIE,
  type Session,
  TURN_COOKIE,
  TURN_MAX_MS,
} from './sessions.ts';

export interface RouteParts {
  readonly pages: Pages;
  readonly sessions: CookieSessions;
  readonly live: LiveView;
  readonly metrics: GatewayMetrics;
  /** Undefined: no password opens this desktop. */
  readonly checkLogin: CheckLogin | undefined;
  readonly guard: GuardedServer;
}

export const COOKIE = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const;
/** The page writes it, too; of a link from elsewhere it still counts, as it is worth nothing to anybody. */
const CHOICE = { path: '/', secure: true, sameSite: 'lax', maxAge: LANGUAGE_SECONDS } as const;

/** The first characters of a session's id: enough to tell sessions apart in the log, too few to be of use. */
export function shortId(session: Session): string {
  return session.id.slice(0, 8);
}

export function sendHtml(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(html);
}

/** Opens a session in this browser, and marks it as one that was here before. */
export function enter(reply: FastifyReply, sessions: CookieSessions, door: string): FastifyReply {
  return reply
    .setCookie(SESSION_COOKIE, sessions.open(door), COOKIE)
    .setCookie(DEVICE_COOKIE, sessions.markDevice(), { ...COOKIE, maxAge: DEVICE_MAX_MS / 1000 });
}

export function addRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { pages, sessions, live } = parts;
  const sessionOf = (request: FastifyRequest) => sessions.check(request.cookies[SESSION_COOKIE]);

  addLoginRoutes(app, parts, sessionOf);

  app.get('/', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.redirect('/login', 303);
    reply.setCookie(SESSION_COOKIE, sessions.touch(session), COOKIE);
    sessions.hear(session, request.headers['user-agent']);
    return sendHtml(reply, 200, pages.app(languageOf(request.headers)));
  });

  app.get('/session', async (request) => {
    const session = sessionOf(request);
    const end = session ? sessions.endOf(session) : { endsAt: null, isFinal: false };
    return { loggedIn: session !== undefined, ...end };
  });

  app.get('/view', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    return live.current();
  });

  app.get('/events', (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    streamView(reply, {
      current: () => live.current(),
      listen: (listener) => live.listen(listener),
      isStillAllowed: () => sessionOf(request) !== undefined,
    });
  });

  app.post('/session/touch', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    return reply.setCookie(SESSION_COOKIE, sessions.touch(session), COOKIE).code(204).send();
  });

  app.get('/sessions', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    sessions.hear(session, request.headers['user-agent']);
    return { sessions: sessions.list(session) };
  });

  app.post('/sessions/end-others', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    sessions.endOthers(session);
    request.log.info({ session: shortId(session) }, 'all other sessions ended');
    return reply.send({});
  });

  addActionRoutes(app, live, sessionOf);

  app.post('/save', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    const result = await live.sync.saveNow();
    request.log.info({ session: shortId(session), accepted: result.accepted }, 'save asked for');
    return sendResult(reply, result);
  });
}

function addLoginRoutes(
  app: FastifyInstance,
  { pages, sessions, metrics, checkLogin, guard }: RouteParts,
  sessionOf: (request: FastifyRequest) => Session | undefined,
): void {
  app.get<{ Querystring: { language?: unknown } }>('/login', async (request, reply) => {
    const { language } = request.query;
    if (isLanguage(language)) reply.setCookie(LANGUAGE_COOKIE, language, CHOICE);
    if (sessionOf(request)) return reply.redirect('/', 303);
    return sendHtml(reply, 200, pages.login(isLanguage(language) ? language : languageOf(request.headers)));
  });

  app.post('/login', async (request, reply) => {
    const body = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const client = clientKey(request.headers, request.ip);
    const language = languageOf(request.headers);
    if (checkLogin === undefined) {
      const notice: Say = (texts) => texts.passwordOff;
      return sendHtml(reply, 403, pages.login(language, { notice, isError: true }));
    }
    const release = guard.hold(request.raw);
    const result = await checkLogin(request, body.get('password') ?? '').finally(release);
    metrics.logins.inc({ result: result.outcome });
    request.log.info({ client, outcome: result.outcome }, 'login');
    switch (result.outcome) {
      case 'accepted':
        return enter(reply, sessions, DOORS.password).redirect('/', 303);
      case 'wrong': {
        const { attemptsLeft } = result;
        const notice: Say = (texts) => texts.wrongPassword(attemptsLeft);
        return sendHtml(reply, 401, pages.login(language, { notice, isError: true }));
      }
      case 'wait': {
        reply
          .header('retry-after', String(result.seconds))
          .setCookie(TURN_COOKIE, result.turn, { ...COOKIE, maxAge: TURN_MAX_MS / 1000 });
        const notice: Say = (texts) => texts.manyWrongPasswords;
        return sendHtml(
          reply,
          429,
          pages.login(language, { notice, isError: true, waitSeconds: result.seconds }),
        );
      }
    }
  });

  app.get('/logout', async (_request, reply) => reply.redirect('/login', 303));

  app.post('/logout', async (request, reply) => {
    const session = sessionOf(request);
    if (session) {
      sessions.revoke(session);
      request.log.info({ session: shortId(session) }, 'logout');
    }
    reply.clearCookie(SESSION_COOKIE, COOKIE);
    const page = pages.login(languageOf(request.headers), {
      notice: (texts) => texts.loggedOut,
      offersSignOut: session?.door.startsWith(DOORS.signIn) === true,
    });
    return sendHtml(reply, 200, page);
  });
}
