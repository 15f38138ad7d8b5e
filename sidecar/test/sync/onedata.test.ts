import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpFolder, Folders, openProject, sorted, trashOf, visible } from './world.ts';

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(async () => {
  await given.dispose();
  folders.clear();
});

describe('a project in a Onedata space over REST', () => {
  test('is saved, changed, saved and restored', async () => {
    const space = withRetry(given.open(await given.addSpace()));
    const context = await openProject(folders.make(), space);
    await startProject(context);
    mkdirSync(join(context.data, 'p/Runs/000002_Import/extra'), { recursive: true });
    mkdirSync(join(context.data, 'p/Tmp'));
    for (let index = 0; index < 40; index += 1) {
      writeFileSync(join(context.data, `p/Runs/000002_Import/mic ${index}.mrc`), `micrograph ${index}`);
    }
    writeFileSync(join(context.data, 'p/empty'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${context.data}/p/odd`), Buffer.from([0xff, 0x0a])]), 'odd');
    symlinkSync('/mnt/vol-dataset/a.mrc', join(context.data, 'p/Runs/000002_Import/extra/a.mrc'));
    const database = new DatabaseSync(join(context.data, 'p/project.sqlite'));
    database.exec('CREATE TABLE Objects (id INTEGER); INSERT INTO Objects VALUES (1)');
    expect(await save(context)).toMatchObject({ saved: true, generation: 1, skipped: 0 });
    database.exec('INSERT INTO Objects VALUES (2)');
    database.close();
    writeFileSync(join(context.data, 'p/Runs/000002_Import/mic 0.mrc'), 'another');
    expect(await save(context)).toMatchObject({ saved: true, generation: 2, skipped: 0 });
    expect(await trashOf(space)).toHaveLength(2);
    expect(await save(context)).toMatchObject({ saved: false });
    await context.lease.release();
    const other = await openProject(folders.make(), space);
    await startProject(other);
    expect(sorted(dumpFolder(other.data))).toEqual(sorted(dumpFolder(context.data)));
    expect((await visible(space)).get('p/Runs/000002_Import/extra/a.mrc')).toBe('→ /mnt/vol-dataset/a.mrc');
    expect(await save(other)).toMatchObject({ saved: false });
  });
});
