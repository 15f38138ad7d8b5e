import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders, visible } from './world.ts';

/** A copy of a volume, its state included, under the same name of an instance: each takes the other for itself. */

const folders = new Folders();
const containers = new Containers();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

async function world() {
  const id = await given.addSpace();
  const open = () => withRetry(given.open(id), { firstWaitMs: 1, maxWaitMs: 5, retries: 2 });
  const start = async (paths: SyncPaths) => {
    const spaces = { source: () => new MemorySpace(), project: open };
    const service = await containers.start({
      ...{ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 0, tokenWaitMs: 0 },
      leaseTimes: { heartbeatMs: 100 },
    });
    return service;
  };
  const first = await containerPaths(folders.make());
  return { space: open(), start, first };
}

async function clone(of: SyncPaths): Promise<SyncPaths> {
  const paths = await containerPaths(folders.make());
  rmSync(paths.projectVolume, { recursive: true });
  cpSync(of.projectVolume, paths.projectVolume, { recursive: true, preserveTimestamps: true });
  return paths;
}

const write = ({ projectVolume }: SyncPaths, name: string, text: string) =>
  writeFileSync(join(projectVolume, 'data', name), text);
const saveNow = ({ syncSocket }: SyncPaths) => ask(syncSocket, 'POST', '/v1/save');
const isReady = ({ syncSocket }: SyncPaths) =>
  untilStatus(syncSocket, 'the desktop', ({ ready }) => ready, 30);

test('both alive: the newer one has the lease, the older one is told and takes nothing back, no work is lost', async () => {
  const { space, start, first } = await world();
  await start(first);
  await isReady(first);
  write(first, 'shared', 'at first');
  await saveNow(first);
  const second = await clone(first);
  const cloned = await start(second);
  await isReady(second);
  write(first, 'of the first', 'first');
  write(first, 'shared', 'changed by the first');
  write(second, 'of the second', 'second');
  write(second, 'shared', 'changed by the second');
  await saveNow(second);
  for (let round = 0; round < 3; round += 1) {
    await expect(saveNow(first)).rejects.toThrow(/lease|in use by/);
    expect(await saveNow(second)).toMatchObject({ skipped: 0 });
    write(second, 'of the second', `second, ${round}`);
  }
  const told = await untilStatus(first.syncSocket, 'the problem', ({ problems }) => problems.length > 0);
  expect(told.problems).toEqual([expect.objectContaining({ code: 'lease-held' })]);
  expect((await untilStatus(second.syncSocket, 'a status', () => true)).problems).toEqual([]);
  cloned.stop();
  await cloned.done;
  // What it has is made on an older save. It says so, and started again it brings both together when a person agrees.
  await expect(saveNow(first)).rejects.toThrow('Restart this instance');
  containers.forgetAll();
  for (const file of [first.ready, first.syncSocket]) rmSync(file);
  await start(first);
  const [problem] = (
    await untilStatus(first.syncSocket, 'a problem', (status) => status.problems.length > 0, 30)
  ).problems;
  expect(problem).toMatchObject({ code: 'unsaved-work' });
  await ask(first.syncSocket, 'POST', '/v1/confirm', { what: 'merge' });
  await isReady(first);
  const all = [...(await visible(space)).values()];
  for (const work of ['first', 'changed by the first', 'second, 2', 'changed by the second'])
    expect(all).toContain(work);
  await space.close();
});

test('one after the other: the copy gets what the first one saved, and its own work on an older save waits for a choice', async () => {
  const { space, start, first } = await world();
  const running = await start(first);
  await isReady(first);
  write(first, 'shared', 'at first');
  await saveNow(first);
  const [untouched, worked] = [await clone(first), await clone(first)];
  write(first, 'shared', 'later');
  running.stop();
  await running.done;
  const second = await start(untouched);
  await isReady(untouched);
  expect(readFileSync(join(untouched.projectVolume, 'data/shared'), 'utf8')).toBe('later');
  second.stop();
  await second.done;
  write(worked, 'shared', 'work in the copy');
  await start(worked);
  const { problems } = await untilStatus(
    worked.syncSocket,
    'a problem',
    (status) => status.problems.length > 0,
    30,
  );
  expect(problems).toEqual([expect.objectContaining({ code: 'unsaved-work' })]);
  expect(problems[0]?.message).toContain('sync confirm merge');
  expect(readFileSync(join(worked.projectVolume, 'data/shared'), 'utf8')).toBe('work in the copy');
  expect((await visible(space)).get('shared')).toBe('later');
  await space.close();
});
