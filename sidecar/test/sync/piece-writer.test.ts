import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { PIECE_BYTES, PieceMemory } from '../../src/spaces/onedata/pieces.ts';
import { PieceWriter } from '../../src/sync/volume/piece-writer.ts';

const open: { close(): Promise<void> }[] = [];
const made: string[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const each of open.splice(0)) await each.close();
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

async function given(isReadSoon: boolean, parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'pieces-'));
  made.push(folder);
  const path = join(folder, 'file');
  const handle = await fs.open(path, 'w');
  const writer = await PieceWriter.open(path, handle, isReadSoon);
  open.push(writer, handle);
  return { path, handle, writer };
}

const memory = new PieceMemory();
function piece(length: number, seed: number): Uint8Array {
  const bytes = memory.take().subarray(0, length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 7 + (at >> 8) + seed) & 0xff;
  return bytes;
}

/** Bytes of the file that the page cache holds. */
const cachedBytes = (path: string) =>
  Number(execFileSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', path], { encoding: 'utf8' }));

/** Nothing but a page cache. */
const MEMORY = '/dev/shm';
const TMPFS = 0x01021994;
const isMemory = (folder: string) => statfsSync(folder).type === TMPFS;

describe('pieces of a large file', () => {
  test.skipIf(isMemory(tmpdir()))('go past the page cache, unless they are read soon', async () => {
    const kept = await given(true);
    const past = await given(false);
    const length = 4 * PIECE_BYTES;
    for (let at = 0; at < length; at += PIECE_BYTES) {
      await kept.writer.write(piece(PIECE_BYTES, at), at);
      await past.writer.write(piece(PIECE_BYTES, at), at);
    }
    expect([cachedBytes(kept.path), cachedBytes(past.path)]).toEqual([length, 0]);
    expect(readFileSync(past.path).equals(readFileSync(kept.path))).toBe(true);
  });

  test.each([false, true])('arrive wherever they begin and end (read soon: %s)', async (isReadSoon) => {
    const lengths = fc.oneof(
      fc.constantFrom(1, 4095, 4096, 4097, 3 * 4096, PIECE_BYTES),
      fc.integer({ min: 1, max: 20_000 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(lengths, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (all, isBack) => {
          const { path, writer } = await given(isReadSoon);
          let end = 0;
          const pieces = all.map((length, index) => {
            const at = end;
            end += length;
            return { at, bytes: piece(length, index) };
          });
          const expected = Buffer.concat(pieces.map(({ bytes }) => bytes));
          for (const { at, bytes } of isBack ? pieces.reverse() : pieces) await writer.write(bytes, at);
          expect(readFileSync(path).equals(expected)).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of memory that begins anywhere are written too', async () => {
    const { path, writer } = await given(false);
    const shared = new Uint8Array(new SharedArrayBuffer(10_000)).fill(1);
    await writer.write(shared, 0);
    await writer.write(piece(8192, 3).subarray(100), 8192);
    await writer.write(Buffer.alloc(4096, 2), 4096);
    const expected = Buffer.concat([
      Buffer.alloc(4096, 1),
      Buffer.alloc(4096, 2),
      piece(8192, 3).subarray(100),
    ]);
    expect(readFileSync(path).equals(expected)).toBe(true);
  });

  test.skipIf(!isMemory(MEMORY))('are written where nothing but the page cache is', async () => {
    const { path, writer } = await given(false, MEMORY);
    await writer.write(piece(10_000, 5), 0);
    expect(readFileSync(path).equals(piece(10_000, 5))).toBe(true);
  });

  test('go to the page cache where the disk takes none of their size after all', async () => {
    const { path, handle, writer } = await given(false);
    const write = vi.spyOn(Object.getPrototypeOf(handle), 'write');
    write.mockRejectedValue(Object.assign(new Error('EINVAL'), { code: 'EINVAL' }));
    await writer.write(piece(8192, 1), 0);
    await writer.write(piece(8192, 2), 8192);
    expect(write).toHaveBeenCalledTimes(1);
    expect(readFileSync(path).equals(Buffer.concat([piece(8192, 1), piece(8192, 2)]))).toBe(true);
  });

  test('that the disk refuses fail', async () => {
    const { handle, writer } = await given(false);
    const write = vi.spyOn(Object.getPrototypeOf(handle), 'write');
    write.mockRejectedValue(Object.assign(new Error('no room'), { code: 'ENOSPC' }));
    await expect(writer.write(piece(8192, 1), 0)).rejects.toThrow('no room');
  });
});
