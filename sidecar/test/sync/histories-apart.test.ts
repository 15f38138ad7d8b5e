import { rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

/**
 * A space whose site brought a backup of save 2 back, after which another instance saved `theirs` times. The volume here
 * is on save 4: its newest work is in no place but here.
 */
async function apart(theirs: number) {
  const clock = new TestClock();
  const place = folders.make();
  const root = folders.make();
  const mine = await openProject(root, new DirectorySpace(place), { clock });
  await startProject(mine);
  for (const name of ['a', 'b', 'gone later', 'shared'])
    writeFileSync(join(mine.data, name), `first ${name}`);
  await save(mine);
  writeFileSync(join(mine.data, 'a'), 'second a');
  await save(mine);
  const backup = folders.make();
  await cp(place, backup, { recursive: true, preserveTimestamps: true });
  writeFileSync(join(mine.data, 'only here'), 'saved, and then lost by the space');
  writeFileSync(join(mine.data, 'shared'), 'mine, saved');
  await save(mine);
  rmSync(join(mine.data, 'gone later'));
  await save(mine);
  await mine.lease.release();
  mine.close();
  rmSync(place, { recursive: true });
  await cp(backup, place, { recursive: true, preserveTimestamps: true });
  const other = await openProject(folders.make(), new DirectorySpace(place), {
    clock,
    instance: 'lab/bob',
    lease: 'patient',
  });
  await startProject(other);
  for (let round = 1; round <= theirs; round += 1) {
    writeFileSync(join(other.data, 'shared'), `theirs, saved ${round}`);
    writeFileSync(join(other.data, `new ${round}`), 'of another instance');
    rmSync(join(other.data, 'b'), { force: true });
    await save(other);
  }
  await other.lease.release();
  other.close();
  return { clock, place, root, space: new DirectorySpace(place), work: dumpFolder(join(root, 'data')) };
}

describe.each([1, 2, 3])(
  'a space that went back in time and was saved to %i times by another instance',
  (theirs) => {
    test('takes nothing from the volume, also where the numbers of the saves are equal or higher', async () => {
      const w = await apart(theirs);
      const context = await openProject(w.root, w.space, { clock: w.clock });
      const { warnings } = await startProject(context);
      expect(warnings.join()).toMatch(/does not know save 4 of this volume/);
      const now = dumpFolder(context.data);
      for (const [path, content] of w.work) expect(now.get(path), path).toBe(content);
      expect([...now.values()]).toContain(`theirs, saved ${theirs}`);
      expect(now.get('new 1')).toBe('of another instance');
      expect(now.get('only here')).toBe('saved, and then lost by the space');
      await save(context);
      expect(sorted(await visible(w.space))).toEqual(sorted(dumpFolder(context.data)));
      // From here on it is one history again.
      context.close();
      const again = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
      expect((await startProject(again)).warnings).toEqual([]);
      again.close();
    });

    test('loses nothing where the desktop runs meanwhile', async () => {
      const w = await apart(theirs);
      const context = await openProject(w.root, w.space, { clock: w.clock });
      writeFileSync(join(context.data, 'work'), 'made after the container came back');
      await save(context);
      const found = await visible(w.space);
      for (const [path, content] of w.work) expect(found.get(path), path).toBe(content);
      expect([...found.values()]).toContain(`theirs, saved ${theirs}`);
      context.close();
    });
  },
);

test('a volume that was away for 200 saves of another instance is brought up to date as before', async () => {
  const clock = new TestClock();
  const place = folders.make();
  const root = folders.make();
  const mine = await openProject(root, new DirectorySpace(place), { clock });
  await startProject(mine);
  writeFileSync(join(mine.data, 'a'), 'first');
  writeFileSync(join(mine.data, 'b'), 'first');
  await save(mine);
  await mine.lease.release();
  mine.close();
  const other = await openProject(folders.make(), new DirectorySpace(place), { clock, instance: 'lab/bob' });
  await startProject(other);
  rmSync(join(other.data, 'b'));
  for (let round = 1; round <= 200; round += 1) {
    writeFileSync(join(other.data, 'a'), `round ${round}`);
    await save(other);
  }
  await other.lease.release();
  other.close();
  const again = await openProject(root, new DirectorySpace(place), { clock });
  expect((await startProject(again)).warnings).toEqual([]);
  expect(sorted(dumpFolder(again.data))).toEqual([['a', 'round 200']]);
  again.close();
});
