import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { stageIn } from '../../src/sync/restore/stage-in.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { restoreFromTrash } from '../../src/sync/restore/trash-content.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { killWriter, MODES, type Mode, ROWS, rowsInSpace, rowsOf, SIDE } from './killed-set.ts';
import { dumpFolder, Folders, openProject, TestClock, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

/** Named so that its first bytes alone tell what it is. */
const NAME = 'p/particles.data';

function makeDatabase(file: string, rows: number): void {
  const database = new DatabaseSync(file);
  database.exec(
    'CREATE TABLE IF NOT EXISTS Objects (id INTEGER PRIMARY KEY, text TEXT); DELETE FROM Objects; BEGIN',
  );
  const insert = database.prepare('INSERT INTO Objects (text) VALUES (?)');
  for (let index = 0; index < rows; index += 1) insert.run('other '.repeat(60));
  database.exec('COMMIT');
  database.close();
}

interface World {
  readonly space: MemorySpace;
  readonly clock: TestClock;
  readonly root: string;
  readonly file: string;
}

/** A volume whose saved database has the side file of a killed writer beside it. */
async function killed(mode: Mode): Promise<World> {
  const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  mkdirSync(join(context.data, 'p'));
  const file = join(context.data, NAME);
  await killWriter(file, mode);
  await save(context);
  expect(await rowsInSpace(space, NAME)).toBe(ROWS);
  expect([...(await visible(space)).keys()].sort()).toEqual(['p/', NAME]);
  await context.lease.release();
  context.close();
  return { space, clock, root, file };
}

/** Another volume saves what `work` makes of the project. */
async function elsewhere({ space, clock }: World, work: (file: string) => void): Promise<void> {
  clock.advance(5_000);
  const other = await openProject(folders.make(), space, { clock, lease: 'patient' });
  await startProject(other);
  work(join(other.data, NAME));
  await save(other);
  await other.lease.release();
  other.close();
}

describe.each(MODES)('what a killed writer left beside a database: %s', (mode) => {
  test('goes before a newer version of it comes from the space', async () => {
    const w = await killed(mode);
    await elsewhere(w, (file) => makeDatabase(file, 7));
    const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(context);
    expect(existsSync(w.file + SIDE[mode])).toBe(false);
    expect(rowsOf(w.file)).toBe(7);
    await save(context);
    expect(await rowsInSpace(w.space, NAME)).toBe(7);
    expect([...(await visible(w.space)).keys()].sort()).toEqual(['p/', NAME]);
    context.close();
  });

  test.each([
    ['it is removed', (file: string) => rmSync(file)],
    [
      'a text takes its place',
      (file: string) => {
        rmSync(file);
        writeFileSync(file, 'text');
      },
    ],
    [
      'a link takes its place',
      (file: string) => {
        rmSync(file);
        symlinkSync('elsewhere', file);
      },
    ],
    [
      'a folder takes its place',
      (file: string) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ])('goes before %s', async (_, work) => {
    const w = await killed(mode);
    await elsewhere(w, work);
    const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(context);
    await save(context);
    expect(
      [...dumpFolder(join(context.data, 'p')).keys()].filter((name) => /-(wal|shm|journal)$/.test(name)),
    ).toEqual([]);
    expect(dumpFolder(context.data)).toEqual(await visible(w.space));
    context.close();
  });

  test('is unsaved work where the space has a newer version: both are kept', async () => {
    const w = await killed(mode);
    await elsewhere(w, (file) => makeDatabase(file, 7));
    w.clock.advance(5_000);
    await killWriter(w.file, mode);
    const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(context, { confirmedMerge: true });
    const names = [...(await visible(w.space)).keys()].filter((name) => name.startsWith('p/particles'));
    const rows = await Promise.all(names.map((name) => rowsInSpace(w.space, name)));
    expect(rows.sort((a, b) => a - b)).toEqual([7, 2 * ROWS]);
    for (const name of names) expect([7, 2 * ROWS]).toContain(rowsOf(join(context.data, name)));
    context.close();
  });

  test('stays unread by a database that comes back from the trash', async () => {
    const w = await killed(mode);
    const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(context);
    // Its side file stays behind, as a file of its own.
    rmSync(w.file);
    await save(context);
    const { restored } = await restoreFromTrash(context, NAME, null);
    expect(rowsOf(join(context.data, String(restored[0])))).toBe(ROWS);
    context.close();
  });

  test('stays unread by a database that comes to its place from the space', async () => {
    const w = await killed(mode);
    const side = readFileSync(w.file + SIDE[mode]);
    rmSync(w.file);
    rmSync(w.file + SIDE[mode]);
    const first = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(first);
    await save(first);
    writeFileSync(w.file + SIDE[mode], side);
    first.close();
    w.clock.advance(5_000);
    const copy = join(folders.make(), 'new');
    makeDatabase(copy, 5);
    await w.space.write(NAME, contentOf(readFileSync(copy)));
    const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(context);
    expect(rowsOf(w.file)).toBe(5);
    await save(context);
    expect(await rowsInSpace(w.space, NAME)).toBe(5);
    expect([...dumpFolder(context.data).values()]).toContain(side.toString('latin1'));
    context.close();
  });

  test('in a space that others filled becomes a part of its database with the first save', async () => {
    const folder = folders.make();
    await killWriter(join(folder, 'a'), mode);
    const space = new MemorySpace();
    await space.makeDirectory('p');
    for (const ending of ['', SIDE[mode]])
      await space.write(`${NAME}${ending}`, contentOf(readFileSync(join(folder, `a${ending}`))));
    const context = await openProject(folders.make(), space);
    await startProject(context);
    await save(context);
    expect(await rowsInSpace(space, NAME)).toBe(ROWS);
    expect([...(await visible(space)).keys()].sort()).toEqual(['p/', NAME]);
    expect(rowsOf(join(context.data, NAME))).toBe(ROWS);
    await save(context);
    expect(await rowsInSpace(space, NAME)).toBe(ROWS);
    const plan = await planFolderRestore(context, { path: '', to: 'copy', of: null }, 1);
    await restoreToFolder(context, plan);
    expect(rowsOf(join(context.data, 'copy', NAME))).toBe(ROWS);
    context.close();
  });

  test('in the source space is copied as it is, once, and replaced as a whole', async () => {
    const folder = folders.make();
    const source = new MemorySpace();
    await killWriter(join(folder, 'a'), mode);
    const bring = async (...endings: string[]) => {
      for (const ending of endings)
        await source.write(`a${ending}`, contentOf(readFileSync(join(folder, `a${ending}`))));
    };
    await bring('', SIDE[mode]);
    const context = await openProject(folders.make(), source, { lease: false });
    expect(await stageIn(context)).toMatchObject({ copied: 2, warnings: [] });
    expect(await stageIn(context)).toMatchObject({ copied: 0, warnings: [] });
    const kept = folders.make();
    for (const ending of ['', SIDE[mode]])
      copyFileSync(join(context.data, `a${ending}`), join(kept, `a${ending}`));
    expect(rowsOf(join(kept, 'a'))).toBe(ROWS);
    // The owner opens it, which takes the side file away, and changes it.
    makeDatabase(join(folder, 'a'), 3);
    renameSync(join(folder, 'a'), join(folder, 'b'));
    makeDatabase(join(folder, 'a'), 3);
    await source.removeFile(`a${SIDE[mode]}`);
    await new Promise((done) => setTimeout(done, 1_100));
    await bring('');
    expect(await stageIn(context)).toMatchObject({ copied: 1, warnings: [] });
    expect([...dumpFolder(context.data).keys()]).toEqual(['a']);
    expect(rowsOf(join(context.data, 'a'))).toBe(3);
    context.close();
  });
});
