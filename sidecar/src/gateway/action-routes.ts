import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { confirmationSchema } from '../../contract/status.ts';
import type { LiveView } from './live-view.ts';
import { Restores } from './restores.ts';
import type { Session } from './sessions.ts';
import type { AskResult } from './sync-client.ts';

/** Answered to a script; `code` stands for the sentence in the language of the page. */
export const LOGGED_OUT = { code: 'logged-out', message: 'Log in again.' } as const;
export const PAGE_OUTDATED = {
  code: 'page-outdated',
  message: 'Load the page again: it asked for something else.',
} as const;

const RESTORE_RUNS = {
  code: 'restore-runs',
  message: 'Another copy is being made. Wait until it is done.',
} as const;
const restoreSchema = z.strictObject({ path: z.string().max(4096), of: z.string().min(1).max(100) });

/** 200: done; 202: begun, its outcome comes with the status; 502: `{ code, message }` says why not. */
export function sendResult(reply: FastifyReply, result: AskResult): FastifyReply {
  if (result.accepted) return reply.code(result.isDone ? 200 : 202).send({});
  return reply.code(502).send({ code: result.code, message: result.message });
}

/** What the page asks of `sync` besides a save. */
export function addActionRoutes(
  app: FastifyInstance,
  live: LiveView,
  sessionOf: (request: FastifyRequest) => Session | undefined,
): void {
  const ask = async (
    request: FastifyRequest,
    reply: FastifyReply,
    path: string,
    content?: Readonly<Record<string, unknown>>,
  ) => {
    const result = await live.sync.ask(path, content);
    request.log.info({ path, ...content, accepted: result.accepted }, 'asked the data service');
    return sendResult(reply, result);
  };

  app.post('/refresh-source', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    return ask(request, reply, '/v1/refresh-source?wait=false');
  });

  const restores = new Restores(live.sync);
  app.get('/saves', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    const result = await live.sync.get('/v1/saves');
    if (!result.accepted) return sendResult(reply, result);
    return reply.type('application/json').send(result.content);
  });
  app.get('/restores', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    return { last: restores.last };
  });
  app.post('/restores', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    const given = restoreSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    const { path, of } = given.data;
    request.log.info({ path, of }, 'an older save is brought back');
    if (!restores.begin(path, of)) return reply.code(409).send(RESTORE_RUNS);
    return reply.code(202).send({});
  });

  app.post('/confirm', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    const given = confirmationSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    return ask(request, reply, '/v1/confirm', given.data);
  });
}
