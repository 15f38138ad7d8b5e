import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { Bandwidth, withBandwidth } from '../../src/spaces/bandwidth.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll } from '../../src/spaces/space.ts';
import { MemorySpace } from './memory-space.ts';

/** Time that passes when everybody waits: then it goes on to whoever wakes first. */
class EventClock implements Clock {
  #now = 1_000_000;
  readonly #sleeping: { at: number; wake: () => void }[] = [];
  /** Somebody has set it back for good: no line may wait for that. */
  now(): number {
    return -this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((wake) => {
      this.#sleeping.push({ at: this.#now + milliseconds, wake });
      setImmediate(() => {
        const first = this.#sleeping.sort((a, b) => a.at - b.at).shift();
        if (first === undefined) return;
        this.#now = Math.max(this.#now, first.at);
        first.wake();
      });
    });
    signal?.throwIfAborted();
  }
}

const MIB = 1 << 20;

async function given() {
  const clock = new EventClock();
  const inner = new MemorySpace();
  const lines = { down: new Bandwidth(MIB, clock), up: new Bandwidth(MIB / 4, clock) };
  const space = withBandwidth(withRetry(inner), lines);
  const secondsOf = async (work: () => Promise<unknown>) => {
    const before = clock.monotonic();
    await work();
    return (clock.monotonic() - before) / 1000;
  };
  return { clock, inner, space, secondsOf };
}

describe('a limit of bandwidth', () => {
  test('holds for all downloads together, and each gets its turn', async () => {
    const { inner, space, secondsOf } = await given();
    for (const name of ['a', 'b', 'c']) await inner.write(name, contentOf(Buffer.alloc(2 * MIB, name)));
    const order: string[] = [];
    const seconds = await secondsOf(() =>
      Promise.all(
        ['a', 'b', 'c'].map(async (path) => {
          let got = 0;
          for await (const bytes of space.read({ path })) {
            got += bytes.byteLength;
            order.push(path);
          }
          expect(got).toBe(2 * MIB);
        }),
      ),
    );
    expect(seconds).toBeGreaterThan(5.5);
    expect(seconds).toBeLessThan(6.5);
    // Not one after the other: the first to end has waited for the others' bytes too.
    expect(new Set(order.slice(0, order.length / 2)).size).toBe(3);
  });

  test('holds for uploads, whole or in parts, by itself', async () => {
    const { inner, space, secondsOf } = await given();
    const bytes = Buffer.alloc(MIB, 'x');
    const seconds = await secondsOf(async () => {
      await space.write('whole', contentOf(bytes));
      await space.write('parts', contentOf(''));
      await Promise.all([0, MIB].map((at) => space.writePart?.({ path: 'parts' }, at, contentOf(bytes))));
    });
    expect(seconds).toBeGreaterThan(11);
    expect(seconds).toBeLessThan(13);
    expect((await readAll(inner, { path: 'parts' }, 4 * MIB)).equals(Buffer.alloc(2 * MIB, 'x'))).toBe(true);
    expect(await secondsOf(() => readAll(space, { path: 'whole' }, MIB))).toBeLessThan(1.1);
  });

  test('small calls pass, a transfer that is called off does not wait', async () => {
    const { inner, space, secondsOf } = await given();
    await inner.write('big', contentOf(Buffer.alloc(4 * MIB)));
    expect(await secondsOf(() => space.stat({ path: 'big' }))).toBe(0);
    expect(space.capabilities.concurrency).toBe(inner.capabilities.concurrency);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of space.read({ path: 'big' }, { signal: stop.signal }))
        stop.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
  });
});

describe('a limit that changes', () => {
  test('counts at once, also for bytes that are waiting', async () => {
    const clock = new EventClock();
    let rate: number | undefined;
    const line = new Bandwidth(() => rate, clock);
    const secondsOf = async (bytes: number) => {
      const before = clock.monotonic();
      await line.take(bytes);
      return (clock.monotonic() - before) / 1000;
    };
    expect(await secondsOf(100 * MIB)).toBe(0);
    expect(line.isLimited).toBe(false);
    rate = MIB;
    expect(await secondsOf(10 * MIB)).toBeCloseTo(9.75, 1);
    // Nobody waits yet for what these have taken of the line.
    void line.take(10 * MIB).catch(() => undefined);
    rate = 10 * MIB;
    expect(await secondsOf(10 * MIB)).toBeLessThan(3);
    rate = undefined;
    expect(await secondsOf(100 * MIB)).toBe(0);
  });

  test('holds in the middle of a transfer that began without one', async () => {
    const clock = new EventClock();
    let rate: number | undefined;
    const inner = new MemorySpace();
    const line = new Bandwidth(() => rate, clock);
    const space = withBandwidth(withRetry(inner), { down: line, up: line });
    const twoChunks = async function* () {
      yield Buffer.alloc(MIB);
      rate = MIB;
      yield Buffer.alloc(MIB);
    };
    const began = clock.monotonic();
    await space.write('big', { size: 2 * MIB, open: twoChunks });
    expect(clock.monotonic() - began).toBeGreaterThan(700);
    expect(clock.monotonic() - began).toBeLessThan(1_100);
    rate = undefined;
    expect((await readAll(space, { path: 'big' }, 4 * MIB)).byteLength).toBe(2 * MIB);
  });
});

describe('the priority', () => {
  const niceOf = (priority: string) => {
    const module = fileURLToPath(new URL('../../src/sync/service/priority.ts', import.meta.url));
    const program = `
      import { getPriority } from 'node:os';
      import { readdirSync } from 'node:fs';
      import { applyPriority } from ${JSON.stringify(module)};
      const before = getPriority();
      applyPriority(${priority});
      const threads = readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)));
      console.log(JSON.stringify({ before, threads: [...new Set(threads)] }));`;
    const ran = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', program]);
    return JSON.parse(ran.stdout.toString() || `"${ran.stderr.toString()}"`) as {
      before: number;
      threads: number[];
    };
  };

  test('low is the default and reaches every thread; normal changes nothing', () => {
    for (const low of [niceOf('undefined'), niceOf("'low'")]) {
      expect(low.threads).toEqual([Math.max(10, low.before)]);
    }
    const normal = niceOf("'normal'");
    expect(normal.threads).toEqual([normal.before]);
  });
});
