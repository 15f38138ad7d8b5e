import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf, SpaceError } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { Lease, LeaseHeldError, LeaseLostError, readLease } from '../../src/sync/save/lease.ts';
import { save } from '../../src/sync/save/save.ts';
import { LAYOUT } from '../../src/sync/save/space-layout.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { Folders, openProject, TestClock, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

function pair() {
  const space = new MemorySpace();
  const clock = new TestClock();
  const lease = (holder: string) => new Lease(space, { holder, clock });
  return { space, clock, lease };
}

describe('the lease', () => {
  test('a second holder is told who and since when', async () => {
    const { clock, lease } = pair();
    const first = lease('lab/alice');
    const { since } = await first.acquire([]);
    const second = lease('lab/bob');
    await expect(second.acquire([])).rejects.toThrow(`in use by lab/alice since ${since}`);
    clock.advance(60_000);
    await expect(second.acquire([])).rejects.toThrow(LeaseHeldError);
    await first.release();
    expect(await second.acquire([])).toMatchObject({ holder: 'lab/bob', fence: 2 });
  });

  test('a silent holder is replaced, one that gives heartbeats is not', async () => {
    const { clock, lease } = pair();
    const first = lease('lab/alice');
    await first.acquire([]);
    const second = lease('lab/bob');
    for (let round = 0; round < 30; round += 1) {
      await first.heartbeat();
      await expect(second.acquire([])).rejects.toThrow(LeaseHeldError);
      clock.advance(30_000);
    }
    clock.advance(200_000);
    const third = lease('lab/carol');
    await expect(third.acquire([])).rejects.toThrow(LeaseHeldError); // It looks old, but was not watched yet.
    clock.advance(91_000);
    await third.acquire([]);
    await expect(first.assertHeld()).rejects.toThrow(LeaseLostError);
    expect(first.held).toBe(false);
  });

  test('a clock that is wrong does not take a lease from a live holder', async () => {
    const space = new MemorySpace();
    const [behind, ahead] = [new TestClock(), new TestClock()];
    ahead.advance(3_600_000);
    const first = new Lease(space, { holder: 'lab/alice', clock: behind });
    await first.acquire([]);
    const second = new Lease(space, { holder: 'lab/bob', clock: ahead });
    for (let round = 0; round < 5; round += 1) {
      await expect(second.acquire([])).rejects.toThrow(LeaseHeldError);
      ahead.advance(25_000);
      behind.advance(25_000);
      await first.heartbeat();
    }
  });

  test('an unreadable lease is no free one', async () => {
    const { space, clock, lease } = pair();
    await space.makeDirectory('.scipion-sync');
    await space.write(LAYOUT.lease, contentOf('{"version":1,'));
    const second = lease('lab/bob');
    await expect(second.acquire([])).rejects.toThrow('cannot be read');
    clock.advance(91_000);
    await second.acquire([]);
    expect((await readLease(space))?.record?.holder).toBe('lab/bob');
  });

  test('two that start at once: one gets it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { lease } = pair();
      const outcomes = await Promise.allSettled([lease('a').acquire([]), lease('b').acquire([])]);
      expect(outcomes.filter((each) => each.status === 'fulfilled').length).toBeLessThanOrEqual(1);
    }
  });

  test('the next container on the same volume need not wait', async () => {
    const { lease } = pair();
    const first = lease('lab/alice');
    await first.acquire([]);
    await lease('lab/alice').acquire([first.session]);
  });

  test('a holder whose space is full keeps its lease: the file stays whole, and its heartbeats are seen', async () => {
    const { space, clock } = pair();
    const full = { is: false };
    const write = space.write.bind(space);
    space.write = async (path, content, ...rest) => {
      if (!full.is) return write(path, content, ...rest);
      // As Onedata and a disk do it: what is there is emptied first.
      if ((await space.stat({ path })) !== null) await write(path, contentOf(''));
      throw new SpaceError('space-full', 'no room');
    };
    const first = new Lease(space, { holder: 'lab/alice', clock });
    await first.acquire([]);
    const second = new Lease(space, { holder: 'lab/bob', clock });
    full.is = true;
    for (let round = 0; round < 20; round += 1) {
      await first.heartbeat();
      expect((await readLease(space))?.record?.holder).toBe('lab/alice');
      full.is = false;
      await expect(second.acquire([]), `round ${round}`).rejects.toThrow(LeaseHeldError);
      full.is = true;
      clock.advance(30_000);
    }
    full.is = false;
    await first.heartbeat();
    await first.assertHeld();
    expect((await readLease(space))?.record?.fence).toBe(1);
    // Only the one mark is there that the number began with, by its last name.
    const marks: string[] = [];
    for await (const each of space.list({ path: `${LAYOUT.fences}/1` })) marks.push(each.name);
    expect(marks).toEqual([expect.stringMatching(/^[\da-f]{32}-20$/)]);
  });

  test.each([
    ['empty', async (space: MemorySpace) => void (await space.write(LAYOUT.lease, contentOf('')))],
    ['gone', async (space: MemorySpace) => space.removeFile(LAYOUT.lease)],
  ])('a lease file that is %s is that of its holder until the whole time is over', async (_, damage) => {
    const { space, clock, lease } = pair();
    await lease('lab/alice').acquire([]);
    await damage(space);
    const second = lease('lab/bob');
    await expect(second.acquire([])).rejects.toThrow(LeaseHeldError);
    clock.advance(120_000);
    await expect(second.acquire([])).rejects.toThrow(LeaseHeldError);
    clock.advance(61_000);
    await second.acquire([]);
  });

  test('an instance whose state was lost does not wait for its own lease, another one does', async () => {
    const { space, clock } = pair();
    const on = (holder: string, volumeId: string) => new Lease(space, { holder, clock, volumeId });
    await on('lab/alice', 'volume-1').acquire([]);
    await expect(on('lab/alice', 'volume-2').acquire([])).rejects.toThrow(LeaseHeldError);
    await expect(on('lab/bob', 'volume-1').acquire([])).rejects.toThrow(LeaseHeldError);
    await on('lab/alice', 'volume-1').acquire([]);
  });

  test('a copied volume does not take the lease of the instance that it was copied from', async () => {
    const { lease } = pair();
    const first = lease('lab/alice');
    await first.acquire([]);
    await expect(lease('lab/bob').acquire([first.session])).rejects.toThrow(LeaseHeldError);
  });

  test('a lease of a newer version is refused with both versions', async () => {
    const { space, lease } = pair();
    await space.makeDirectory('.scipion-sync');
    await space.write(LAYOUT.lease, contentOf('{"version":7,"holder":"lab/new"}'));
    await expect(lease('lab/bob').acquire([])).rejects.toThrow(/newer version.*format 7, known here: 1/);
  });

  test('names among the numbers that no restart ever gave out are passed over', async () => {
    const { space, lease } = pair();
    for (const name of ['9007199254740991', '-3', '1e15', 'x'])
      await space.makeDirectory(`${LAYOUT.fences}/${name}`);
    expect((await lease('lab/alice').acquire([])).fence).toBe(1);
  });

  test('a holder that was paused at any call of a save cannot harm the save of another', async () => {
    const plain = await pausedWorld();
    const total = await countCalls(plain);
    for (let at = 1; at <= total; at += 3) {
      const world = await pausedWorld();
      const { space, clock, root } = world;
      let resume: () => void = () => undefined;
      const paused = new Promise<void>((done) => {
        resume = done;
      });
      let isPaused: () => void = () => undefined;
      const reached = new Promise<void>((done) => {
        isPaused = done;
      });
      const faulty = pausing(space, at, isPaused, paused);
      const slow = await openProject(root, faulty, { clock, lease: false });
      const saving = slow.lease
        .acquire(sessionsOf(slow), true)
        .then(() => save(slow))
        .then(
          () => 'saved',
          (error: unknown) => error,
        );
      await Promise.race([reached, saving]);
      clock.advance(600_000);
      const other = await openProject(folders.make(), space, { clock, lease: false, instance: 'lab/bob' });
      await other.lease.acquire([], true);
      await startProject(other);
      writeFileSync(join(other.data, 'shared'), 'bob');
      await save(other);
      const settled = await visible(space);
      resume();
      await saving;
      expect(await visible(space), `paused at call ${at}`).toEqual(settled);
      slow.close();
      other.close();
    }
  });
});

async function pausedWorld() {
  const space = new MemorySpace();
  const clock = new TestClock();
  const root = folders.make();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  writeFileSync(join(context.data, 'shared'), 'first');
  await save(context);
  writeFileSync(join(context.data, 'shared'), 'alice, later');
  writeFileSync(join(context.data, 'another'), 'alice');
  context.close();
  return { space, clock, root };
}

function sessionsOf(context: { state: { meta(key: string): string | null } }): string[] {
  return JSON.parse(context.state.meta('sessions') ?? '[]') as string[];
}

async function countCalls({ space, clock, root }: Awaited<ReturnType<typeof pausedWorld>>): Promise<number> {
  const faulty = new FaultySpace(space, 0, 'before');
  const context = await openProject(root, faulty.space, { clock, lease: false });
  await context.lease.acquire([], true);
  await save(context);
  context.close();
  return faulty.calls;
}

/** The call number `at` waits until `paused` resolves, as a process does that was stopped. */
function pausing(inner: MemorySpace, at: number, reached: () => void, paused: Promise<void>): MemorySpace {
  let calls = 0;
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function' || key === 'close') return value;
      const call = (...args: unknown[]) => (value as (...all: unknown[]) => unknown).apply(target, args);
      return (...args: unknown[]) => {
        calls += 1;
        if (calls !== at) return call(...args);
        reached();
        if (key === 'list' || key === 'read') {
          return (async function* () {
            await paused;
            yield* call(...args) as AsyncIterable<unknown>;
          })();
        }
        return paused.then(() => call(...args));
      };
    },
  });
}
