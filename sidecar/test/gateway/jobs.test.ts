import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogEnd } from '../../src/gateway/view.ts';
import { eventually, SAME_ORIGIN, sessionCookie, view } from './helpers/client.ts';
import { type FakeBroker, JOB, startFakeBroker } from './helpers/fake-broker.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

/** What the gateway tells of jobs, and what it makes of a broker that somebody in the desktop has put into the place of the real one. */

const P = '/mnt/vol-project';
let gateway: RunningGateway;
let broker: FakeBroker;
let cookie: string;

beforeEach(async () => {
  gateway = await startGateway({ config: { hasJobs: true } });
  broker = await startFakeBroker(gateway.jobsSocket);
  broker.jobs = [JOB, { ...JOB, id: '200000000000000', state: 'pending' }];
  cookie = await sessionCookie(gateway);
});
afterEach(async () => {
  await broker.stop();
  await gateway.stop();
});

const get = (path: string, headers: Record<string, string> = { cookie }) =>
  fetch(`${gateway.origin}${path}`, { headers });
const cancel = (body: object, headers: Record<string, string> = { cookie }) =>
  fetch(`${gateway.origin}/jobs/cancel`, {
    method: 'POST',
    headers: { ...SAME_ORIGIN, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** A page, for as long as `work` takes. */
async function withPage<T>(work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const stream = await fetch(`${gateway.origin}/events`, { headers: { cookie }, signal: over.signal });
  try {
    return await work();
  } finally {
    over.abort();
    await stream.body?.cancel().catch(() => undefined);
  }
}

test('the broker is asked while a page is open, and at no other time', async () => {
  await view(gateway, cookie);
  expect(broker.asked).toEqual([]);
  const { jobs } = await withPage(() =>
    eventually(
      () => view(gateway, cookie),
      (found) => found.jobs?.isKnown === true,
    ),
  );
  expect(jobs).toEqual({ isKnown: true, running: 1, waiting: 1 });
  // The end of the page is seen by its connection, and a look may be under way.
  await eventually(
    async () => {
      const before = broker.asked.length;
      await new Promise((done) => setTimeout(done, 7_000));
      return broker.asked.length - before;
    },
    (more) => more === 0,
  );
});

test('without a session nothing is told and nothing is cancelled', async () => {
  for (const path of ['/jobs', `/jobs/log?id=${JOB.id}`]) expect((await get(path, {})).status).toBe(401);
  expect((await cancel({ id: JOB.id }, {})).status).toBe(401);
  expect((await cancel({ id: JOB.id }, { cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect(broker.cancelled).toEqual([]);
});

test.each([{}, { id: '1' }, { id: `${JOB.id}/../x` }, { id: [JOB.id] }, { id: JOB.id, by: 'end' }])(
  'a cancellation of %j is none',
  async (body) => {
    expect((await cancel(body)).status).toBe(400);
    expect(broker.asked).toEqual([]);
  },
);

test('a job that is not there any more is told so', async () => {
  const answer = await cancel({ id: '900000000000000' });
  expect([answer.status, await answer.json()]).toMatchObject([502, { code: 'job-gone' }]);
});

describe('the end of a log', () => {
  const logs = async (output: string | null, errors: string | null = null) => {
    broker.jobs = [{ ...JOB, output, errors }];
    const answer = await get(`/jobs/log?id=${JOB.id}`);
    return ((await answer.json()) as { logs: LogEnd[] }).logs;
  };

  test('is that of its files, each once, with lines as they stand on a screen', async () => {
    const text = `${'old\n'.repeat(5000)}10 %\r50 %\r100 %\r\n\u001b[31mlast\n`;
    writeFileSync(join(gateway.projectDirectory, 'a.out'), text);
    const [log, ...more] = await logs(`${P}/a.out`, `${P}/a.out`);
    expect(more).toEqual([]);
    expect(log).toMatchObject({ path: 'a.out', isCut: true });
    expect(log?.text?.split('\n').slice(-3)).toEqual(['100 %', '\u001b[31mlast', '']);
    expect(log?.text?.split('\n')).toHaveLength(41);
  });

  test.each([
    ['a file outside', '/etc/passwd'],
    ['a way out', `${P}/../../etc/passwd`],
    ['a link that leads out', `${P}/out`],
    ['a folder', `${P}/folder`],
    ['the project itself', P],
    ['a file that is not there', `${P}/none`],
  ])('is empty for %s', async (_what, path) => {
    symlinkSync('/etc/passwd', join(gateway.projectDirectory, 'out'));
    mkdirSync(join(gateway.projectDirectory, 'folder'));
    expect(await logs(path)).toMatchObject([{ text: null }]);
  });
});

describe('a broker that is none', () => {
  test.each<[string, string]>([
    ['something else', '{"jobs":[{"id":"<script>"}]}'],
    ['no JSON', '<html>'],
    ['nothing', 'null'],
    ['more than is read', `"${'x'.repeat(3_000_000)}"`],
  ])('answers with %s: what the jobs do is not known', async (_what, text) => {
    broker.answer = (response) => void response.end(text);
    const answer = await get('/jobs');
    expect([answer.status, await answer.json()]).toMatchObject([502, { code: 'jobs-silent' }]);
    const log = await get(`/jobs/log?id=${JOB.id}`);
    expect(log.status).toBe(502);
  });
});

test('where there are no jobs there is no such page, and nobody is asked', async () => {
  await gateway.restart({});
  cookie = await sessionCookie(gateway);
  expect((await view(gateway, cookie)).jobs).toBeNull();
  expect((await get('/jobs')).status).toBe(404);
  expect(broker.asked).toEqual([]);
});
