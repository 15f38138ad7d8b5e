import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import type { LiveView } from './live-view.ts';
import type { Session } from './sessions.ts';

/** What `sync` waits for a person to confirm, with the number that the page showed. */
const confirmSchema = z.strictObject({ what: z.enum(['deletions', 'missing']), count: z.int().min(1) });

/** What the page asks of `sync` besides a save. Each answers 202, or 502 with a sentence. */
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
    return result.accepted ? reply.code(202).send({}) : reply.code(502).send({ message: result.message });
  };

  app.post('/refresh-source', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send({ message: 'Log in again.' });
    return ask(request, reply, '/v1/refresh-source?wait=false');
  });

  app.post('/confirm', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send({ message: 'Log in again.' });
    const given = confirmSchema.safeParse(request.body);
    if (!given.success)
      return reply.code(400).send({ message: 'Load the page again: it asked for something else.' });
    return ask(request, reply, '/v1/confirm', given.data);
  });
}
