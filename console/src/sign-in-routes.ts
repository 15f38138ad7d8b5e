import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { clientKey, languageOf } from '../../sidecar/src/front/request-checks.ts';
import { refused } from './answers.ts';
import type { AuditLog } from './audit.ts';
import { COOKIE, COOKIES } from './cookies.ts';
import { CALLBACK_PATH, SignInError } from './openid.ts';
import { HTML, ownPath, type Pages } from './pages.ts';
import { isSameSecret } from './sessions.ts';
import type { SessionVisitors, Visitor } from './visitors.ts';

/** In by OpenID Connect, and out again. */

export interface SignInParts {
  readonly visitors: SessionVisitors;
  readonly audit: AuditLog;
  readonly pages: Pages;
  readonly visitorOf: (request: FastifyRequest) => Promise<Visitor | undefined>;
}

const SIGN_IN_SECONDS = 600;

const STATUS: Readonly<Record<SignInError['code'], number>> = {
  unreachable: 503,
  expired: 400,
  refused: 403,
  'no-user': 403,
  'no-group': 403,
};

export function addSignIn(app: FastifyInstance, parts: SignInParts): void {
  const { visitors, audit, pages, visitorOf } = parts;
  const { sessions, signIn } = visitors;

  const sendError = (request: FastifyRequest, reply: FastifyReply, error: unknown) => {
    if (!(error instanceof SignInError)) throw error;
    request.log.warn({ client: clientKey(request.headers, request.ip), code: error.code }, error.message);
    const page = pages.message(
      languageOf(request.headers),
      (texts) => texts.signInFailed,
      (texts) => texts.signInErrors[error.code],
    );
    return reply.code(STATUS[error.code]).type(HTML).send(page);
  };

  app.get('/sign-in', async (request, reply) => {
    const to = ownPath((request.query as { to?: unknown }).to);
    if ((await visitorOf(request)) !== undefined) return reply.redirect(to, 303);
    try {
      const begun = await signIn.begin(to);
      reply.setCookie(COOKIES.signIn, begun.cookie, { ...COOKIE, maxAge: SIGN_IN_SECONDS });
      return reply.redirect(begun.url.href, 303);
    } catch (error) {
      return sendError(request, reply, error);
    }
  });

  app.get(CALLBACK_PATH, async (request, reply) => {
    const query = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
    reply.clearCookie(COOKIES.signIn, COOKIE);
    const client = clientKey(request.headers, request.ip);
    try {
      const { user, recheck, to } = await signIn.finish(query, request.cookies[COOKIES.signIn]);
      // Whoever was signed in here before is not any more: nobody works on in somebody else's session.
      const before = sessions.find(request.cookies[COOKIES.session]);
      if (before !== undefined) sessions.end(before);
      audit.write({ user: user.id, action: 'sign-in', outcome: 'done', client });
      reply.setCookie(COOKIES.session, sessions.open(user, recheck), COOKIE);
      return reply.redirect(to, 303);
    } catch (error) {
      return sendError(request, reply, error);
    }
  });

  app.post('/sign-out', async (request, reply) => {
    const session = sessions.find(request.cookies[COOKIES.session]);
    if (session !== undefined) {
      if (!isSameSecret(request.headers['x-csrf-token'], session.csrf))
        return reply.code(403).send(refused('not-from-here'));
      sessions.end(session);
      audit.write({
        user: session.user.id,
        action: 'sign-out',
        outcome: 'done',
        client: clientKey(request.headers, request.ip),
      });
      const { recheck } = session;
      if (recheck !== undefined)
        void signIn
          .revoke(recheck.refreshToken)
          .catch((error: Error) => request.log.warn(`sign-out at the provider: ${error.message}`));
    }
    reply.clearCookie(COOKIES.session, COOKIE);
    const end = await signIn.endUrl().catch(() => undefined);
    return reply.send({ to: end?.href ?? '/signed-out' });
  });

  app.get('/signed-out', async (request, reply) => {
    const page = pages.message(
      languageOf(request.headers),
      (texts) => texts.signedOut,
      (texts) => texts.signedOutText,
    );
    return reply.type(HTML).send(page);
  });
}
