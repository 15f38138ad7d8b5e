import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { readAll } from '../../src/spaces/space.ts';
import { DatabaseBusyError } from '../../src/sync/file-errors.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { copyDatabase } from '../../src/sync/volume/sqlite-copy.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject, TestClock, visible } from './world.ts';

const folders = new Folders();
const writers: ChildProcess[] = [];
afterEach(async () => {
  for (const writer of writers.splice(0)) {
    if (writer.exitCode === null && writer.signalCode === null) {
      writer.kill('SIGKILL');
      await once(writer, 'exit');
    }
  }
  folders.clear();
});

async function writer(file: string, mode: 'DELETE' | 'WAL'): Promise<ChildProcess> {
  const program = new URL('./live-writer.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, file, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  writers.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.resume();
  return child;
}

function integrity(file: string): { check: string; rows: number } {
  const database = new DatabaseSync(file);
  try {
    const { integrity_check: check } = database.prepare('PRAGMA integrity_check').get() as {
      integrity_check: string;
    };
    const { n } = database.prepare('SELECT count(*) AS n FROM Objects').get() as { n: number };
    return { check, rows: n };
  } finally {
    database.close();
  }
}

describe('live databases', () => {
  test.each(['DELETE', 'WAL'] as const)(
    'every save of a database in use is intact, by each of its names: %s',
    async (mode) => {
      const space = new MemorySpace();
      const context = await openProject(folders.make(), space, { clock: systemClock });
      await startProject(context);
      mkdirSync(join(context.data, 'p'));
      const file = join(context.data, 'p/particles.sqlite');
      await writer(file, mode);
      const names = ['p/a second name', 'p/particles.sqlite', 'p/second name'];
      for (const name of names) if (name !== 'p/particles.sqlite') linkSync(file, join(context.data, name));
      const seen = new Set<number>();
      for (let round = 0; round < 8; round += 1) {
        const result = await save(context);
        expect(result.skipped).toBe(0);
        for (const name of names) {
          const copy = join(folders.make(), 'copy.sqlite');
          writeFileSync(copy, await readAll(space, { path: name }, 1 << 28));
          const { check, rows } = integrity(copy);
          expect([name, check]).toEqual([name, 'ok']);
          // A commit is 100 rows or a deletion of a third: never a part of one.
          seen.add(rows);
        }
        await new Promise((done) => setTimeout(done, 15));
      }
      expect(seen.size).toBeGreaterThan(2);
      expect([...(await visible(space)).keys()].sort()).toEqual(['p/', ...names]);
    },
  );

  test('a database at rest is saved byte for byte, and once', async () => {
    const space = new MemorySpace();
    const context = await openProject(folders.make(), space, { clock: new TestClock() });
    await startProject(context);
    const file = join(context.data, 'project.sqlite');
    const database = new DatabaseSync(file);
    database.exec(
      'CREATE TABLE Objects (id INTEGER); INSERT INTO Objects VALUES (1); UPDATE Objects SET id = 2',
    );
    database.close();
    await save(context);
    expect((await visible(space)).get('project.sqlite')).toBe(readFileSync(file).toString('latin1'));
    expect(await save(context)).toMatchObject({ saved: false });
  });

  test('a hot journal is rolled back in the copy, the original stays as it is', async () => {
    const folder = folders.make();
    const file = join(folder, 'a.sqlite');
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA cache_size = 1; CREATE TABLE Objects (id INTEGER PRIMARY KEY, text TEXT);
      INSERT INTO Objects VALUES (1, 'committed')`);
    // A large transaction spills into the file; what lies there now is what a kill leaves.
    database.exec('BEGIN');
    const insert = database.prepare('INSERT INTO Objects (text) VALUES (?)');
    for (let index = 0; index < 2_000; index += 1) insert.run('not committed '.repeat(20));
    const killed = join(folder, 'killed.sqlite');
    copyFileSync(file, killed);
    copyFileSync(`${file}-journal`, `${killed}-journal`);
    database.exec('ROLLBACK');
    database.close();
    const before = readFileSync(killed);
    expect(before.length).toBeGreaterThan(100_000);
    const copy = join(folder, 'copy.sqlite');
    await copyDatabase(Buffer.from(killed), copy, { clock: systemClock });
    expect(integrity(copy)).toEqual({ check: 'ok', rows: 1 });
    expect(readFileSync(killed).equals(before)).toBe(true);
    expect(existsSync(`${killed}-journal`)).toBe(true);
  });

  test('a database that is locked for long is left for the next round', async () => {
    const space = new MemorySpace();
    const clock = new TestClock();
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    const file = join(context.data, 'a.db');
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE Objects (id INTEGER)');
    writeFileSync(join(context.data, 'other'), 'x');
    database.exec('BEGIN EXCLUSIVE; INSERT INTO Objects VALUES (1)');
    await expect(
      copyDatabase(Buffer.from(file), join(context.scratch, 'c'), { clock, waitMs: 300 }),
    ).rejects.toThrow(DatabaseBusyError);
    expect(await save(context)).toMatchObject({ saved: true, skipped: 1 });
    expect([...(await visible(space)).keys()]).toEqual(['other']);
    database.exec('COMMIT');
    database.close();
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect([...(await visible(space)).keys()].sort()).toEqual(['a.db', 'other']);
  });
});
