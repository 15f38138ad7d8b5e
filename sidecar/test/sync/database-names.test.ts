import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readAll } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { killWriter, MODES, ROWS, rowsInSpace, rowsOf, SIDE } from './killed-set.ts';
import { Folders, openProject, TestClock, visible } from './world.ts';

/**
 * Databases whose log or journal is not found the easy way: it lies beside another name of the same file, or may not be
 * read or used where it lies. As a user as in the container: root may read everything.
 */

const USER = 1000;
const mayChange = process.geteuid?.() === 0;
const folders = new Folders();
beforeEach(() => {
  if (mayChange) process.seteuid?.(USER);
});
afterEach(() => {
  if (mayChange) process.seteuid?.(0);
  folders.clear();
});

const NAMES = ['a first/name.db', 'p/a.db', 'p/run.db', 'p/z.db', 'z last/name.db'];
const RUN = 'p/run.db';

async function project() {
  const [space, clock] = [new MemorySpace(), new TestClock()];
  const context = await openProject(folders.make(), space, { clock });
  await startProject(context);
  for (const name of ['a first', 'p', 'z last']) mkdirSync(join(context.data, name));
  return { space, clock, context, at: (name: string) => join(context.data, name) };
}

describe('a database with more than one name', () => {
  test.each(MODES)('the log of one name is that of all: %s', async (mode) => {
    const { space, clock, context, at } = await project();
    await killWriter(at(RUN), mode);
    for (const name of NAMES) if (name !== RUN) linkSync(at(RUN), at(name));
    expect((await save(context)).fileProblems.total).toBe(0);
    for (const name of NAMES) expect([name, await rowsInSpace(space, name)]).toEqual([name, ROWS]);
    await context.lease.release();
    context.close();
    const other = await openProject(folders.make(), space, { clock });
    await startProject(other);
    const inodes = NAMES.map((name) => lstatSync(join(other.data, name)).ino);
    expect(new Set(inodes).size, 'it is one file there too').toBe(1);
    for (const name of NAMES) expect([name, rowsOf(join(other.data, name))]).toEqual([name, ROWS]);
    other.close();
  });

  test('rows that come to the log later make every name a changed one', async () => {
    const { space, context, at } = await project();
    await killWriter(at(RUN), 'WAL');
    for (const name of NAMES) if (name !== RUN) linkSync(at(RUN), at(name));
    await save(context);
    const database = new DatabaseSync(at(RUN));
    database.exec(`PRAGMA wal_autocheckpoint = 0; INSERT INTO Objects (text) VALUES ('one more')`);
    // A second reader keeps the log where it is.
    const reader = new DatabaseSync(at(RUN), { readOnly: true });
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM Objects').get();
    database.close();
    await save(context);
    reader.close();
    for (const name of NAMES) expect([name, await rowsInSpace(space, name)]).toEqual([name, ROWS + 1]);
    context.close();
  });

  test('a new name of a database that was saved before has its rows', async () => {
    const { space, context, at } = await project();
    await killWriter(at(RUN), 'WAL');
    await save(context);
    linkSync(at(RUN), at('a first/name.db'));
    await save(context);
    expect(await rowsInSpace(space, 'a first/name.db')).toBe(ROWS);
    expect(await rowsInSpace(space, RUN)).toBe(ROWS);
    context.close();
  });

  test('a name that is somebody else’s file by now is none', async () => {
    const { space, context, at } = await project();
    await killWriter(at(RUN), 'WAL');
    linkSync(at(RUN), at('z last/name.db'));
    await save(context);
    for (const ending of ['', '-wal', '-shm']) rmSync(at(RUN) + ending, { force: true });
    const other = new DatabaseSync(at(RUN));
    other.exec('PRAGMA journal_mode = WAL; CREATE TABLE Objects (id INTEGER)');
    await save(context);
    other.close();
    expect(await rowsInSpace(space, RUN)).toBe(0);
    // What it holds without the log that was removed.
    const alone = join(folders.make(), 'alone');
    writeFileSync(alone, await readAll(space, { path: 'z last/name.db' }, 1 << 28));
    expect(new DatabaseSync(alone).prepare('PRAGMA integrity_check').get()).toEqual({
      integrity_check: 'ok',
    });
    context.close();
  });
});

describe('a side file that cannot be read or used', () => {
  test.each(MODES)('is named, and the database waits for it: %s', async (mode) => {
    const { space, context, at } = await project();
    await killWriter(at(RUN), mode);
    writeFileSync(at('p/other'), 'other');
    chmodSync(at(RUN) + SIDE[mode], 0);
    const result = await save(context);
    expect(result.fileProblems.items.map(({ path, code }) => [path, code])).toEqual([
      [`${RUN}${SIDE[mode]}`, 'no-access'],
    ]);
    expect(result.fileProblems.items[0]?.message).toContain('do not remove it');
    expect([...(await visible(space)).keys()]).not.toContain(RUN);
    expect([...(await visible(space)).keys()]).toContain('p/other');
    chmodSync(at(RUN) + SIDE[mode], 0o644);
    expect((await save(context)).fileProblems.total).toBe(0);
    expect(await rowsInSpace(space, RUN)).toBe(ROWS);
    context.close();
  });

  test('a log without an index, in a folder that may only be read', async () => {
    const { space, context, at } = await project();
    await killWriter(at(RUN), 'WAL');
    rmSync(`${at(RUN)}-shm`);
    chmodSync(at('p'), 0o555);
    expect((await save(context)).fileProblems.total).toBe(0);
    expect(await rowsInSpace(space, RUN)).toBe(ROWS);
    expect(readdirSync(at('p')).sort()).toEqual(['run.db', 'run.db-wal']);
    chmodSync(at('p'), 0o755);
    context.close();
  });

  test.each(MODES)('an index or a log is not left beside a database at rest: %s', async (mode) => {
    const { space, context, at } = await project();
    const database = new DatabaseSync(at(RUN));
    database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE Objects (id INTEGER)`);
    database.close();
    await save(context);
    expect(readdirSync(at('p'))).toEqual(['run.db']);
    expect(await rowsInSpace(space, RUN)).toBe(0);
    expect(await save(context)).toMatchObject({ saved: false });
    context.close();
  });
});
