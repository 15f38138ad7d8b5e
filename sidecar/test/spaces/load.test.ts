import { describe, expect, test } from 'vitest';
import { AdaptiveLimit } from '../../src/spaces/onedata/adaptive-limit.ts';
import { LoadMeter } from '../../src/spaces/onedata/load-meter.ts';
import { forEachLimit } from '../../src/sync/pool.ts';
import { givenEmulator } from './given-emulator.ts';

const RANGE = { floor: 2, start: 8, ceiling: 32 };

/** Runs a server whose rate depends on the connections; returns the limits over time. */
function against(rateOf: (connections: number) => number, stretches: number): number[] {
  const limit = new AdaptiveLimit(RANGE);
  return Array.from({ length: stretches }, () => {
    limit.look({ rate: rateOf(limit.limit), isFull: true, isOverloaded: false });
    return limit.limit;
  });
}

describe('the number of connections', () => {
  test('grows to its ceiling on a long line, where each connection adds its share', () => {
    expect(against((connections) => connections * 20, 20).at(-1)).toBe(RANGE.ceiling);
  });

  test('stays where more of them bring nothing, and seldom tries', () => {
    const limits = against(() => 1000, 300);
    expect(new Set(limits)).toEqual(new Set([8, 10]));
    expect(limits.filter((limit) => limit > 8).length).toBeLessThan(15);
  });

  test('settles near the number that a server can serve', () => {
    const limits = against((connections) => Math.min(connections, 14) * 10, 100);
    expect(Math.min(...limits.slice(20))).toBeGreaterThanOrEqual(10);
    expect(Math.max(...limits.slice(20))).toBeLessThanOrEqual(18);
  });

  test('shrinks at each overload down to the floor, and recovers', () => {
    const limit = new AdaptiveLimit(RANGE);
    const overload = () => limit.look({ rate: 1, isFull: true, isOverloaded: true });
    overload();
    expect(limit.limit).toBe(5);
    for (let round = 0; round < 10; round += 1) overload();
    expect(limit.limit).toBe(RANGE.floor);
    for (let round = 0; round < 200; round += 1) {
      limit.look({ rate: limit.limit, isFull: true, isOverloaded: false });
    }
    expect(limit.limit).toBe(RANGE.ceiling);
  });

  test('does not grow for those who do not use what they have', () => {
    const limit = new AdaptiveLimit(RANGE);
    for (let round = 0; round < 20; round += 1)
      limit.look({ rate: round, isFull: false, isOverloaded: false });
    expect(limit.limit).toBe(RANGE.start);
  });
});

describe('the meter', () => {
  test('counts requests and bytes in stretches of a second', () => {
    let now = 0;
    const meter = new LoadMeter(RANGE, () => now);
    const second = (requests: number) => {
      for (let each = 0; each < requests; each += 1) meter.begin();
      now += 1001;
      for (let each = 0; each < requests; each += 1) meter.end(false);
    };
    second(8);
    expect(meter.limit).toBe(10);
    // Twice as much is done: the step is kept, and the next one tried.
    for (let each = 0; each < 20; each += 1) meter.begin();
    for (let each = 0; each < 20; each += 1) meter.moved(65_536);
    now += 1001;
    for (let each = 0; each < 20; each += 1) meter.end(false);
    expect(meter.limit).toBe(12);
  });

  test('an answer of 503 or 429 takes connections away', async () => {
    const given = await givenEmulator();
    const space = given.open(await given.addSpace());
    await space.check();
    const before = space.capabilities.concurrency;
    for (const status of [503, 429])
      given.emulator.context.faults.add({ path: '.', times: 1, action: { kind: 'status', status } });
    const started = performance.now();
    while (space.capabilities.concurrency >= before && performance.now() - started < 10_000) {
      await space.stat({ path: '' }).catch(() => undefined);
      await new Promise((done) => setTimeout(done, 100));
    }
    expect(space.capabilities.concurrency).toBeLessThan(before);
    await space.close();
    await given.dispose();
  });
});

describe('forEachLimit', () => {
  test('follows a limit that changes under way', async () => {
    let limit = 2;
    let [running, most] = [0, 0];
    const seen: number[] = [];
    const items = Array.from({ length: 40 }, (_, index) => index);
    await forEachLimit(
      items,
      () => limit,
      async (item) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((done) => setTimeout(done, 1));
        running -= 1;
        seen.push(item);
        if (item === 10) {
          expect(most).toBe(2);
          limit = 6;
        }
        if (item === 25) {
          limit = 1;
          most = 0;
        }
        if (item === 39) expect(most).toBeLessThanOrEqual(6);
      },
    );
    expect(seen.sort((a, b) => a - b)).toEqual(items);
    expect(running).toBe(0);
  });

  test('stops taking at the first error, and waits for what is under way', async () => {
    let ended = 0;
    const taken: number[] = [];
    const work = forEachLimit([1, 2, 3, 4, 5, 6], 3, async (item) => {
      taken.push(item);
      await new Promise((done) => setTimeout(done, item === 2 ? 1 : 10));
      if (item === 2) throw new Error('two');
      ended += 1;
    });
    await expect(work).rejects.toThrow('two');
    expect(taken).toEqual([1, 2, 3]);
    expect(ended).toBe(2);
  });

  test('an error of the source is the error', async () => {
    const source = async function* () {
      yield 1;
      throw new Error('source');
    };
    await expect(forEachLimit(source(), 2, async () => undefined)).rejects.toThrow('source');
  });
});
