import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Bandwidth } from '../../src/spaces/bandwidth.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { knownSaves } from '../../src/sync/save/history.ts';
import { Lease, LeaseHeldError } from '../../src/sync/save/lease.ts';
import { save } from '../../src/sync/save/save.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { desktopGone } from '../../src/sync/service/desktop-watch.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { Folders, openProject, TestClock } from './world.ts';

/** Clocks that are set a year forth and back, also while something is under way. On the emulator. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(() => folders.clear());

const YEAR_MS = 365 * 24 * 3_600_000;
const WAYS: [string, number][] = [
  ['back', -YEAR_MS],
  ['forth', YEAR_MS],
];

const openSpace = async () =>
  withRetry(given.open(await given.addSpace()), { firstWaitMs: 1, maxWaitMs: 5, retries: 1 });

describe.each(WAYS)('a clock that is set a year %s', (_, year) => {
  test('in the middle of a save, and set right later: all saves made then can be brought back', async () => {
    const [space, clock] = [await openSpace(), new TestClock()];
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    const step = async (n: number, during = () => {}) => {
      writeFileSync(join(context.data, 'a'), `content ${n}`);
      const write = space.write;
      space.write = async (path, ...rest) => {
        if (path.endsWith('-changes.jsonl')) during();
        return write(path, ...rest);
      };
      await save(context);
      space.write = write;
      context.state.setMeta('trash-tidied', null);
      await context.lease.heartbeat();
      await tidyTrash(context);
    };
    await step(1);
    await step(2, () => clock.set(year));
    await step(3);
    await step(4, () => clock.set(-year));
    await step(5);
    const saves = await knownSaves(context);
    expect(saves.map(({ generation }) => generation)).toEqual([5, 4, 3, 2, 1]);
    for (const { generation, saveId, savedAt } of saves) {
      expect(Math.abs(Date.parse(savedAt) - Date.now())).toBeLessThan(3_600_000);
      await restoreToFolder(
        context,
        await planFolderRestore(context, { path: '', to: 'copy', of: saveId }, 0),
      );
      expect(readFileSync(join(context.data, 'copy/a'), 'utf8')).toBe(`content ${generation}`);
      rmSync(join(context.data, 'copy'), { recursive: true });
    }
    context.close();
  });

  test('takes no lease from a living holder, whichever of the two clocks it is', async () => {
    const space = await openSpace();
    const [holders, waiters] = [new TestClock(), new TestClock()];
    const holder = new Lease(space, { holder: 'lab/alice', clock: holders });
    await holder.acquire([]);
    const waiter = new Lease(space, { holder: 'lab/bob', clock: waiters });
    for (const clock of [waiters, holders, waiters, holders]) {
      await expect(waiter.acquire([])).rejects.toThrow(LeaseHeldError);
      clock.set(clock === waiters ? year : -year);
      await expect(waiter.acquire([])).rejects.toThrow(LeaseHeldError);
      for (const each of [holders, waiters]) each.advance(30_000);
      await holder.heartbeat();
    }
    await holder.assertHeld();
  });

  test('keeps no dead lease alive', async () => {
    const space = await openSpace();
    const clock = new TestClock();
    await new Lease(space, { holder: 'lab/alice', clock: new TestClock() }).acquire([]);
    const waiter = new Lease(space, { holder: 'lab/bob', clock });
    await expect(waiter.acquire([])).rejects.toThrow(LeaseHeldError);
    clock.set(year);
    clock.advance(181_000);
    await waiter.acquire([]);
  });

  test('ends no wait early, and makes none longer', async () => {
    const clock = new TestClock();
    const line = new Bandwidth(1_000, clock);
    await line.take(1_000);
    const began = clock.monotonic();
    clock.set(year);
    await line.take(2_000);
    expect(clock.monotonic() - began).toBeLessThan(5_000);
    expect(clock.monotonic() - began).toBeGreaterThan(1_500);
    await desktopGone(join(folders.make(), 'none'), 1_000, clock);
  });
});
