import { afterEach, describe, expect, test, vi } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll, SpaceError } from '../../src/spaces/space.ts';
import { MemorySpace } from '../spaces/memory-space.ts';

/** How long the content of one file is tried for, beside others and alone. */

afterEach(() => {
  vi.useRealTimers();
});

const OTHERS = 20;

/** A space in which one file always fails, after `others` of the others went well. */
async function withOddFile(others: number) {
  const inner = new MemorySpace();
  for (let n = 0; n < OTHERS; n += 1) await inner.write(`file-${n}`, contentOf(`content ${n}`));
  const space = withRetry(inner);
  const down = new SpaceError('unavailable', 'odd: the storage fails');
  const { promise: passed, resolve } = Promise.withResolvers<void>();
  const read = inner.read.bind(inner);
  const write = inner.write.bind(inner);
  inner.read = (file, options) =>
    file.path !== 'odd'
      ? read(file, options)
      : (async function* () {
          await passed;
          yield* [];
          throw down;
        })();
  inner.write = async (path, ...rest) => {
    if (path !== 'odd') return write(path, ...rest);
    await passed;
    throw down;
  };
  const go = async () => {
    for (let n = 0; n < others; n += 1) await readAll(space, { path: `file-${n}` }, 100);
    resolve();
  };
  return { space, go };
}

/** Seconds until the error, by a clock that passes as fast as there is something to wait for. */
async function secondsUntilFailure(others: number, work: 'read' | 'write'): Promise<number> {
  vi.useFakeTimers();
  const { space, go } = await withOddFile(others);
  const began = Date.now();
  const failed = (
    work === 'read' ? readAll(space, { path: 'odd' }, 100) : space.write('odd', contentOf('x'))
  ).catch((error: unknown) => error);
  await go();
  let error: unknown;
  void failed.then((given) => {
    error = given;
  });
  while (error === undefined) await vi.advanceTimersByTimeAsync(50);
  expect(error).toMatchObject({ code: 'unavailable' });
  return (Date.now() - began) / 1000;
}

describe.each(['read', 'write'] as const)('the content of one file that cannot be %s', (work) => {
  test('is given up soon where others go well, since they wait for it', async () => {
    expect(await secondsUntilFailure(OTHERS, work)).toBeLessThan(1.5);
  });

  test('is tried patiently where nothing else goes well: then it may be the space', async () => {
    expect(await secondsUntilFailure(2, work)).toBeGreaterThan(12);
  });
});

test.each(['stat', 'write', 'read'] as const)(
  'the wait that a provider asks for ends with the signal: %s',
  async (call) => {
    const inner = new MemorySpace();
    await inner.write('odd', contentOf('x'));
    const busy = new SpaceError('unavailable', 'come back in a minute', { retryAfterMs: 60_000 });
    const space = withRetry(inner, { retries: 3 });
    inner.stat = inner.write = async () => {
      throw busy;
    };
    inner.read = async function* () {
      yield* [];
      throw busy;
    };
    const ending = new AbortController();
    const options = { signal: ending.signal };
    const asked = {
      stat: () => space.stat({ path: 'odd' }, options),
      write: () => space.write('odd', contentOf('y'), options),
      read: async () => {
        for await (const _ of space.read({ path: 'odd' }, options));
      },
    }
      [call]()
      .catch((error: unknown) => error);
    setTimeout(() => ending.abort(new Error('the pod ends')), 50);
    const began = performance.now();
    expect(String(await asked)).toContain('the pod ends');
    expect(performance.now() - began).toBeLessThan(5000);
  },
);
