import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SIGN_IN_CALLBACK_PATH } from '../../contract/paths.ts';
import type { GuardedServer } from '../front/guarded-server.ts';
import { clientKey, languageOf } from '../front/request-checks.ts';
import { TurnQueue } from '../front/turn-queue.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Pages, Say } from './pages.ts';
import { COOKIE, enter, sendHtml } from './routes.ts';
import { type CookieSessions, DEVICE_COOKIE, SIGN_IN_COOKIE, SIGN_IN_MAX_MS } from './sessions.ts';
import { type SignIn, SignInError } from './sign-in.ts';

/**
 * Answers that are traded at the sign-in server, a second; apart for browsers that were here before. Each costs the server
 * some requests of ours, which strangers are not to use up.
 */
const TRADES = { perSecond: 20, maxWaiting: 60 } as const;

/** The answer comes with a page of another site, to which browsers give no strict cookie. */
const LAX = { ...COOKIE, sameSite: 'lax' } as const;

export interface SignInParts {
  readonly pages: Pages;
  readonly sessions: CookieSessions;
  readonly metrics: GatewayMetrics;
  readonly guard: GuardedServer;
  readonly signIn: SignIn;
  /** Door of the sessions that it opens. */
  readonly door: string;
}

/**
 * Sign-in at an OpenID provider. Nothing of what it sends back decides where the browser goes next, and no page of ours
 * leads to it by itself, so that nothing goes round in circles.
 */
export function addSignInRoutes(app: FastifyInstance, parts: SignInParts): void {
  const { pages, sessions, metrics, guard, signIn, door } = parts;
  const [known, strangers] = [new TurnQueue(TRADES), new TurnQueue(TRADES)];
  app.addHook('onClose', async () => {
    known.close();
    strangers.close();
    await signIn.close();
  });
  const takeTurn = (request: FastifyRequest) => {
    const isKnown = sessions.knownDevice(request.cookies[DEVICE_COOKIE]) !== undefined;
    return new Promise<boolean>((resolve) => {
      (isKnown ? known : strangers).take({
        isWanted: () => !request.raw.socket.destroyed,
        run: () => resolve(true),
        drop: () => resolve(false),
      });
    });
  };
  const refuse = (request: FastifyRequest, reply: FastifyReply, status: number, notice: Say) =>
    sendHtml(reply, status, pages.login(languageOf(request.headers), { notice, isError: true }));
  const fail = (request: FastifyRequest, reply: FastifyReply, error: unknown) => {
    if (!(error instanceof SignInError)) throw error;
    const { reason, detail, message } = error;
    metrics.logins.inc({ result: 'failed' });
    const client = clientKey(request.headers, request.ip);
    request.log.warn({ client, reason, user: isOfUser(reason) ? detail : undefined }, `sign-in: ${message}`);
    const status = isOfUser(reason) || reason === 'denied' ? 403 : reason === 'foreign' ? 400 : 502;
    return refuse(request, reply, status, (texts) => texts.signInFailed(reason, signIn.host, detail));
  };

  app.get('/login/openid', async (request, reply) => {
    const release = guard.hold(request.raw);
    try {
      const { cookie, secrets } = sessions.beginSignIn();
      const address = await signIn.begin(secrets);
      reply.setCookie(SIGN_IN_COOKIE, cookie, { ...LAX, maxAge: SIGN_IN_MAX_MS / 1000 });
      return reply.redirect(address.href, 303);
    } catch (error) {
      return fail(request, reply, error);
    } finally {
      release();
    }
  });

  app.get(SIGN_IN_CALLBACK_PATH, async (request, reply) => {
    const release = guard.hold(request.raw);
    try {
      if (!(await takeTurn(request))) {
        return refuse(request, reply, 503, (texts) => texts.signInBusy);
      }
      reply.clearCookie(SIGN_IN_COOKIE, LAX);
      const secrets = sessions.takeSignIn(request.cookies[SIGN_IN_COOKIE]);
      if (secrets === undefined)
        throw new SignInError('foreign', 'No sign-in of this browser waits for an answer.');
      const user = await signIn.finish(new URL(request.url, 'http://gateway').searchParams, secrets);
      metrics.logins.inc({ result: 'accepted' });
      const client = clientKey(request.headers, request.ip);
      request.log.info({ client, outcome: 'accepted', door: 'sign-in', user }, 'login');
      enter(reply, sessions, door);
      // By a step of this page: of a redirect the browser would not send the strict cookie, as another site began it.
      reply.header('refresh', '0; url=/');
      const { signedIn, signedInText } = SIGNED_IN;
      return sendHtml(reply, 200, pages.message(languageOf(request.headers), signedIn, signedInText));
    } catch (error) {
      return fail(request, reply, error);
    } finally {
      release();
    }
  });

  app.get('/logout/openid', async (request, reply) => {
    try {
      const address = await signIn.endAddress();
      return reply.redirect(address?.href ?? '/login', 303);
    } catch (error) {
      return fail(request, reply, error);
    }
  });
}

const SIGNED_IN: Readonly<Record<'signedIn' | 'signedInText', Say>> = {
  signedIn: (texts) => texts.signedIn,
  signedInText: (texts) => texts.signedInText,
};

const isOfUser = (reason: SignInError['reason']) => reason === 'not-allowed' || reason === 'email-unverified';
