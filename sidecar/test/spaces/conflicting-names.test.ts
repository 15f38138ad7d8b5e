import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpFolder, Folders, openProject, visible } from '../sync/world.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

/** ⚠ Two providers made the same name at once: one of both shows as `name@<provider>`, for as long as the other is there. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(async () => {
  await given.dispose();
  folders.clear();
});

/** Somebody at another provider makes `report` in the folder `p` of a space. */
function conflict(spaceId: string): void {
  const { spaces } = given.emulator.context;
  const folder = spaces.tree.child(spaces.root(spaceId).uuid, 'p');
  if (!folder) throw new Error('no folder p');
  spaces.makeConflict(folder, 'report', 'other-provider', 'theirs');
}
const textOf = async (space: Space, path: string, id?: string) =>
  (await readAll(space, { path, ...(id === undefined ? {} : { id }) }, 100)).toString();

test('both are entries of their own, found by what they show; an id outlives the suffix', async () => {
  const id = await given.addSpace();
  const space = withRetry(given.open(id));
  await space.makeDirectory('p');
  await space.write('p/report', contentOf('mine'));
  conflict(id);
  const entries = new Map<string, string>();
  for await (const entry of space.list({ path: 'p' })) entries.set(entry.name, entry.id);
  expect([...entries.keys()].sort()).toEqual(['report', 'report@othe']);
  expect([await textOf(space, 'p/report'), await textOf(space, 'p/report@othe')]).toEqual(['mine', 'theirs']);
  await space.removeFile('p/report');
  expect(await space.stat({ path: 'p/report@othe' })).toBeNull();
  expect(await textOf(space, 'p/report@othe', entries.get('report@othe'))).toBe('theirs');
  expect(await textOf(space, 'p/report')).toBe('theirs');
  await space.close();
});

test('a project gets both, and keeps theirs under its own name when ours goes', async () => {
  const id = await given.addSpace();
  const space = withRetry(given.open(id));
  const first = await openProject(folders.make(), space);
  await startProject(first);
  mkdirSync(join(first.data, 'p'));
  writeFileSync(join(first.data, 'p/report'), 'mine');
  await save(first);
  conflict(id);
  await startProject(first);
  expect(dumpFolder(first.data)).toEqual(
    new Map([
      ['p/', ''],
      ['p/report', 'mine'],
      ['p/report@othe', 'theirs'],
    ]),
  );
  rmSync(join(first.data, 'p/report'));
  await save(first);
  await startProject(first);
  expect((await visible(space)).get('p/report')).toBe('theirs');
  expect(dumpFolder(first.data)).toEqual(
    new Map([
      ['p/', ''],
      ['p/report', 'theirs'],
    ]),
  );
  first.close();
  await space.close();
});
