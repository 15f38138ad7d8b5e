import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import {
  OPENING_PATH,
  OpeningCodeError,
  type OpeningRefusal,
  openingKeyOf,
  readOpeningCode,
} from '../../contract/opening-code.ts';
import { clientKey, languageOf } from '../front/request-checks.ts';
import { PAGE_OUTDATED } from './action-routes.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Pages } from './pages.ts';
import { enter, sendHtml } from './routes.ts';
import { type CookieSessions, DOORS } from './sessions.ts';
import type { SecretStore } from './settings.ts';
import type { UsedCodes } from './used-codes.ts';

const REFUSALS: Readonly<Record<OpeningRefusal | 'used', string>> = {
  invalid:
    'This is no address that a console made for this desktop. Open the desktop from the console again.',
  elsewhere: 'This address is for another desktop. Open the desktop from the console again.',
  ended: 'This address has ended: it works for a minute. Open the desktop from the console again.',
  early:
    'This address was made by a clock that is ahead of the one here. Open the desktop from the console again; if that does not help, tell the people who run it.',
  used: 'This address was used already: each works once. Open the desktop from the console again.',
};

const openSchema = z.strictObject({ code: z.string() });

export interface OpeningParts {
  readonly pages: Pages;
  readonly sessions: CookieSessions;
  readonly secrets: SecretStore;
  readonly metrics: GatewayMetrics;
  readonly usedCodes: UsedCodes;
  readonly publicOrigin: string;
  readonly now: () => number;
}

/** Codes by which a site's console opens the desktop: `sidecar/contract/opening-code.ts`. */
export function addOpeningRoutes(app: FastifyInstance, parts: OpeningParts): void {
  const { pages, sessions, secrets, metrics, usedCodes, publicOrigin, now } = parts;

  app.get(OPENING_PATH, async (request, reply) =>
    sendHtml(reply, 200, pages.login(languageOf(request.headers))),
  );

  app.post(OPENING_PATH, async (request, reply) => {
    const given = openSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    const client = clientKey(request.headers, request.ip);
    const refuse = (reason: OpeningRefusal | 'used', user?: string) => {
      metrics.logins.inc({ result: 'failed' });
      request.log.warn({ client, reason, user }, 'a code of a console opened nothing');
      return reply.code(401).send({ code: `opening-${reason}`, message: REFUSALS[reason] });
    };
    try {
      const key = openingKeyOf(secrets.current().sessionKey);
      const opening = await readOpeningCode(given.data.code, { key, origin: publicOrigin, now: now() });
      if (!(await usedCodes.take(opening))) return refuse('used', opening.user);
      metrics.logins.inc({ result: 'accepted' });
      request.log.info({ client, outcome: 'accepted', door: DOORS.console, user: opening.user }, 'login');
      return enter(reply, sessions, DOORS.console).send({});
    } catch (error) {
      if (error instanceof OpeningCodeError) return refuse(error.reason);
      throw error;
    }
  });
}
