import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JobView } from '../../contract/jobs.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders, sorted, visible } from './world.ts';

/** A drain of an instance with jobs: it saves only when the broker has proven that nothing of a job writes any more. */

const JOB: JobView = {
  id: '123456789012345',
  name: '12-3',
  class: 'small',
  state: 'running',
  exitCode: null,
  reason: '',
  isCancelled: false,
  isHeld: false,
  cpus: 2,
  memoryMebibytes: 4096,
  submittedAt: '2026-01-01T10:00:00Z',
  startedAt: null,
  endedAt: null,
  node: null,
};

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
/** What the drain asked, in order. */
let asked: string[];

/** @param looks one for each look; the last one for all after it */
async function startBroker(...looks: Idleness[]): Promise<void> {
  const left = [...looks];
  broker = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const look = left.length > 1 ? left.shift() : left[0];
    const body = request.url === '/v1/idleness' ? look : {};
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => broker?.listen(paths.jobsSocket, resolve));
}

beforeEach(async () => {
  paths = await containerPaths(folders.make());
  project = new MemorySpace({ identity: 'memory://project' });
  asked = [];
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

const drain = () => ask(paths.syncSocket, 'POST', '/v1/drain');
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
    await expect(drain()).rejects.toThrow(/1 jobs of the instance have not ended/);
    expect(existsSync(paths.ready)).toBe(true);
    expect(asked.at(-1)).toBe('POST /v1/open');
    expect(await saved()).toEqual([]);
  });

  test('finds what was submitted between its two looks, and opens the desktop again', async () => {
    await startBroker(IDLE, IDLE, { active: [JOB], pods: 1 });
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
