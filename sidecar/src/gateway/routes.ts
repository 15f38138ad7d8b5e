import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addActionRoutes } from './action-routes.ts';
import { streamView } from './event-stream.ts';
import type { GuardedServer } from './guarded-server.ts';
import type { LiveView } from './live-view.ts';
import type { CheckLogin } from './login.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Pages } from './pages.ts';
import { clientKey } from './request-checks.ts';
import {
  DEVICE_COOKIE,
  DEVICE_MAX_MS,
  SESSION_COOKIE,
  type Session,
  type Sessions,
  TURN_COOKIE,
  TURN_MAX_MS,
} from './sessions.ts';

export interface RouteParts {
  readonly pages: Pages;
  readonly sessions: Sessions;
  readonly live: LiveView;
  readonly metrics: GatewayMetrics;
  readonly checkLogin: CheckLogin;
  readonly guard: GuardedServer;
}

const COOKIE = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const;
const PLAIN = { isError: false, notice: '', waitSeconds: 0 };

/** The first characters of a session's id: enough to tell sessions apart in the log, too few to be of use. */
export function shortId(session: Session): string {
  return session.id.slice(0, 8);
}

function sendHtml(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply.code(status).type('text/html; charset=utf-8').send(html);
}

export function addRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { pages, sessions, live } = parts;
  const sessionOf = (request: FastifyRequest) => sessions.check(request.cookies[SESSION_COOKIE]);

  addLoginRoutes(app, parts, sessionOf);

  app.get('/', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.redirect('/login', 303);
    reply.setCookie(SESSION_COOKIE, sessions.touch(session), COOKIE);
    return sendHtml(reply, 200, pages.app());
  });

  app.get('/session', async (request) => ({ loggedIn: sessionOf(request) !== undefined }));

  app.get('/view', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send({ message: 'Log in again.' });
    return live.current();
  });

  app.get('/events', (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send({ message: 'Log in again.' });
    streamView(reply, {
      current: () => live.current(),
      listen: (listener) => live.listen(listener),
      isStillAllowed: () => sessionOf(request) !== undefined,
    });
  });

  app.post('/session/touch', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send({ message: 'Log in again.' });
    return reply.setCookie(SESSION_COOKIE, sessions.touch(session), COOKIE).code(204).send();
  });

  addActionRoutes(app, live, sessionOf);

  app.post('/save', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send({ message: 'Log in again.' });
    const result = await live.sync.saveNow();
    request.log.info({ session: shortId(session), accepted: result.accepted }, 'save asked for');
    return result.accepted ? reply.code(202).send({}) : reply.code(502).send({ message: result.message });
  });
}

function addLoginRoutes(
  app: FastifyInstance,
  { pages, sessions, metrics, checkLogin, guard }: RouteParts,
  sessionOf: (request: FastifyRequest) => Session | undefined,
): void {
  app.get('/login', async (request, reply) =>
    sessionOf(request) ? reply.redirect('/', 303) : sendHtml(reply, 200, pages.login(PLAIN)),
  );

  app.post('/login', async (request, reply) => {
    const body = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
    const client = clientKey(request.headers, request.ip);
    const release = guard.hold(request.raw);
    const result = await checkLogin(request, body.get('password') ?? '').finally(release);
    metrics.logins.inc({ result: result.outcome });
    request.log.info({ client, outcome: result.outcome }, 'login');
    switch (result.outcome) {
      case 'accepted':
        return reply
          .setCookie(SESSION_COOKIE, sessions.open(), COOKIE)
          .setCookie(DEVICE_COOKIE, sessions.markDevice(), { ...COOKIE, maxAge: DEVICE_MAX_MS / 1000 })
          .redirect('/', 303);
      case 'wrong': {
        const left = result.attemptsLeft === 1 ? 'one more try' : `${result.attemptsLeft} more tries`;
        const notice = `That is not the password. You have ${left} before a short wait.`;
        return sendHtml(reply, 401, pages.login({ notice, isError: true, waitSeconds: 0 }));
      }
      case 'wait': {
        reply
          .header('retry-after', String(result.seconds))
          .setCookie(TURN_COOKIE, result.turn, { ...COOKIE, maxAge: TURN_MAX_MS / 1000 });
        const notice =
          'Many wrong passwords were sent to this page, so each try has to wait a few seconds. The right password opens the desktop after that.';
        return sendHtml(reply, 429, pages.login({ notice, isError: true, waitSeconds: result.seconds }));
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
    const notice = 'You are logged out. The desktop goes on running, and your work is saved as usual.';
    return sendHtml(reply, 200, pages.login({ notice, isError: false, waitSeconds: 0 }));
  });
}
