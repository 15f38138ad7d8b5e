import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { SpaceError } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders } from './world.ts';

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
let project: MemorySpace;

beforeEach(async () => {
  paths = await containerPaths(folders.make());
  project = new MemorySpace({ identity: 'memory://project' });
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

async function start(): Promise<void> {
  const source = new MemorySpace({ identity: 'memory://source' });
  const spaces = { source: () => source, project: () => project };
  await containers.start({ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 1_000, tokenWaitMs: 0 });
  await until('the desktop', (status) => status.ready);
}

/** Generous for a busy machine; the page shows a change as soon as the status does. */
const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check);
const isUnsaved = ({ save }: SyncStatus) => save.unsavedChanges === true;
const isSaved = ({ save }: SyncStatus) => save.unsavedChanges === false;
const inProject = (name: string) => join(paths.projectVolume, 'data', name);
const save = () => ask(paths.syncSocket, 'POST', '/v1/save');

test('a change on the volume is unsaved at once, and saved with the save', async () => {
  await start();
  await until('that nothing is unsaved, before any save', isSaved);
  const changes: [string, () => void][] = [
    ['a new file', () => writeFileSync(inProject('a'), 'work')],
    ['more in a file', () => appendFileSync(inProject('a'), 'more')],
    ['a new folder', () => mkdirSync(inProject('folder/below'), { recursive: true })],
    ['a file in it', () => writeFileSync(inProject('folder/below/b'), 'work')],
    ['a removal', () => rmSync(inProject('a'))],
  ];
  for (const [what, change] of changes) {
    const began = performance.now();
    change();
    await until(what, isUnsaved);
    expect(performance.now() - began).toBeLessThan(5_000);
    await save();
    await until(`the save of ${what}`, isSaved);
  }
});

test('what is written while a save runs is unsaved after it', async () => {
  await start();
  await until('the first look', isSaved);
  writeFileSync(inProject('a'), 'work');
  const write = project.write.bind(project);
  project.write = async (path, ...rest) => {
    if (!path.includes('lease')) writeFileSync(inProject('b'), 'written meanwhile');
    return write(path, ...rest);
  };
  await save();
  project.write = write;
  await sleep(500);
  expect((await until('its status', () => true)).save.unsavedChanges).toBe(true);
  await save();
  await until('the next save', isSaved);
});

test('a save that fails leaves it unsaved, and the error goes with the next one that does not', async () => {
  await start();
  await until('the first look', isSaved);
  writeFileSync(inProject('a'), 'work');
  const write = project.write.bind(project);
  project.write = () => Promise.reject(new SpaceError('space-full', 'no room'));
  await expect(save()).rejects.toThrow('is full');
  const failed = await until('the failure', ({ save: { lastError } }) => lastError !== null);
  expect(failed.save.unsavedChanges).toBe(true);
  project.write = write;
  await save();
  const saved = await until('the save', isSaved);
  expect(saved.save.lastError).toBeNull();
  expect(saved.problems).toEqual([]);
});

test('the room on both volumes is told', async () => {
  await start();
  const { volumes } = await until('the volumes', ({ volumes: each }) => each?.project !== undefined);
  for (const room of [volumes?.source, volumes?.project]) {
    expect(room?.totalBytes).toBeGreaterThan(0);
    expect(room?.freeBytes).toBeLessThanOrEqual(room?.totalBytes ?? 0);
  }
});
