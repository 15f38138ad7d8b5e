import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject, TestClock } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const FILES = 40;

/** What a new volume is told of a space from which others have removed so many files of its last save. */
async function toldAfter(removed: number, by: 'the owner of the space' | 'the instance') {
  const [space, clock] = [new MemorySpace(), new TestClock()];
  const one = await openProject(folders.make(), space, { clock });
  await startProject(one);
  mkdirSync(join(one.data, 'p'));
  for (let number = 0; number < FILES; number += 1) writeFileSync(join(one.data, `p/${number}`), `${number}`);
  await save(one);
  for (let number = 0; number < removed; number += 1) {
    if (by === 'the instance') rmSync(join(one.data, `p/${number}`));
    else await space.removeFile(`p/${number}`);
  }
  if (by === 'the instance') await save(one, { confirmedDeletions: removed });
  await one.lease.release();
  one.close();
  const other = await openProject(folders.make(), space, { clock });
  const { restored, lost } = await startProject(other);
  other.close();
  return { restored, lost };
}

test('a new volume is told where its space has lost most files of the last save', async () => {
  for (const removed of [FILES, FILES - 5]) {
    const { restored, lost } = await toldAfter(removed, 'the owner of the space');
    expect(restored).toBe(FILES - removed);
    expect(lost).toContain(`lacks ${removed} of ${FILES} files of its last save (p/0, p/1, `);
  }
});

test('what a few removals are, or those of an instance, is no loss', async () => {
  expect((await toldAfter(5, 'the owner of the space')).lost).toBe(null);
  expect((await toldAfter(FILES, 'the instance')).lost).toBe(null);
});
