import { describe, expect, test } from 'vitest';
import { lend, release } from '../../src/spaces/buffer-pool.ts';
import { PIECE_BYTES, PieceMemory } from '../../src/spaces/onedata/pieces.ts';

describe('the memory of pieces', () => {
  test('is used again', () => {
    const memory = new PieceMemory();
    const first = memory.take();
    expect(first.byteLength).toBe(PIECE_BYTES);
    memory.give(first.buffer);
    expect(memory.take().buffer).toBe(first.buffer);
    expect(memory.take().buffer).not.toBe(first.buffer);
  });

  test('takes back only memory of its size', () => {
    const memory = new PieceMemory();
    for (const size of [0, 5, PIECE_BYTES - 1, PIECE_BYTES + 1, 2 * PIECE_BYTES]) {
      const foreign = new SharedArrayBuffer(size);
      memory.give(foreign);
      const taken = memory.take();
      expect(taken.buffer).not.toBe(foreign);
      expect(taken.byteLength).toBe(PIECE_BYTES);
    }
  });

  test('keeps a bounded number', () => {
    const memory = new PieceMemory();
    const given = Array.from({ length: 100 }, () => new SharedArrayBuffer(PIECE_BYTES));
    for (const one of given) memory.give(one);
    const known = new Set(given);
    const kept = given.filter(() => known.has(memory.take().buffer)).length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThanOrEqual(32);
  });
});

const shared = () => new Uint8Array(new SharedArrayBuffer(10));

describe('bytes that were lent', () => {
  test('go back to who lent them, whatever part of them is given', () => {
    const back: SharedArrayBuffer[] = [];
    const bytes = lend(shared(), (memory) => back.push(memory));
    release(bytes.subarray(2, 5));
    expect(back).toEqual([bytes.buffer]);
    expect(back[0]).toBe(bytes.buffer);
  });

  test('go back once', () => {
    let times = 0;
    const bytes = lend(shared(), () => {
      times += 1;
    });
    for (let each = 0; each < 3; each += 1) release(bytes);
    release(new Uint8Array(bytes.buffer));
    expect(times).toBe(1);
  });

  test('can be lent again, and then go back once more', () => {
    const back: string[] = [];
    const bytes = shared();
    release(lend(bytes, () => back.push('first')));
    release(lend(bytes, () => back.push('second')));
    release(bytes);
    expect(back).toEqual(['first', 'second']);
  });

  test('are not mixed up with others, of which nothing happens', () => {
    const back: SharedArrayBuffer[] = [];
    const lent = lend(shared(), (memory) => back.push(memory));
    release(new Uint8Array(10));
    release(Buffer.from('foreign'));
    expect(back).toEqual([]);
    release(lent);
    expect(back).toEqual([lent.buffer]);
  });
});
