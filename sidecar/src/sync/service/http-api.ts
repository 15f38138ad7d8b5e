import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import * as z from 'zod';
import { activityReportSchema, noticeSchema } from '../../../contract/activity.ts';
import { jobsAtEndSchema, REFUSE_JOBS } from '../../../contract/jobs.ts';
import { STATUS_EVERY_MS, type SyncStatus } from '../../../contract/status.ts';
import type { Side } from '../../spaces/space.ts';
import { isPlain } from '../restore/restore-to-folder.ts';
import { RequestError } from '../sync-errors.ts';
import type { SyncMetrics } from './metrics.ts';
import { toProblem } from './problems.ts';
import type { Runner } from './runner.ts';
import { tellVerified } from './verify-schedule.ts';

/** A save that lasts longer goes on without the one who asked for it, unless that one wants to wait. */
const SAVE_ANSWER_MS = 5_000;

/**
 * A probe that is sent to another host succeeds, and the kubelet records the answer's text as an event of the pod: the
 * one way for a pod without a service account to put a sentence among its events. Nothing is ever asked there.
 * @see https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#http-probes
 */
const ELSEWHERE = 'http://problem.invalid/';

const TRASH_ITEMS = 10_000;
const plainPath = z
  .string()
  .refine(
    isPlain,
    'a path in the project is expected, without ".." and not beginning with "/", and no name above 255 bytes',
  );
const saveOfTrash = z
  .string()
  .min(1, 'the name of a save in the trash is expected, as `sync trash` lists it');
const fromTrashSchema = z.strictObject({ path: plainPath, of: saveOfTrash.optional() });
const asideSchema = z.strictObject({
  path: plainPath.or(z.literal('')),
  to: plainPath.optional(),
  of: z.string().min(1, 'the number or id of a save is expected').optional(),
});
const drawnName = z.string().regex(/^[0-9a-f]{32}$/);
const placeSchema = z.strictObject({ upload: drawnName, path: z.string(), attempt: drawnName });
const endSchema = z.strictObject({ jobs: jobsAtEndSchema.default(REFUSE_JOBS) });
const verifySchema = z.strictObject({ bytesPerSecond: z.int().min(65_536).optional() });
const confirmSchema = z.discriminatedUnion('what', [
  z.strictObject({ what: z.enum(['deletions', 'missing', 'unsaved']), count: z.int().min(1) }),
  z.strictObject({ what: z.enum(['merge', 'takeOver']) }),
]);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Which of the two spaces a request is about. @default project */
    readonly space?: Side;
  }
}

/** HTTP on the Unix socket: whoever shares the pod's run directory may ask. */
export function syncApi(runner: Runner, log: Logger): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.setErrorHandler((error, request, reply) => {
    const status =
      error instanceof z.ZodError || error instanceof RequestError
        ? 400
        : ((error as { statusCode?: number }).statusCode ?? 503);
    const problem = toProblem(
      error,
      request.routeOptions.config.space ?? 'project',
      new Date().toISOString(),
    );
    log.warn({ error: (error as Error).message }, 'a request failed');
    const detail = error instanceof z.ZodError ? issuesText(error) : (error as Error).message;
    const message = problem.code === 'internal' ? detail : problem.message;
    void reply.code(status).send({ code: problem.code, message });
  });
  app.get('/v1/status', () => runner.board.status());
  app.get('/v1/events', (_request, reply) => streamEvents(runner, reply));
  app.post<{ Querystring: { wait?: string } }>('/v1/save', async (request, reply) => {
    const saving = runner.saveNow();
    if (request.query.wait === 'true') return saving;
    const first = await Promise.race([saving, pause(SAVE_ANSWER_MS)]);
    if (first !== undefined) return first;
    // Its outcome comes with the status.
    saving.catch(() => undefined);
    return reply.code(202).send({ accepted: true });
  });
  const ofSource = { config: { space: 'source' } } as const;
  app.post<{ Querystring: { wait?: string } }>('/v1/refresh-source', ofSource, async (request, reply) => {
    const refreshing = runner.refreshSource().then(() => true);
    if (request.query.wait === 'false') {
      // Its outcome comes with the status.
      refreshing.catch((error: unknown) => runner.board.raise(error, 'source'));
      if ((await Promise.race([refreshing, pause(SAVE_ANSWER_MS)])) === undefined)
        return reply.code(202).send({ accepted: true });
    }
    await refreshing;
    return runner.board.status().source;
  });
  app.post('/v1/drain', async (request) => {
    await runner.drain(endSchema.parse(request.body ?? {}).jobs);
    return runner.board.status();
  });
  app.post('/v1/close-jobs', async (request) => {
    await runner.closeJobs(endSchema.parse(request.body ?? {}).jobs);
    return { isClosed: true };
  });
  app.post('/v1/confirm', async (request) => {
    runner.confirm(confirmSchema.parse(request.body));
    return { confirmed: true };
  });
  app.post('/v1/activity', async (request) => {
    runner.board.activity.note(activityReportSchema.parse(request.body));
    return {};
  });
  app.post('/v1/notice', async (request) => {
    runner.board.announce(noticeSchema.nullable().parse(request.body ?? null));
    return {};
  });
  app.get('/v1/plan', async () => {
    const plan = await requireProject(runner).plan();
    // What a look finds, and what the last save met when it read.
    const met = runner.board.problemsOf('project', 'save');
    const found = new Set(plan.fileProblems.items.map(({ path }) => path));
    const items = [...plan.fileProblems.items, ...met.items.filter(({ path }) => !found.has(path))];
    return { ...plan, fileProblems: { total: Math.max(met.total, items.length), items } };
  });
  app.get('/v1/trash', () => requireProject(runner).trash(TRASH_ITEMS));
  app.post('/v1/trash', async (request) => {
    const { path, of } = fromTrashSchema.parse(request.body);
    return requireOpen(runner).restoreFromTrash(path, of ?? null);
  });
  app.get('/v1/saves', () => requireProject(runner).saves());
  app.post('/v1/restore', async (request) => {
    const { path, to = null, of = null } = asideSchema.parse(request.body);
    return requireOpen(runner).restoreAside({ path, to, of });
  });
  app.post('/v1/place-upload', async (request) => {
    return { path: await runner.placeUpload(placeSchema.parse(request.body)) };
  });
  app.get('/v1/verify', () => requireProject(runner).verification ?? {});
  app.post('/v1/verify', async (request) => {
    const { bytesPerSecond } = verifySchema.parse(request.body ?? {});
    const found = await requireOpen(runner).verify(bytesPerSecond ?? Number.MAX_SAFE_INTEGER);
    tellVerified(runner.board, found);
    return found;
  });
  app.post('/v1/repair', () => requireOpen(runner).repair());
  app.get('/v1/lease', async () => (await requireProject(runner).lease()) ?? {});
  return app;
}

/** Files that are put on the volume are saved with the next save; that needs a project that is open. */
function requireOpen(runner: Runner) {
  if (!runner.board.status().ready)
    throw new RequestError('the project is not open: it is still being restored, or closed');
  return requireProject(runner);
}

function requireProject(runner: Runner) {
  if (runner.project === null) throw new Error('the project volume is not open yet');
  return runner.project;
}

function streamEvents(runner: Runner, reply: FastifyReply): void {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (status: SyncStatus): void => {
    // A reader that does not read misses states in between, not memory.
    if (raw.writableLength < 1 << 20) raw.write(`event: status\ndata: ${JSON.stringify(status)}\n\n`);
  };
  send(runner.board.status());
  const unsubscribe = runner.board.subscribe(send);
  const timer = setInterval(() => send(runner.board.status()), STATUS_EVERY_MS);
  raw.on('close', () => {
    unsubscribe();
    clearInterval(timer);
  });
}

/** Probes and metrics, the only thing of `sync` on TCP. Liveness says only that the process can still answer. */
export function probesApi(runner: Runner, metrics: SyncMetrics): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  const alive = () => 'ok\n';
  app.get('/livez', alive);
  app.get('/healthz', alive);
  app.get('/readyz', async (_request, reply) => {
    const { ready, phase, problems } = runner.board.status();
    const lines = [`phase ${phase}`, ...problems.map((problem) => `problem ${problem.code}`)];
    return reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(`${lines.join('\n')}\n`);
  });
  app.get('/problems', async (_request, reply) => {
    const { problems } = runner.board.status();
    if (problems.length === 0) return 'none\n';
    const text = problems.map(({ message }) => message).join(' ');
    return reply.code(302).header('location', ELSEWHERE).type('text/plain').send(text);
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.text()),
  );
  return app;
}

/** One sentence for all of them. */
function issuesText({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => [...path, message].join(': ')).join('; ');
}

function pause(milliseconds: number): Promise<undefined> {
  return new Promise((done) => setTimeout(() => done(undefined), milliseconds).unref());
}
