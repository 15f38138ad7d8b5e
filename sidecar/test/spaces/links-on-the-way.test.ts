import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { contentOf, readAll } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpFolder, Folders, openProject } from '../sync/world.ts';

/** A folder of a mounted space that somebody exchanged for a link: nothing behind it is read, written or removed. */

const folders = new Folders();
afterEach(() => folders.clear());

function outsideOf(root: string): string {
  const outside = join(root, 'outside');
  mkdirSync(join(outside, 'deep'), { recursive: true });
  for (const name of ['file', 'deep/last']) writeFileSync(join(outside, name), 'precious');
  return outside;
}

test('no call reaches what lies behind a link', async () => {
  const root = folders.make();
  const outside = outsideOf(root);
  mkdirSync(join(root, 'space'));
  symlinkSync('../outside', join(root, 'space/z'));
  symlinkSync('loop', join(root, 'space/loop'));
  const space = new DirectorySpace(join(root, 'space'));
  await space.write('file', contentOf('mine'));
  await space.makeDirectory('folder');
  for (const path of ['z/file', 'z/deep', 'z/deep/last', 'loop/file'])
    expect(await space.stat({ path }), path).toBeNull();
  for (const path of ['z/deep/last', 'z/deep/new']) {
    await expect(readAll(space, { path }, 100), path).rejects.toMatchObject({ code: 'not-found' });
    await expect(space.write(path, contentOf('x')), path).rejects.toMatchObject({ code: 'not-found' });
    await expect(space.makeSymlink(path, 'x'), path).rejects.toMatchObject({ code: 'not-found' });
    await expect(space.move({ path: 'file', kind: 'file' }, path), path).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(space.move({ path: 'folder', kind: 'directory' }, path)).rejects.toMatchObject({
      code: 'not-found',
    });
    await space.removeFile(path);
    await space.removeTree(path);
    await space.removeEmptyDirectory(path);
  }
  await space.removeTree('z/deep');
  await expect(space.move({ path: 'z/deep/last', kind: 'file' }, 'stolen')).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(space.makeDirectory('z/deep/new/folder')).rejects.toMatchObject({ code: 'exists' });
  await expect(
    (async () => {
      for await (const _ of space.list({ path: 'z/deep' }));
    })(),
  ).rejects.toMatchObject({ code: 'not-found' });
  expect([...dumpFolder(outside).values()].filter(Boolean)).toEqual(['precious', 'precious']);
  expect(readdirSync(join(outside, 'deep'))).toEqual(['last']);
});

test.each(['out of the space', 'into the space'])(
  'a link %s in place of a folder: a save, and a restore elsewhere',
  async (to) => {
    const root = folders.make();
    const outside = outsideOf(root);
    const at = join(root, 'space');
    mkdirSync(at);
    const space = new DirectorySpace(at);
    const context = await openProject(join(root, 'volume'), space);
    await startProject(context);
    mkdirSync(join(context.data, 'p/z/deep'), { recursive: true });
    for (const name of ['p/z/file', 'p/z/deep/last', 'p/other'])
      writeFileSync(join(context.data, name), `first ${name}`);
    await save(context);
    renameSync(join(at, 'p/z'), join(at, 'away'));
    symlinkSync(to === 'into the space' ? '../away' : outside, join(at, 'p/z'));
    for (const name of ['p/z/file', 'p/z/deep/last', 'p/z/deep/new', 'p/other'])
      writeFileSync(join(context.data, name), `second, ${name}`);
    await save(context, { last: true });
    await context.lease.release();
    context.close();
    expect([...dumpFolder(outside).values()].filter(Boolean), 'nothing outside is touched').toEqual([
      'precious',
      'precious',
    ]);
    expect(readFileSync(join(at, 'away/deep/last'), 'utf8')).toBe('first p/z/deep/last');
    const next = await openProject(join(root, 'next'), space, { lease: 'patient' });
    await startProject(next);
    for (const name of ['p/z/file', 'p/z/deep/last', 'p/z/deep/new', 'p/other'])
      expect(readFileSync(join(next.data, name), 'utf8')).toBe(`second, ${name}`);
    next.close();
  },
);

/** A space with `p/z/file`, where `p/z` can be exchanged for a link to a folder outside, and back. */
function exchanging() {
  const root = folders.make();
  const outside = outsideOf(root);
  const at = join(root, 'space');
  mkdirSync(join(at, 'p/z'), { recursive: true });
  writeFileSync(join(at, 'p/z/file'), 'mine');
  const exchange = () => {
    renameSync(join(at, 'p/z'), join(at, 'away'));
    symlinkSync(outside, join(at, 'p/z'));
  };
  const back = () => {
    unlinkSync(join(at, 'p/z'));
    renameSync(join(at, 'away'), join(at, 'p/z'));
  };
  return { space: new DirectorySpace(at), outside, exchange, back };
}

type Space = DirectorySpace;
const CALLS: [string, (space: Space) => Promise<unknown>][] = [
  ['write', (space) => space.write('p/z/file', contentOf('x'))],
  ['write of a new file', (space) => space.write('p/z/new', contentOf('x'))],
  ['makeDirectory', (space) => space.makeDirectory('p/z/folder')],
  ['makeSymlink', (space) => space.makeSymlink('p/z/link', 'x')],
  ['move into it', (space) => space.move({ path: 'mine', kind: 'file' }, 'p/z/moved')],
  ['move out of it', (space) => space.move({ path: 'p/z/file', kind: 'file' }, 'stolen')],
  ['read', (space) => readAll(space, { path: 'p/z/file' }, 100)],
  ['removeFile', (space) => space.removeFile('p/z/file')],
  ['removeTree', (space) => space.removeTree('p/z/deep')],
];

test.each(CALLS)(
  'a folder that is exchanged between two calls is seen by the next one: %s',
  async (_, call) => {
    const { space, outside, exchange, back } = exchanging();
    await space.write('mine', contentOf('mine'));
    const before = dumpFolder(outside);
    for (let round = 0; round < 3; round += 1) {
      // It has just been looked at, and by the same way.
      await space.write('p/z/file', contentOf(`round ${round}`));
      exchange();
      const read = await call(space).catch(() => undefined);
      expect(String(read)).not.toContain('precious');
      expect(dumpFolder(outside)).toEqual(before);
      back();
    }
  },
);

test.each(['file', 'new'])(
  'a write whose folder is exchanged while its content comes claims nothing: %s',
  async (name) => {
    const { space, outside, exchange } = exchanging();
    writeFileSync(join(outside, 'new'), 'precious');
    const before = dumpFolder(outside);
    const content = {
      size: 2,
      async *open() {
        yield Buffer.from('a');
        exchange();
        yield Buffer.from('b');
      },
    };
    await expect(space.write(`p/z/${name}`, content)).rejects.toMatchObject({ code: 'not-found' });
    expect(dumpFolder(outside)).toEqual(before);
  },
);

test('a space whose root has moved is reached where it is now, and links below it still lead nowhere', async () => {
  const root = folders.make();
  mkdirSync(join(root, 'first/p/z'), { recursive: true });
  symlinkSync('first', join(root, 'at'));
  const space = new DirectorySpace(join(root, 'at'));
  await space.write('p/z/file', contentOf('mine'));
  // As a mount that comes back by another way.
  renameSync(join(root, 'first'), join(root, 'second'));
  unlinkSync(join(root, 'at'));
  symlinkSync('second', join(root, 'at'));
  expect(String(await readAll(space, { path: 'p/z/file' }, 100))).toBe('mine');
  renameSync(join(root, 'second/p/z'), join(root, 'second/away'));
  symlinkSync('../away', join(root, 'second/p/z'));
  expect(await space.stat({ path: 'p/z/file' })).toBeNull();
});

test('the way to a place is looked at once before its content comes, and once after', async () => {
  const { space } = exchanging();
  const asked = vi.spyOn(fs, 'realpath');
  syncBuiltinESMExports();
  try {
    const count = async (call: () => Promise<unknown>) => {
      asked.mockClear();
      await call();
      return asked.mock.calls.length;
    };
    // The first one resolves the root as well, in which the folder has to lie.
    expect(await count(() => space.makeDirectory('p/z'))).toBe(2);
    expect(await count(() => space.makeDirectory('p/z'))).toBe(1);
    expect(await count(() => space.write('p/z/file', contentOf('x')))).toBe(2);
    expect(await count(() => space.write('p/z/new', contentOf('x')))).toBe(2);
    expect(await count(() => space.makeSymlink('p/z/link', 'x'))).toBe(1);
    expect(await count(() => space.move({ path: 'p/z/new', kind: 'file' }, 'p/z/file'))).toBe(2);
  } finally {
    asked.mockRestore();
    syncBuiltinESMExports();
  }
});
