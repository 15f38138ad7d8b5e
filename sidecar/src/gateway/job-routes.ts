import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { jobIdSchema } from '../../contract/job-view.ts';
import { DESKTOP_PATHS } from '../../contract/paths.ts';
import { LOGGED_OUT, PAGE_OUTDATED } from './action-routes.ts';
import { type JobsClient, JobsError } from './jobs-client.ts';
import { FilesError, type ProjectFiles } from './project-files.ts';
import type { Session } from './sessions.ts';
import type { LogEnd } from './view.ts';

/** What a page asks about jobs, where the instance has them. */

/** Of the end of each file. */
const LOG_BYTES = 8 * 1024;
const LOG_LINES = 40;
const jobSchema = z.strictObject({ id: jobIdSchema });

export interface JobRouteParts {
  readonly jobs: JobsClient;
  readonly files: ProjectFiles;
  readonly sessionOf: (request: FastifyRequest) => Session | undefined;
}

export function addJobRoutes(app: FastifyInstance, { jobs, files, sessionOf }: JobRouteParts): void {
  app.get('/jobs', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    return jobs.list().catch((error: unknown) => refuse(reply, error));
  });

  app.get('/jobs/log', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    const given = jobSchema.safeParse(request.query);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    try {
      const { output, errors } = await jobs.job(given.data.id);
      const paths = [...new Set([output, errors])].filter((path) => path !== null);
      return { logs: await Promise.all(paths.map((path) => endOf(files, path))) };
    } catch (error) {
      return refuse(reply, error);
    }
  });

  app.post('/jobs/cancel', async (request, reply) => {
    if (!sessionOf(request)) return reply.code(401).send(LOGGED_OUT);
    const given = jobSchema.safeParse(request.body);
    if (!given.success) return reply.code(400).send(PAGE_OUTDATED);
    request.log.info({ job: given.data.id }, 'a job is cancelled by a page');
    try {
      await jobs.cancel(given.data.id);
      return reply.send({});
    } catch (error) {
      return refuse(reply, error);
    }
  });
}

async function endOf(files: ProjectFiles, absolute: string): Promise<LogEnd> {
  const root = `${DESKTOP_PATHS.project}/`;
  const path = absolute.startsWith(root) ? absolute.slice(root.length) : '';
  const found = await files.open(path).catch((error: unknown) => {
    if (error instanceof FilesError) return undefined;
    throw error;
  });
  if (found === undefined) return { path, text: null, isCut: false };
  const { handle } = found;
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - LOG_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOG_BYTES), 0, LOG_BYTES, from);
    const whole = buffer.subarray(0, bytesRead).toString('utf8');
    // It may begin in the middle of a line.
    const lines = (from === 0 ? whole : whole.slice(whole.indexOf('\n') + 1)).split('\n');
    // A bar of progress draws its line over and over.
    const drawn = lines.map((line) => line.split('\r').findLast((part) => part !== '') ?? '');
    const shown = drawn.slice(-LOG_LINES - 1);
    return { path, text: shown.join('\n'), isCut: from > 0 || shown.length < lines.length };
  } finally {
    await handle.close();
  }
}

function refuse(reply: FastifyReply, error: unknown): FastifyReply {
  // What is no answer of the broker's is nobody's either.
  const { code, message } =
    error instanceof JobsError
      ? error
      : new JobsError('jobs-silent', 'The service of the jobs answered something else than expected.');
  return reply.code(502).send({ code, message });
}
