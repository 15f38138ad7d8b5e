import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Connections } from '../../src/spaces/connections.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import {
  contentOf,
  type Locator,
  type ReadOnlySpace,
  type ReadOptions,
  type SpaceEntry,
  SpaceError,
} from '../../src/spaces/space.ts';
import { fetchParts } from '../../src/sync/restore/fetch-parts.ts';
import { PartFile, partsOf } from '../../src/sync/volume/part-file.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const MIB = 1 << 20;
const bytes = Buffer.alloc(11 * MIB + 17);
for (let at = 0; at < bytes.length; at += 1) bytes[at] = (at * 31 + (at >> 12)) & 0xff;
const hash = createHash('sha256').update(bytes).digest('hex');

type Read = (file: Locator, options: ReadOptions) => AsyncIterable<Uint8Array>;

/** A space with one large file, whose reads go through `change`. */
async function given(change?: (inner: Read) => Read) {
  const inner = new MemorySpace({ nowSeconds: () => now.seconds });
  const now = { seconds: 1_700_000_000 };
  const entry = await inner.write('big', contentOf(bytes));
  const asked: string[] = [];
  const counted: Read = async function* (file, options) {
    asked.push(`${options.offset ?? 0}+${options.length ?? 'all'}`);
    yield* inner.read(file, options);
  };
  const read = change?.(counted) ?? counted;
  const space = {
    identity: inner.identity,
    capabilities: inner.capabilities,
    stat: (file: Locator) => inner.stat(file),
    read: (file: Locator, options: ReadOptions = {}) => read(file, options),
  } as ReadOnlySpace;
  const file = join(folders.make(), 'part');
  return { inner, space, entry, file, asked, now };
}

const fetch = (space: ReadOnlySpace, entry: SpaceEntry, file: string) => fetchParts(space, entry, file, {});
const patient = (space: ReadOnlySpace) =>
  withRetry(space, { firstWaitMs: 1, maxWaitMs: 2, retries: 3, stallMs: 200 });

describe('a large file', () => {
  test('comes in parts side by side, whole and with the right hash', async () => {
    let [open, most] = [0, 0];
    const { space, entry, file, asked } = await given(
      (inner) =>
        async function* (which, options) {
          open += 1;
          most = Math.max(most, open);
          await new Promise((done) => setTimeout(done, 5));
          yield* inner(which, options);
          open -= 1;
        },
    );
    expect(await fetch(space, entry, file)).toEqual({ file, hash });
    expect(readFileSync(file).equals(bytes)).toBe(true);
    expect(asked).toEqual([`0+${4 * MIB}`, `${4 * MIB}+${4 * MIB}`, `${8 * MIB}+${3 * MIB + 17}`]);
    expect(most).toBe(3);
  });

  test('goes on at the parts that are missing, and hashes those that are there', async () => {
    let isCut = true;
    const { space, entry, file, asked } = await given(
      (inner) =>
        async function* (which, options) {
          if (isCut && options.offset === 4 * MIB) {
            for await (const piece of inner(which, options)) {
              yield piece;
              // The other parts come to their ends first.
              await new Promise((done) => setTimeout(done, 300));
              throw new SpaceError('unreachable', 'the line is cut');
            }
          }
          yield* inner(which, options);
        },
    );
    await expect(fetch(space, entry, file)).rejects.toThrow('the line is cut');
    isCut = false;
    asked.length = 0;
    expect(await fetch(space, entry, file)).toEqual({ file, hash });
    expect(asked).toEqual([`${4 * MIB}+${4 * MIB}`]);
    expect(readFileSync(file).equals(bytes)).toBe(true);
    asked.length = 0;
    expect((await fetch(space, entry, file)).hash).toBe(hash);
    expect(asked).toEqual([]);
  });

  test('that is cut or stalls in the middle of a part goes on at the byte, in the same run', async () => {
    const left = new Map([
      [MIB, 'cut'],
      [5 * MIB, 'stall'],
    ]);
    const { space, entry, file } = await given(
      (inner) =>
        async function* (which, options) {
          let at = options.offset ?? 0;
          for await (const piece of inner(which, options)) {
            at += piece.byteLength;
            yield piece;
            const [due] = [...left].find(([from]) => at > from && at < from + 2 * MIB) ?? [];
            const fault = due === undefined ? undefined : left.get(due);
            if (due !== undefined) left.delete(due);
            if (fault === 'cut') throw new SpaceError('transfer-broken', 'short body');
            if (fault === 'stall') {
              const { signal } = options;
              await new Promise((_, reject) =>
                signal?.addEventListener('abort', () => reject(signal.reason)),
              );
            }
          }
        },
    );
    expect(await fetch(patient(space), entry, file)).toEqual({ file, hash });
    expect(left.size).toBe(0);
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  test('that changes between two parts is refused, and nothing of it is kept', async () => {
    const { inner, space, entry, file, now } = await given(
      (read) =>
        async function* (which, options) {
          if (options.offset === 8 * MIB) {
            now.seconds += 5;
            const other = Buffer.from(bytes).fill(7, 6 * MIB);
            await inner.write('big', contentOf(other));
          }
          yield* read(which, options);
        },
    );
    await expect(fetch(space, entry, file)).rejects.toMatchObject({ code: 'transfer-broken' });
    expect(existsSync(file)).toBe(false);
  });

  test('of which a part comes too long or too short is not taken', async () => {
    for (const wrong of ['long', 'short']) {
      const { space, entry, file } = await given(
        (inner) =>
          async function* (which, options) {
            const length = (options.length ?? 0) + (wrong === 'long' ? 1 : -1);
            yield* inner(which, options.offset === 0 ? { ...options, length } : options);
          },
      );
      await expect(fetch(space, entry, file)).rejects.toMatchObject({ code: 'transfer-broken' });
      const kept = await PartFile.open(file, entry.size);
      expect(kept.missing.map(({ index }) => index)).toContain(0);
      await kept.close();
    }
  });

  test('comes as a whole from a server that knows no ranges, and from the start again after a break', async () => {
    let breaks = 1;
    const { space, entry, file } = await given(
      (inner) =>
        async function* (which, options) {
          if (options.offset !== undefined && options.length !== undefined) {
            throw new SpaceError('unsupported', 'whole files only');
          }
          let got = 0;
          for await (const piece of inner(which, options)) {
            got += piece.byteLength;
            yield piece;
            if (breaks > 0 && got > 5 * MIB) {
              breaks -= 1;
              throw new SpaceError('unreachable', 'the line is cut');
            }
          }
        },
    );
    await expect(fetch(space, entry, file)).rejects.toThrow('the line is cut');
    expect(await fetch(space, entry, file)).toEqual({ file, hash });
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });
});

describe('a part file', () => {
  const size = 9 * MIB;
  const [first, second] = partsOf(size);
  if (first === undefined || second === undefined) throw new Error('cut into too few parts');

  test('takes a part for whole only where it was said to be', async () => {
    const path = join(folders.make(), 'part');
    const begun = await PartFile.open(path, size);
    await begun.write(Buffer.alloc(first.length, 1), first.start);
    await begun.write(Buffer.alloc(second.length, 2), second.start);
    begun.whole(second);
    await begun.close();
    const again = await PartFile.open(path, size);
    expect(again.missing.map(({ index }) => index)).toEqual([0, 2]);
    expect(again.prefix).toBe(0);
    await again.close();
  });

  test('begins anew where its marks are damaged, cut off or of another layout', async () => {
    const path = join(folders.make(), 'part');
    for (const damage of [
      () => truncateSync(path, size + 5),
      () => truncateSync(path, size - 5),
      () => writeFileSync(path, Buffer.alloc(statSync(path).size, 1)),
      () => writeFileSync(path, ''),
    ]) {
      const begun = await PartFile.open(path, size);
      for (const part of begun.parts) {
        await begun.write(Buffer.alloc(part.length, 3), part.start);
        begun.whole(part);
      }
      await begun.close();
      damage();
      const again = await PartFile.open(path, size);
      expect(again.missing).toHaveLength(again.parts.length);
      await again.close();
    }
  });

  test('goes on with what an earlier run has closed to itself', async () => {
    const path = join(folders.make(), 'part');
    const begun = await PartFile.open(path, size);
    await begun.write(Buffer.alloc(first.length, 1), first.start);
    begun.whole(first);
    await begun.close();
    chmodSync(path, 0o440);
    // As for anybody but root, who runs the tests.
    const { open } = fs;
    vi.spyOn(fs, 'open').mockImplementation(async (...given) => {
      const mayWrite = (statSync(path).mode & 0o200) !== 0;
      if (!mayWrite) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return open(...given);
    });
    syncBuiltinESMExports();
    try {
      const again = await PartFile.open(path, size);
      expect(again.missing).toHaveLength(again.parts.length - 1);
      await again.close();
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });

  test('marks nothing after a write to the disk has failed', async () => {
    const path = join(folders.make(), 'part');
    const begun = await PartFile.open(path, size);
    await begun.write(Buffer.alloc(first.length, 1), first.start);
    const sync = begun.handle.datasync;
    begun.handle.datasync = () => Promise.reject(new Error('EIO'));
    begun.whole(first);
    await new Promise((done) => setTimeout(done, 10));
    begun.handle.datasync = sync;
    for (const part of begun.parts) begun.whole(part);
    await expect(begun.finish()).rejects.toThrow('EIO');
    await begun.close();
    const again = await PartFile.open(path, size);
    expect(again.missing).toHaveLength(again.parts.length);
    await again.close();
  });

  test('parts cover a file without gap, for any size', () => {
    for (const bytesOf of [1, 4 * MIB, 4 * MIB + 1, 100 * MIB, 5000 * MIB + 3]) {
      let at = 0;
      for (const { start, length } of partsOf(bytesOf)) {
        expect(start).toBe(at);
        expect(length).toBeGreaterThan(0);
        at += length;
      }
      expect(at).toBe(bytesOf);
    }
  });
});

describe('connections', () => {
  const capabilities = (concurrency: number, waiting = 0) => ({
    ...new MemorySpace({}).capabilities,
    concurrency,
    waiting,
  });

  test('short work may wait beside what is under way, but not behind what takes long', async () => {
    const connections = new Connections(() => capabilities(2, 3));
    const gate = connections.forOne();
    const ends: (() => void)[] = [];
    let begun = 0;
    const work = () => {
      begun += 1;
      return new Promise<void>((end) => ends.push(end));
    };
    const end = async () => {
      ends.shift()?.();
      await new Promise(setImmediate);
    };
    const short = Array.from({ length: 6 }, () => gate(work, true));
    await new Promise(setImmediate);
    expect(begun).toBe(5);
    const long = gate(work);
    // The last short one came first; the long one waits until a connection is free.
    for (const ended of [1, 2, 3, 4]) {
      await end();
      expect([ended, begun]).toEqual([ended, 6]);
    }
    await end();
    expect(begun).toBe(7);
    const later = [gate(work, true), gate(work, true), gate(work, true)];
    await new Promise(setImmediate);
    expect(begun).toBe(7);
    await end();
    expect(begun).toBe(8);
    while (ends.length > 0) await end();
    await Promise.all([...short, long, ...later]);
  });

  test('are never more than the limit, and go to whoever holds the fewest', async () => {
    const connections = new Connections(() => capabilities(3));
    const [large, small] = [connections.forOne(), connections.forOne()];
    const order: string[] = [];
    let [open, most] = [0, 0];
    const work = (name: string) => async () => {
      order.push(name);
      open += 1;
      most = Math.max(most, open);
      await new Promise((done) => setTimeout(done, 1));
      open -= 1;
    };
    const all = [1, 2, 3, 4, 5, 6].map((number) => large(work(`large ${number}`)));
    all.push(small(work('small')));
    await Promise.all(all);
    expect(most).toBe(3);
    expect(order.indexOf('small')).toBe(3);
  });

  test('a piece of work that fails gives its connection back', async () => {
    const connections = new Connections(() => capabilities(1));
    const gate = connections.forOne();
    await expect(gate(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate(async () => 'next')).toBe('next');
  });
});
