import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { readAll } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { fromEnvironment } from './random.ts';
import { Folders, openProject } from './world.ts';

const SAVES = fromEnvironment('SYNC_HOT_SAVES', 20);

const folders = new Folders();
const writers: ChildProcess[] = [];
afterEach(async () => {
  for (const writer of writers.splice(0)) {
    if (writer.exitCode !== null || writer.signalCode !== null) continue;
    writer.kill('SIGKILL');
    await once(writer, 'exit');
  }
  folders.clear();
});

async function writeSet(run: string, mode: 'DELETE' | 'TRUNCATE' | 'WAL'): Promise<void> {
  mkdirSync(run, { recursive: true });
  const program = new URL('./set-writer.ts', import.meta.url).pathname;
  const files = [join(run, 'particles.sqlite'), join(run, 'run.stdout'), mode];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  writers.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.resume();
}

/** Items of a set; its own count was committed together with them. */
function sizeOf(file: string): number {
  const database = new DatabaseSync(file);
  try {
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    const { n } = database.prepare('SELECT count(*) AS n FROM Objects').get() as { n: number };
    expect(database.prepare(`SELECT value FROM Properties WHERE key = '_size'`).get()).toEqual({
      value: String(n),
    });
    return n;
  } finally {
    database.close();
  }
}

test(
  `${SAVES} saves of sets that are being written: every database is one commit of its writer`,
  async () => {
    const space = new MemorySpace();
    const context = await openProject(folders.make(), space, { clock: systemClock });
    await startProject(context);
    const runs = ['Runs/000002_Delete', 'Runs/000003_Truncate', 'Runs/000004_Wal'];
    const modes = ['DELETE', 'TRUNCATE', 'WAL'] as const;
    for (const [index, mode] of modes.entries())
      await writeSet(join(context.data, runs[index] as string), mode);
    const copy = join(folders.make(), 'copy.sqlite');
    const sizes = runs.map(() => new Set<number>());
    for (let round = 1; round <= SAVES; round += 1) {
      const result = await save(context);
      // A log may grow at every look; a database waits for its reader.
      expect(result.skipped).toBeLessThanOrEqual(runs.length);
      for (const [index, run] of runs.entries()) {
        writeFileSync(copy, await readAll(space, { path: `${run}/particles.sqlite` }, 1 << 28));
        sizes[index]?.add(sizeOf(copy));
      }
      await new Promise((done) => setTimeout(done, 10));
    }
    for (const [index, mode] of modes.entries())
      expect(sizes[index]?.size, `different commits were met: ${mode}`).toBeGreaterThan(
        Math.min(3, SAVES / 2),
      );
    const state = writers.map((writer) => writer.exitCode);
    expect(state, 'the writers were not disturbed').toEqual([null, null, null]);
    context.close();
  },
  SAVES * 5_000 + 20_000,
);
