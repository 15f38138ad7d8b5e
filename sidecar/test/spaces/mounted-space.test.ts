import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { judgeMount, judgeRoot, MountedSpace } from '../../src/spaces/mounted-space.ts';
import type { Side } from '../../src/spaces/space.ts';
import { contentOf, type SpaceEntry } from '../../src/spaces/space.ts';
import { spaceContract } from './space-contract.ts';

const mounts = (directory: string, type = 'fuse.oneclient') =>
  `21 20 8:1 / / rw shared:1 - ext4 /dev/sda rw\n40 21 0:44 / ${directory.replaceAll(' ', '\\040')} rw,nosuid shared:9 - ${type} oneclient rw\n`;

/** Calls of the file system that answer as a stale mount does. */
const stale = vi.hoisted(() => ({ below: '' }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const guarded = (name: 'lstat' | 'stat' | 'opendir' | 'open') =>
    (async (path: string, ...rest: unknown[]) => {
      if (stale.below !== '' && String(path).startsWith(stale.below))
        throw Object.assign(new Error('transport endpoint is not connected'), { code: 'ENOTCONN' });
      return (real[name] as (...all: unknown[]) => unknown)(path, ...rest);
    }) as never;
  return {
    ...real,
    lstat: guarded('lstat'),
    stat: guarded('stat'),
    opendir: guarded('opendir'),
    open: guarded('open'),
  };
});

let root: string;
let directory: string;
let identityFile: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mounted space '));
  directory = join(root, 'space');
  identityFile = join(root, 'identity.json');
  await mkdir(directory);
});
afterEach(async () => {
  stale.below = '';
  await rm(root, { recursive: true, force: true });
});

const open = (side: Side, text = mounts(directory)) =>
  new MountedSpace({ directory, spaceId: 'sp1', side, identityFile, mounts: async () => text });

const listed = async (entries: AsyncIterable<SpaceEntry>) => {
  const names: string[] = [];
  for await (const { name } of entries) names.push(name);
  return names.sort();
};
const NOT_MOUNTED = { code: 'not-mounted' };

spaceContract('volume that shows a space', async () => {
  const at = await mkdtemp(join(tmpdir(), 'space-'));
  const directoryOf = join(at, 'space');
  await mkdir(directoryOf);
  const space = new MountedSpace({
    directory: directoryOf,
    spaceId: 'sp1',
    side: 'project',
    identityFile: join(at, 'identity.json'),
    mounts: async () => mounts(directoryOf),
  });
  return { space, dispose: () => rm(at, { recursive: true, force: true }) };
});

describe('a stale mount', () => {
  test('is an error of every look, and read again once it is back', async () => {
    await writeFile(join(directory, 'mic.mrc'), 'x');
    const space = open('source');
    await space.check();
    stale.below = directory;
    await expect(space.check()).rejects.toMatchObject(NOT_MOUNTED);
    await expect(space.stat({ path: 'mic.mrc' })).rejects.toMatchObject(NOT_MOUNTED);
    await expect(listed(space.list({ path: '' }))).rejects.toMatchObject(NOT_MOUNTED);
    stale.below = '';
    expect(await listed(space.list({ path: '' }))).toEqual(['mic.mrc']);
  });
});

describe('another directory in place of the space', () => {
  /** As after an unmount: the empty mount point comes to light. */
  const unmount = async () => {
    await rename(directory, join(root, 'elsewhere'));
    await mkdir(directory);
  };

  test('makes nothing of the source look absent', async () => {
    await writeFile(join(directory, 'mic.mrc'), 'x');
    const space = open('source');
    await space.check();
    await unmount();
    await expect(space.stat({ path: 'mic.mrc' })).rejects.toMatchObject(NOT_MOUNTED);
    await expect(listed(space.list({ path: '' }))).rejects.toMatchObject(NOT_MOUNTED);
    await writeFile(join(directory, 'lost+found'), '');
    await expect(open('source').check()).rejects.toMatchObject(NOT_MOUNTED);
    await rm(directory, { recursive: true });
    await rename(join(root, 'elsewhere'), directory);
    expect((await space.stat({ path: 'mic.mrc' }))?.size).toBe(1);
  });

  test('takes nothing of the project', async () => {
    const space = open('project');
    await space.check();
    await space.makeDirectory('.scipion-sync/staging');
    await unmount();
    await expect(space.write('a', contentOf('work'))).rejects.toMatchObject(NOT_MOUNTED);
    await expect(space.removeTree('a')).rejects.toMatchObject(NOT_MOUNTED);
    await expect(open('project').check()).rejects.toMatchObject(NOT_MOUNTED);
  });

  test('is seen where nothing is mounted', async () => {
    await writeFile(join(directory, 'mic.mrc'), 'x');
    await expect(open('source', mounts('/elsewhere')).check()).rejects.toMatchObject({
      ...NOT_MOUNTED,
      message: expect.stringContaining('nothing is mounted there'),
    });
  });

  test('the space that is mounted anew is asked again', async () => {
    await writeFile(join(directory, 'mic.mrc'), 'x');
    const space = open('source');
    await space.check();
    await unmount();
    await writeFile(join(directory, 'mic.mrc'), 'xy');
    await expect(listed(space.list({ path: '' }))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await listed(space.list({ path: '' }))).toEqual(['mic.mrc']);
  });
});

test.each<[string, string, 'fuse' | undefined, RegExp | null]>([
  ['oneclient', mounts('/spaces/source'), 'fuse', null],
  ['any volume', mounts('/spaces/source', 'nfs4'), undefined, null],
  ['a directory of the node', mounts('/spaces/source', 'xfs'), 'fuse', /of type xfs/],
  ['none', mounts('/spaces/project'), undefined, /nothing is mounted/],
])('a mount: %s', (_name, text, fileSystem, reason) => {
  const found = judgeMount(text, '/spaces/source', fileSystem);
  if (reason === null) expect(found).toBeNull();
  else expect(found).toMatch(reason);
});

test.each<[string, Side, string[] | null, boolean, string[], boolean]>([
  ['the first look at a source', 'source', null, false, ['a'], true],
  ['an empty source', 'source', null, false, [], false],
  ['a source with a part of the old names', 'source', ['a', 'b'], false, ['b', 'c'], true],
  ['a source with other names only', 'source', ['a', 'b'], false, ['c'], false],
  ['a new project', 'project', null, false, [], true],
  ['a project that lost its mark', 'project', ['p'], true, ['p'], false],
  ['a project', 'project', ['p'], true, ['.scipion-sync'], true],
])('%s', (_name, side, known, hasEngineFolder, names, isSpace) => {
  const identity = known === null ? null : { names: known, hasEngineFolder };
  expect(judgeRoot(side, identity, names) === null).toBe(isSpace);
});
