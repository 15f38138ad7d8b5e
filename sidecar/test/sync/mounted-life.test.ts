import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { MountedSpace } from '../../src/spaces/mounted-space.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { Containers, containerPaths, untilStatus } from './given-container.ts';
import { dumpFolder, Folders } from './world.ts';

/** The whole container with both spaces on volumes that come and go. */

const folders = new Folders();
let root: string;
let paths: SyncPaths;
const containers = new Containers();
const spaceOf = (side: 'source' | 'project') => join(root, `space-${side}`);

beforeEach(async () => {
  root = folders.make();
  paths = await containerPaths(root);
  mkdirSync(join(root, 'run'));
  for (const side of ['source', 'project'] as const) mkdirSync(spaceOf(side));
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

async function start() {
  const open = (side: 'source' | 'project') =>
    withRetry(
      new MountedSpace({
        directory: spaceOf(side),
        spaceId: side,
        side,
        identityFile: join(
          side === 'source' ? paths.sourceVolume : paths.projectVolume,
          'state/mounted.json',
        ),
        mounts: async () => `40 21 0:44 / ${spaceOf(side)} rw - fuse.oneclient oneclient rw\n`,
      }),
      { firstWaitMs: 1 },
    );
  return containers.start({
    config: {
      instance: 'lab/alice',
      source: { directory: spaceOf('source'), spaceId: 'source' },
      project: { directory: spaceOf('project'), spaceId: 'project' },
      autosaveIntervalSeconds: 3600,
      graceSeconds: 60,
    },
    paths,
    spaces: { source: () => open('source'), project: () => open('project') },
    desktopWaitMs: 100,
  });
}

const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check, 20);

test('an empty source waits for its data, and is never taken for gone afterwards', async () => {
  await start();
  const status = await until('the problem', ({ problems }) => problems.length > 0);
  expect(status.ready).toBe(false);
  expect(status.problems).toMatchObject([{ code: 'volume-not-mounted', space: 'source' }]);
  writeFileSync(join(spaceOf('source'), 'mic.mrc'), 'micrograph');
  await until('the desktop', ({ ready }) => ready);
  renameSync(spaceOf('source'), join(root, 'away'));
  mkdirSync(spaceOf('source'));
  await expect(ask(paths.syncSocket, 'POST', '/v1/refresh-source')).rejects.toThrow(/not mounted/);
  expect(dumpFolder(join(paths.sourceVolume, 'data')).get('mic.mrc')).toBe('micrograph');
});

test('work is not saved into a directory in place of the project space, but into the space once it is back', async () => {
  writeFileSync(join(spaceOf('source'), 'mic.mrc'), 'micrograph');
  const service = await start();
  await until('the desktop', ({ ready }) => ready);
  renameSync(spaceOf('project'), join(root, 'away'));
  mkdirSync(spaceOf('project'));
  writeFileSync(join(paths.projectVolume, 'data/a'), 'work');
  service.stop();
  const status = await until('the problem', ({ problems }) => problems.length > 0);
  expect(status).toMatchObject({ phase: 'final-saving', problems: [{ code: 'volume-not-mounted' }] });
  expect(readdirSync(spaceOf('project'))).toEqual([]);
  rmSync(spaceOf('project'), { recursive: true });
  renameSync(join(root, 'away'), spaceOf('project'));
  await service.done;
  expect(dumpFolder(spaceOf('project')).get('a')).toBe('work');
});
