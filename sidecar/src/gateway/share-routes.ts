import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { languageOf } from '../front/request-checks.ts';
import { LOGGED_OUT, PAGE_OUTDATED } from './action-routes.ts';
import type { Pages } from './pages.ts';
import { COOKIE, sendHtml, shortId } from './routes.ts';
import type { WatchView } from './session-view.ts';
import type { Session } from './sessions.ts';
import { SHARE_COOKIE, type Share, type Shares } from './shares.ts';

/** Where a page that only looks opens its WebSocket. */
export const WATCH_DESKTOP_PATH = '/watch/desktop';
const HOUR_MS = 3_600_000;
const MAX_HOURS = 7 * 24;

const LINK_ENDED = { code: 'link-ended', message: 'This link has ended.' } as const;
const MANY_LINKS = { code: 'many-links', message: 'There are too many links. End some of them.' } as const;

/** Null: until somebody ends it. */
const newShareSchema = z.strictObject({ hours: z.int().min(1).max(MAX_HOURS).nullable() });
const endSchema = z.strictObject({ id: z.uuid() });
const openSchema = z.strictObject({ secret: z.string().max(100) });

export interface ShareParts {
  readonly pages: Pages;
  readonly shares: Shares;
  readonly sessionOf: (request: FastifyRequest) => Session | undefined;
}

/**
 * Links that show the desktop: session holders make and end them, and whoever has one looks. Its secret stands behind the
 * `#` of the address, which browsers keep to themselves, so that it is in no log of a proxy.
 */
export function addShareRoutes(app: FastifyInstance, { pages, shares, sessionOf }: ShareParts): void {
  app.get('/shares', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    return { shares: shares.list() };
  });
  app.post('/shares', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    const given = newShareSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    const { hours } = given.data;
    const secret = shares.open(hours === null ? null : hours * HOUR_MS);
    if (secret === undefined) return reply.code(409).send(MANY_LINKS);
    request.log.info({ session: shortId(session), hours }, 'a link that shows the desktop was made');
    return reply.send({ path: `/watch#${secret}` });
  });
  app.post('/shares/end', async (request, reply) => {
    const session = sessionOf(request);
    if (!session) return reply.code(401).send(LOGGED_OUT);
    const given = endSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    shares.end(given.data.id);
    request.log.info({ session: shortId(session), link: given.data.id }, 'a link was ended');
    return reply.send({});
  });

  const viewOf = (share: Share): WatchView => ({ secondsLeft: shares.secondsLeft(share) });
  app.get('/watch', async (request, reply) => sendHtml(reply, 200, pages.watch(languageOf(request.headers))));
  app.post('/watch/open', async (request, reply) => {
    const given = openSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    const { secret } = given.data;
    const share = shares.check(secret);
    if (!share) return reply.clearCookie(SHARE_COOKIE, COOKIE).code(404).send(LINK_ENDED);
    return reply.setCookie(SHARE_COOKIE, secret, COOKIE).send(viewOf(share));
  });
  app.get('/watch/state', async (request, reply) => {
    const share = shares.check(request.cookies[SHARE_COOKIE]);
    return share ? viewOf(share) : reply.code(404).send(LINK_ENDED);
  });
}
