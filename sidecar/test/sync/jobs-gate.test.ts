import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import type { JobView } from '../../contract/job-view.ts';
import { REFUSE_JOBS } from '../../contract/jobs.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { JOB } from '../gateway/helpers/fake-broker.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders, sorted, visible } from './world.ts';

/** A drain of an instance with jobs: it saves only when the broker has proven that nothing of a job writes any more. */

interface Idleness {
  readonly active: readonly JobView[];
  readonly pods: number;
}
const IDLE: Idleness = { active: [], pods: 0 };

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
let project: MemorySpace;
let broker: Server | undefined;
/** Looks that the broker cannot answer, first of all. */
let failing: number;
/** In place of all looks. */
let current: Idleness | undefined;
/** What the drain asked, in order. */
let asked: string[];

/** @param looks one for each look; the last one for all after it */
async function startBroker(...looks: Idleness[]): Promise<void> {
  const left = [...looks];
  broker = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (failing > 0 && request.url === '/v1/idleness') {
      failing -= 1;
      response.writeHead(503, { 'content-type': 'application/json' }).end('{"message":"starting"}');
      return;
    }
    const next = request.url === '/v1/idleness' && left.length > 1 ? left.shift() : left[0];
    const look = current ?? next;
    const body = request.url === '/v1/idleness' ? look : {};
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => broker?.listen(paths.jobsSocket, resolve));
}

beforeEach(async () => {
  paths = await containerPaths(folders.make());
  project = new MemorySpace({ identity: 'memory://project' });
  asked = [];
  failing = 0;
  current = undefined;
  await containers.start({
    config: { ...QUIET_CONFIG, hasJobs: true },
    paths,
    spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => project },
    desktopWaitMs: 500,
  });
  await untilStatus(paths.syncSocket, 'the desktop', ({ ready }) => ready);
  writeFileSync(join(paths.projectVolume, 'data', 'a'), 'work');
});
afterEach(async () => {
  await containers.stopAll();
  await new Promise((resolve) => (broker === undefined ? resolve(0) : broker.close(resolve)));
  broker = undefined;
  folders.clear();
});

const drain = (choice?: string, waitSeconds = 60) =>
  ask(
    paths.syncSocket,
    'POST',
    '/v1/drain',
    choice === undefined ? undefined : { jobs: { choice, waitSeconds } },
  );
const closeJobs = (choice: string, waitSeconds = 60) =>
  ask(paths.syncSocket, 'POST', '/v1/close-jobs', { jobs: { choice, waitSeconds } });
const RUNS: Idleness = { active: [JOB], pods: 1 };
const saved = async () => sorted(await visible(project));

describe('a drain', () => {
  test('closes submission, looks before and after the desktop ends, and saves', async () => {
    await startBroker(IDLE);
    await drain();
    expect(asked).toEqual(['POST /v1/close', 'GET /v1/idleness', 'GET /v1/idleness']);
    expect(await saved()).toEqual([['a', 'work']]);
  });

  test.each<[string, Idleness]>([
    ['a job runs', { active: [JOB], pods: 1 }],
    ['a job waits', { active: [{ ...JOB, state: 'pending' }], pods: 0 }],
    ['a pod is left of a job that has ended', { active: [], pods: 1 }],
  ])('is refused while %s; the session goes on, and jobs are taken again', async (_what, look) => {
    await startBroker(look);
    await expect(drain()).rejects.toThrow(/1 job of the instance has not ended/);
    expect(existsSync(paths.ready)).toBe(true);
    expect(asked.at(-1)).toBe('POST /v1/open');
    expect(await saved()).toEqual([]);
  });

  test('finds what was submitted between its two looks, and opens the desktop again', async () => {
    await startBroker(IDLE, RUNS);
    await expect(drain()).rejects.toThrow(/123456789012345 \(12-3\)/);
    await untilStatus(paths.syncSocket, 'the desktop', ({ ready, phase }) => ready && phase === 'running');
    expect(asked.at(-1)).toBe('POST /v1/open');
    expect(await saved()).toEqual([]);
  });

  test('is refused where the broker does not answer', async () => {
    await expect(drain()).rejects.toThrow(/is not known.*the broker of the jobs does not answer/);
    expect(existsSync(paths.ready)).toBe(true);
  });
});

describe('a drain that may wait', () => {
  test('tells the page that it waits, takes no job, and saves when the last has ended', async () => {
    await startBroker(RUNS, RUNS, IDLE);
    const done = drain('wait');
    const told = await untilStatus(paths.syncSocket, 'the wait', ({ warnings = [] }) =>
      warnings.some(({ code }) => code === 'jobs-awaited'),
    );
    // The desktop stays: a protocol that runs in it may wait for a job.
    expect(told).toMatchObject({ ready: true, phase: 'running' });
    await done;
    expect(asked.filter((each) => each.includes('cancel'))).toEqual([]);
    // A broker that was started again meanwhile takes jobs, so each look closes it.
    expect(asked.slice(0, 4)).toEqual([
      'POST /v1/close',
      'GET /v1/idleness',
      'POST /v1/close',
      'GET /v1/idleness',
    ]);
    expect(asked).not.toContain('POST /v1/open');
    expect(await saved()).toEqual([['a', 'work']]);
  });

  test('saves on the interval as long as it waits, since jobs may run for days', async () => {
    await startBroker(RUNS);
    const done = drain('wait', 300);
    await untilStatus(paths.syncSocket, 'the wait', ({ warnings = [] }) =>
      warnings.some(({ code }) => code === 'jobs-awaited'),
    );
    // What somebody agrees to is looked at with the next autosave, which is at once.
    await ask(paths.syncSocket, 'POST', '/v1/confirm', { what: 'takeOver' });
    await expect.poll(saved).toEqual([['a', 'work']]);
    writeFileSync(join(paths.projectVolume, 'data', 'b'), 'more');
    current = IDLE;
    await done;
    expect(await saved()).toEqual([
      ['a', 'work'],
      ['b', 'more'],
    ]);
  });

  test('is refused when its time is over; the session goes on, and jobs are taken again', async () => {
    await startBroker(RUNS);
    await expect(drain('wait', 1)).rejects.toThrow(
      /1 job of the instance has not ended after 1 s.*the jobs run on/,
    );
    expect(existsSync(paths.ready)).toBe(true);
    expect(asked.at(-1)).toBe('POST /v1/open');
    expect(await saved()).toEqual([]);
    const { warnings } = await untilStatus(paths.syncSocket, 'the session', ({ ready }) => ready);
    expect(warnings?.map(({ code }) => code)).not.toContain('jobs-awaited');
  });

  test('waits for a broker that is just starting again', async () => {
    await startBroker(IDLE);
    failing = 2;
    await drain('wait');
    expect(await saved()).toEqual([['a', 'work']]);
  });

  test('cancels each job once where that was chosen, and waits for its pod', async () => {
    await startBroker(RUNS, { active: [{ ...JOB, isCancelled: true }], pods: 1 }, IDLE);
    await drain('cancel');
    expect(asked.filter((each) => each.includes('cancel'))).toEqual([`POST /v1/jobs/${JOB.id}/cancel`]);
    expect(await saved()).toEqual([['a', 'work']]);
  });

  test.each(['cancel', 'wait'])('with %s: what cannot be proven is refused', async (choice) => {
    await expect(drain(choice, 1)).rejects.toThrow(/is not known/);
    expect(existsSync(paths.ready)).toBe(true);
    expect(await saved()).toEqual([]);
  });

  test('another choice is no choice', async () => {
    await expect(drain('kill')).rejects.toThrow(/jobs: choice/);
    expect(existsSync(paths.ready)).toBe(true);
  });
});

describe('before a pause', () => {
  test('jobs are closed, and the session goes on until the pod ends', async () => {
    await startBroker(RUNS, IDLE);
    await closeJobs('wait');
    expect(asked.at(-1)).toBe('GET /v1/idleness');
    expect(existsSync(paths.ready)).toBe(true);
  });

  test('it is refused while one runs, and jobs are taken again', async () => {
    await startBroker(RUNS);
    await expect(closeJobs('refuse')).rejects.toThrow(/1 job of the instance has not ended/);
    expect(asked.at(-1)).toBe('POST /v1/open');
  });

  test.each([
    [RUNS, EXIT_CODES.failed, /1 job of the instance has not ended/],
    [IDLE, EXIT_CODES.done, /no job is left/],
  ])('the command ends as the jobs have: %#', async (idleness, expected, words) => {
    await startBroker(idleness);
    const said: string[] = [];
    const tell = (line: string) => void said.push(line);
    const context = { socket: paths.syncSocket, out: tell, err: tell };
    const code = await commands.guarded(context, () => commands.closeJobs(context, REFUSE_JOBS));
    expect(said.join('\n')).toMatch(words);
    expect(code).toBe(expected);
  });
});
