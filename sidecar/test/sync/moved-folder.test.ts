import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { MemorySpace } from '../../src/sync/memory-space.ts';
import { save } from '../../src/sync/save.ts';
import { startProject } from '../../src/sync/start.ts';
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
