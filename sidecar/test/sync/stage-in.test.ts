import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type ReadOnlySpace, type SpaceEntry, SpaceError } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import type { StageInContext } from '../../src/sync/restore/stage-in.ts';
import { stageIn } from '../../src/sync/restore/stage-in.ts';
import { partialFiles } from '../../src/sync/volume/partials.ts';
import { openVolume, prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, quiet, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());
const FAST = { firstWaitMs: 1, maxWaitMs: 2, retries: 3 };

async function openSource(
  root: string,
  space: ReadOnlySpace,
  free?: number,
): Promise<StageInContext & { data: string; close(): void }> {
  const clock = new TestClock();
  await prepareVolume(root);
  const volume = await openVolume(root, 'source', space, clock.now());
  if (free !== undefined) volume.tree.freeBytes = async () => free;
  return {
    ...volume,
    space,
    clock,
    log: quiet,
    progress: new Progress(clock),
    limits: DEFAULT_LIMITS,
    data: join(root, 'data'),
    close: () => volume.state.close(),
  };
}

async function sample(): Promise<MemorySpace> {
  const space = new MemorySpace({ nowSeconds: () => 1_700_000_000 });
  await space.makeDirectory('raw/empty');
  await space.write('raw/a.mrc', contentOf('aaa'));
  await space.write('raw/b b.mrc', contentOf('bbbb'));
  await space.makeSymlink('raw/link', 'a.mrc');
  return space;
}

/** Counts the bytes that are read of each path. */
function counting(inner: MemorySpace): { space: ReadOnlySpace; read: Map<string, number> } {
  const read = new Map<string, number>();
  const space = new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      if (key !== 'read') return value.bind(target);
      return async function* (file: SpaceEntry, options: object) {
        for await (const chunk of target.read(file, options)) {
          read.set(file.path, (read.get(file.path) ?? 0) + chunk.byteLength);
          yield chunk;
        }
      };
    },
  });
  return { space, read };
}

describe('stage-in', () => {
  test('copies everything with its time, and later only what is new', async () => {
    const inner = await sample();
    const { space, read } = counting(inner);
    const root = folders.make();
    const context = await openSource(root, space);
    expect(await stageIn(context)).toMatchObject({ files: 3, bytes: 7, copied: 3, removed: 0 });
    expect(sorted(dumpFolder(context.data))).toEqual(sorted(await visible(inner)));
    expect(statSync(join(context.data, 'raw/a.mrc')).mtimeMs).toBe(1_700_000_000_000);
    expect(context.progress.transfer).toMatchObject({ state: 'done', filesDone: 3, bytesDone: 7 });

    context.close();
    read.clear();
    await inner.write('raw/new', contentOf('n'));
    await inner.write('raw/b b.mrc', contentOf('changed'));
    const again = await openSource(root, space);
    expect(await stageIn(again)).toMatchObject({ copied: 2 });
    expect(Object.fromEntries(read)).toEqual({ 'raw/new': 1, 'raw/b b.mrc': 7 });
    expect(sorted(dumpFolder(again.data))).toEqual(sorted(await visible(inner)));
    again.close();
  });

  test('without its state it takes finished copies for what they are', async () => {
    const inner = await sample();
    const { space, read } = counting(inner);
    const root = folders.make();
    const context = await openSource(root, space);
    await stageIn(context);
    context.close();
    for (const file of readdirSync(join(root, 'state')))
      if (file.startsWith('sync.sqlite')) rmSync(join(root, 'state', file));
    read.clear();
    const again = await openSource(root, space);
    await stageIn(again);
    expect(read.size).toBe(0);
    again.close();
  });

  test('repairs a copy that was damaged on the volume', async () => {
    const inner = await sample();
    const context = await openSource(folders.make(), inner);
    await stageIn(context);
    writeFileSync(join(context.data, 'raw/a.mrc'), 'xxx');
    utimesSync(join(context.data, 'raw/a.mrc'), 1_600_000_000, 1_600_000_000);
    await stageIn(context);
    expect(dumpFolder(context.data).get('raw/a.mrc')).toBe('aaa');
  });

  test('goes on at the part where a large file broke off', async () => {
    const inner = new MemorySpace();
    const bytes = Buffer.alloc(11_000_000, 'scipion ');
    await inner.write('big', contentOf(bytes));
    const { space: counted, read } = counting(inner);
    let breaks = true;
    const space = new Proxy(counted, {
      get(target, key) {
        const value = Reflect.get(target, key, target) as unknown;
        if (key !== 'read') return value;
        return async function* (file: SpaceEntry, options: object) {
          let got = 0;
          for await (const chunk of target.read(file, options)) {
            yield chunk;
            got += chunk.byteLength;
            if (breaks && file.path === 'big' && got > 2_700_000)
              throw new SpaceError('unreachable', 'the line is cut');
          }
        };
      },
    }) as ReadOnlySpace;
    const root = folders.make();
    const context = await openSource(root, space);
    const first = await stageIn(context);
    expect(first.fileProblems.items).toMatchObject([{ path: 'big', code: 'space-fault' }]);
    expect(existsSync(join(context.data, 'big'))).toBe(false);
    context.close();
    breaks = false;
    read.clear();
    const again = await openSource(root, space);
    await stageIn(again);
    expect(dumpFolder(again.data).get('big')).toBe(bytes.toString('latin1'));
    expect(read.get('big')).toBeLessThan(9_000_000);
    expect(await partialFiles(again.partials)).toEqual([]);
  });

  test('a passing break is repaired within one read', async () => {
    const inner = new MemorySpace();
    await inner.write('big', contentOf('x'.repeat(300_000)));
    let left = 3;
    const broken = new Proxy(inner, {
      get(target, key) {
        const value = Reflect.get(target, key, target) as unknown;
        if (typeof value !== 'function' || key !== 'read')
          return typeof value === 'function' ? value.bind(target) : value;
        return async function* (file: SpaceEntry, options: object) {
          for await (const chunk of target.read(file, options)) {
            yield chunk;
            if (left > 0) {
              left -= 1;
              throw new SpaceError('transfer-broken', 'cut');
            }
          }
        };
      },
    });
    const context = await openSource(folders.make(), withRetry(broken as ReadOnlySpace, FAST));
    await stageIn(context);
    expect(left).toBe(0);
    expect(dumpFolder(context.data).get('big')).toBe('x'.repeat(300_000));
  });

  test('a source larger than its volume is refused with both numbers, before anything is copied', async () => {
    const inner = await sample();
    const { space, read } = counting(inner);
    const context = await openSource(folders.make(), space, (32 << 20) + 5);
    await expect(stageIn(context)).rejects.toThrow(
      /7 bytes are needed and 5 bytes are free\. Nothing was copied/,
    );
    expect(read.size).toBe(0);
    expect(dumpFolder(context.data).size).toBe(0);
  });

  test('a listing that drops an entry removes nothing; what is really gone goes', async () => {
    const inner = await sample();
    let drops = '';
    const space = new Proxy(inner, {
      get(target, key) {
        const value = Reflect.get(target, key, target) as unknown;
        if (typeof value !== 'function' || key !== 'list')
          return typeof value === 'function' ? value.bind(target) : value;
        return async function* (directory: SpaceEntry) {
          for await (const entry of target.list(directory)) if (entry.name !== drops) yield entry;
        };
      },
    });
    const context = await openSource(folders.make(), space);
    await stageIn(context);
    drops = 'a.mrc';
    expect(await stageIn(context)).toMatchObject({ removed: 0 });
    drops = 'raw';
    expect(await stageIn(context)).toMatchObject({ removed: 0 });
    expect(sorted(dumpFolder(context.data))).toEqual(sorted(await visible(inner)));
    drops = '';
    await inner.removeFile('raw/a.mrc');
    expect(await stageIn(context)).toMatchObject({ removed: 1 });
    expect(sorted(dumpFolder(context.data))).toEqual(sorted(await visible(inner)));
  });

  test('an emptied source leaves the copies, and says so', async () => {
    const inner = new MemorySpace();
    for (let index = 0; index < 30; index += 1) await inner.write(`f${index}`, contentOf('x'));
    const context = await openSource(folders.make(), inner);
    await stageIn(context);
    for (let index = 0; index < 30; index += 1) await inner.removeFile(`f${index}`);
    const result = await stageIn(context);
    expect(result.warnings[0]).toContain('30 of 30 files');
    expect(dumpFolder(context.data).size).toBe(30);
  });

  test('files on the volume that it did not bring stay', async () => {
    const inner = await sample();
    const context = await openSource(folders.make(), inner);
    mkdirSync(join(context.data, 'mine'));
    writeFileSync(join(context.data, 'mine/notes'), 'x');
    await stageIn(context);
    expect(dumpFolder(context.data).get('mine/notes')).toBe('x');
  });
});
