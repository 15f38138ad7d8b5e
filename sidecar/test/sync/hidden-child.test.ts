import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpSpace } from '../spaces/memory-space.ts';
import { Folders, openProject } from './world.ts';

/** ⚠ Onedata has no call for an empty directory: it removes one with all that is in it, also what its listing leaves out. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(async () => {
  await given.dispose();
  folders.clear();
});

test("a folder that is removed takes nobody else's file with it that a listing left out", async () => {
  const space = withRetry(given.open(await given.addSpace()));
  const project = await openProject(folders.make(), space);
  await startProject(project);
  mkdirSync(join(project.data, 'p/dir'), { recursive: true });
  writeFileSync(join(project.data, 'p/dir/ours'), 'ours');
  await save(project);
  await space.write('p/dir/theirs', contentOf('theirs'));
  given.emulator.context.faults.add({
    path: '/children',
    action: { kind: 'drop-entries', names: '^theirs$' },
  });
  rmSync(join(project.data, 'p/dir'), { recursive: true });
  await save(project);
  given.emulator.context.faults.clear();
  expect([...(await dumpSpace(space)).values()]).toContain('theirs');
  project.close();
  await space.close();
});

test('what was removed stays in the trash for its time, although no listing of its folder shows it', async () => {
  const space = withRetry(given.open(await given.addSpace()));
  const project = await openProject(folders.make(), space);
  await startProject(project);
  mkdirSync(join(project.data, 'p'));
  for (const name of ['removed', 'replaced']) writeFileSync(join(project.data, 'p', name), `old ${name}`);
  await save(project);
  rmSync(join(project.data, 'p/removed'));
  writeFileSync(join(project.data, 'p/replaced'), 'new');
  await save(project);
  given.emulator.context.faults.add({
    path: '/children',
    action: { kind: 'drop-entries', names: '^removed$' },
  });
  project.state.setMeta('trash-tidied', null);
  const versions = { removedMs: 3_600_000, replacedMs: -3_600_000, replacedSaves: 0 };
  const noSaves = { last: 0, hourly: 0, daily: 0, weekly: 0, maxBytes: null };
  expect((await tidyTrash(project, versions, noSaves)).removed).toBe(1);
  given.emulator.context.faults.clear();
  const texts = [...(await dumpSpace(space)).values()];
  expect(texts).toContain('old removed');
  expect(texts).not.toContain('old replaced');
  project.close();
  await space.close();
});
