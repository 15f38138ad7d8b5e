import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { ChangeWatch } from '../../src/sync/volume/change-watch.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { fromEnvironment, Random, SEEDS } from './random.ts';
import { dumpFolder, openProject, sorted, visible } from './world.ts';

const RUNS = Math.ceil(fromEnvironment('SYNC_MAPPED', 3) / SEEDS.length);
const TMPFS = 0x01021994;
/** In memory nothing is written back, so nothing tells of a second write; a volume is on a disk. */
const isOnDisk = statfsSync(tmpdir()).type !== TMPFS;
const hasPython = spawnSync('python3', ['--version']).status === 0;

const made: string[] = [];
const writers: ChildProcess[] = [];
afterEach(async () => {
  for (const writer of writers.splice(0)) await end(writer);
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sync-'));
  made.push(folder);
  return folder;
}

async function write(file: string, seed?: number): Promise<ChildProcess> {
  const program = new URL('./mapped-writer.py', import.meta.url).pathname;
  const child = spawn('python3', [program, file, ...(seed === undefined ? [] : [String(seed)])], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  writers.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function end(writer: ChildProcess): Promise<void> {
  if (writer.exitCode !== null || writer.signalCode !== null) return;
  writer.kill('SIGKILL');
  await once(writer, 'exit');
}

async function tell(writer: ChildProcess, offset: number, byte: string): Promise<void> {
  writer.stdin?.write(`${offset} ${byte.charCodeAt(0)}\n`);
  await once(writer.stdout as NodeJS.ReadableStream, 'data');
}

async function opened(space: MemorySpace) {
  const context = await openProject(makeFolder(), space, { clock: systemClock });
  const changes = new ChangeWatch(context.tree, { folder: join(context.scratch, 'looks') });
  await startProject(context);
  return {
    ...context,
    changes,
    close: () => {
      changes.close();
      context.close();
    },
  };
}

describe.skipIf(!hasPython || !isOnDisk)('what is written through a memory map', () => {
  test.each(['a small file', 'a large file'])('twice to the same page is saved twice: %s', async (kind) => {
    const space = new MemorySpace();
    const context = await opened(space);
    const file = join(context.data, 'stack.mrc');
    writeFileSync(file, Buffer.alloc(kind === 'a small file' ? 5 * 4096 : 12 << 20, '0'));
    const writer = await write(file);
    await tell(writer, 4_100, 'a');
    // Long enough for the file not to look young, and the page is still dirty.
    await sleep(300);
    await save(context);
    await tell(writer, 4_100, 'b');
    await end(writer);
    expect(await save(context, { last: true })).toMatchObject({ saved: true, changes: 1 });
    expect((await visible(space)).get('stack.mrc')?.[4_100]).toBe('b');
    context.close();
  });

  test('in the moment of a read is found by the next save, and then it is nearly free again', async () => {
    const space = new MemorySpace();
    const context = await opened(space);
    const file = join(context.data, 'stack.mrc');
    writeFileSync(file, Buffer.alloc(5 * 4096, '0'));
    const writer = await write(file);
    await tell(writer, 1, 'a');
    await save(context);
    await tell(writer, 1, 'b');
    expect(await save(context)).toMatchObject({ saved: true });
    expect((await visible(space)).get('stack.mrc')?.[1]).toBe('b');
    await sleep(1_200);
    await save(context);
    expect(context.state.base.get('stack.mrc')?.racy).toBe(false);
    context.close();
  });

  test.each(SEEDS)(
    'while saves run is in the space after the last save, byte for byte: seed %i',
    async (seed) => {
      for (let run = 0; run < RUNS; run += 1) {
        const random = new Random(seed + run);
        const space = new MemorySpace();
        const context = await opened(space);
        mkdirSync(join(context.data, 'Runs'));
        const files = Array.from({ length: 3 }, (_, index) => join(context.data, `Runs/${index}.mrcs`));
        for (const file of files) {
          const size = random.chance(0.3)
            ? (9 << 20) + 77
            : 4096 * (1 + random.below(30)) + random.below(4096);
          writeFileSync(
            file,
            random
              .bytes(16)
              .toString('hex')
              .repeat(Math.ceil(size / 32))
              .slice(0, size),
          );
        }
        const at = await Promise.all(files.map((file, index) => write(file, seed + run * 10 + index)));
        for (let round = random.below(5); round >= 0; round -= 1) {
          await sleep(random.below(350));
          await save(context, random.chance(0.5) ? { scope: 'changed' } : {});
        }
        // Some end while a save runs, each in the middle of what it does.
        const saving = random.chance(0.5) ? save(context) : null;
        for (const writer of at) {
          await end(writer);
          await sleep(random.below(30));
        }
        await saving;
        for (let round = 0; round < 5; round += 1) {
          if ((await save(context, { last: true })).skipped === 0) break;
        }
        expect(sorted(dumpFolder(context.data)), `run ${run}`).toEqual(sorted(await visible(space)));
        context.close();
      }
    },
    60_000 + RUNS * 10_000,
  );
});
