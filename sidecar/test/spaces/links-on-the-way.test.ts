import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
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
