import fastifyRateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import * as z from 'zod';
import { JOB_CANCELLERS, jobIdSchema } from '../../contract/job-view.ts';
import { JOB_LIMITS, type JobClass, jobRequestSchema } from '../../contract/jobs.ts';
import type { Broker } from './broker.ts';
import { HTTP_STATUS, JobError } from './job-error.ts';
import { summaryOf } from './summary.ts';

/**
 * HTTP on the Unix socket. Whoever runs in the desktop may ask, so everything is bounded: bodies, connections, requests in
 * a time. What is too much is refused, and the client asks again.
 */

/** Each may hold a request; together they are a small part of the memory of the container. */
const CONNECTIONS = 64;
const REQUESTS_A_SECOND = 400;
const WAIT_SECONDS = 25;
const SHOWN = 200;

const idParams = z.strictObject({ id: jobIdSchema });
const summaryQuery = z.strictObject({ shown: z.coerce.number().int().min(0).max(SHOWN).default(SHOWN) });
const cancelSchema = z.strictObject({ by: z.enum(['desktop', 'page', 'end']).default('desktop') });
const waitQuery = z.strictObject({
  seconds: z.coerce.number().min(0).max(WAIT_SECONDS).default(WAIT_SECONDS),
});

export async function jobsApi(
  broker: Broker,
  { classes, log }: { classes: readonly JobClass[]; log: Logger },
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: JOB_LIMITS.requestBytes,
    requestTimeout: 20_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 5_000,
  });
  app.server.maxConnections = CONNECTIONS;
  app.server.maxRequestsPerSocket = 1_000;
  app.setErrorHandler((error, _request, reply) => {
    const { status, code, message } = answerTo(error);
    if (status >= 500) log.warn({ code, error: message }, 'a request failed');
    void reply.code(status).send({ code, message });
  });
  await app.register(fastifyRateLimit, {
    max: REQUESTS_A_SECOND,
    timeWindow: 1_000,
    // All come from one pod: there is nobody to tell apart.
    keyGenerator: () => 'desktop',
    cache: 1,
    errorResponseBuilder: () =>
      new JobError('busy', `More than ${REQUESTS_A_SECOND} requests a second are not taken. Ask again.`),
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      code: 'invalid',
      message: `There is nothing at ${request.method} ${request.url.slice(0, 100)}.`,
    }),
  );
  app.get('/v1/classes', () => ({ classes }));
  app.get('/v1/summary', async (request) => {
    const { shown } = summaryQuery.parse(request.query);
    return summaryOf(await broker.jobs(), broker.isClosed, shown);
  });
  app.get('/v1/jobs', async () => ({ isClosed: broker.isClosed, jobs: await broker.jobs() }));
  app.post('/v1/jobs', async (request, reply) => {
    const { view, isNew } = await broker.submit(jobRequestSchema.parse(request.body));
    return reply.code(isNew ? 201 : 200).send(view);
  });
  app.get('/v1/jobs/:id', (request) => broker.job(idParams.parse(request.params).id));
  app.get('/v1/jobs/:id/wait', (request) => {
    const over = new AbortController();
    request.raw.once('close', () => over.abort());
    const { seconds } = waitQuery.parse(request.query);
    return broker.wait(idParams.parse(request.params).id, seconds, over.signal);
  });
  app.post('/v1/jobs/:id/cancel', (request) =>
    broker.cancel(
      idParams.parse(request.params).id,
      JOB_CANCELLERS[cancelSchema.parse(request.body ?? {}).by],
    ),
  );
  app.get('/v1/idleness', () => broker.idleness());
  app.post('/v1/close', () => {
    broker.close();
    return { isClosed: true };
  });
  app.post('/v1/open', () => {
    broker.open();
    return { isClosed: false };
  });
  return app;
}

function answerTo(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof JobError)
    return { status: HTTP_STATUS[error.code], code: error.code, message: error.message };
  if (error instanceof z.ZodError) return { status: 400, code: 'invalid', message: issuesText(error) };
  const { statusCode = 500, message } = error as { statusCode?: number; message: string };
  return { status: statusCode, code: statusCode < 500 ? 'invalid' : 'internal', message };
}

const MOST_ISSUES = 5;

/** One sentence for all of them; a request of many mistakes has no answer of many pages. */
function issuesText({ issues }: z.ZodError): string {
  const shown = issues
    .slice(0, MOST_ISSUES)
    .map(({ path, message }) => [...path, message].join(': ').slice(0, 300));
  return [...shown, ...(issues.length > MOST_ISSUES ? [`and ${issues.length - MOST_ISSUES} more`] : [])].join(
    '; ',
  );
}
