import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

async function fresh(space: MemorySpace) {
  const context = await openProject(folders.make(), space);
  await startProject(context);
  return context;
}

test('a folder that was moved and left behind as a link: nothing behind the link counts as below it', async () => {
  const space = new MemorySpace();
  const first = await fresh(space);
  mkdirSync(join(first.data, 'p/Runs/000002'), { recursive: true });
  mkdirSync(join(first.data, 'archive'));
  writeFileSync(join(first.data, 'p/Runs/000002/out.mrc'), 'output');
  await save(first);
  renameSync(join(first.data, 'p/Runs'), join(first.data, 'archive/Runs'));
  symlinkSync('../archive/Runs', join(first.data, 'p/Runs'));
  writeFileSync(join(first.data, 'archive/Runs/000002/new.txt'), 'after the move');
  expect(await save(first)).toMatchObject({ saved: true, skipped: 0 });
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(first.data)));

  await first.lease.release();
  const second = await fresh(space);
  expect(sorted(dumpFolder(second.data))).toEqual(sorted(dumpFolder(first.data)));
  expect(await save(second)).toMatchObject({ saved: false });
});

describe('a folder that becomes a link during a save', () => {
  test.each(['to a folder with the same names', 'to nothing'])(
    '%s: nothing behind it is saved',
    async (to) => {
      const outside = folders.make();
      for (const name of ['a', 'b', 'c']) writeFileSync(join(outside, name), `not of the project: ${name}`);
      const space = new MemorySpace();
      const context = await fresh(space);
      const { data } = context;
      mkdirSync(join(data, 'folder'));
      for (const name of ['a', 'b', 'c']) writeFileSync(join(data, 'folder', name), `work ${name}`);
      const open = context.tree.open.bind(context.tree);
      let opened = 0;
      context.tree.open = (path) => {
        opened += 1;
        if (opened === 2) {
          renameSync(join(data, 'folder'), join(data, 'moved'));
          symlinkSync(to === 'to nothing' ? 'nowhere' : outside, join(data, 'folder'));
        }
        return open(path);
      };
      await save(context);
      expect(
        [...(await dumpSpace(space)).values()].filter((text) => text.includes('not of the project')),
      ).toEqual([]);
      await save(context);
      expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
      expect((await visible(space)).get('moved/a')).toBe('work a');
      expect(readdirSync(outside)).toEqual(['a', 'b', 'c']);
    },
  );
});

test('a database whose folder becomes a link while it is copied: not the one behind the link is saved', async () => {
  const outside = folders.make();
  const make = (file: string, text: string) => {
    const database = new DatabaseSync(file);
    database.exec(`CREATE TABLE t (v); INSERT INTO t VALUES ('${text}')`);
    database.close();
  };
  const space = new MemorySpace();
  const context = await fresh(space);
  const { data } = context;
  mkdirSync(join(data, 'folder'));
  make(join(data, 'folder/db.sqlite'), 'work');
  make(join(outside, 'db.sqlite'), 'not of the project');
  const open = context.tree.open.bind(context.tree);
  let isMoved = false;
  context.tree.open = (path) => {
    const opened = open(path);
    if (!isMoved) {
      isMoved = true;
      renameSync(join(data, 'folder'), join(data, 'moved'));
      symlinkSync(outside, join(data, 'folder'));
    }
    return opened;
  };
  await save(context);
  const stored = async () => [...(await dumpSpace(space)).values()].join();
  expect(isMoved).toBe(true);
  expect(await stored()).not.toContain('not of the project');
  await save(context);
  expect((await visible(space)).get('moved/db.sqlite')).toContain('work');
  expect(await stored()).not.toContain('not of the project');
});
