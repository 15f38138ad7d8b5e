import { createServer, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { JobsSummary, JobView } from '../../../contract/job-view.ts';
import { summaryOf } from '../../../src/jobs/summary.ts';

export const JOB: JobView = {
  id: '123456789012345',
  name: '12-3',
  class: 'small',
  state: 'running',
  exitCode: null,
  reason: '',
  why: 'running',
  detail: '',
  isCancelled: false,
  isHeld: false,
  cpus: 2,
  memoryMebibytes: 4096,
  submittedAt: '2026-01-01T10:00:00Z',
  startedAt: '2026-01-01T10:00:05Z',
  endedAt: null,
  node: 'node-1',
  output: null,
  errors: null,
  used: null,
};

export interface FakeBroker {
  jobs: readonly JobView[];
  /** What was asked, in order. */
  readonly asked: string[];
  readonly cancelled: { readonly id: string; readonly by: unknown }[];
  /** Takes the place of every answer. */
  answer: ((response: ServerResponse) => void) | undefined;
  stop(): Promise<void>;
}

/** Speaks the socket contract of the broker as far as a gateway asks, and does nothing else. */
export async function startFakeBroker(socketPath: string): Promise<FakeBroker> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://jobs');
    fake.asked.push(`${request.method} ${pathname}`);
    if (fake.answer !== undefined) return fake.answer(response);
    const send = (body: JobsSummary | JobView | object, status = 200) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (pathname === '/v1/summary')
      return send(summaryOf(fake.jobs, false, Number(searchParams.get('shown'))));
    const [, id = '', action] = /^\/v1\/jobs\/(\d+)(?:\/(cancel))?$/.exec(pathname) ?? [];
    const job = fake.jobs.find((each) => each.id === id);
    if (job === undefined) return send({ code: 'unknown-job', message: 'No such job.' }, 404);
    if (action === undefined) return send(job);
    return void json(request).then((body) => {
      fake.cancelled.push({ id, by: (body as { by?: unknown }).by });
      send(job);
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const fake: FakeBroker = {
    jobs: [],
    asked: [],
    cancelled: [],
    answer: undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}
