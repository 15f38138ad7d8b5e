import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { rowsOf, saveSteps } from './durable-writes.ts';
import type { FaultKind } from './faulty-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { RecordedWrites } from './recorded-writes.ts';
import { changeAll, firstVersion } from './two-versions.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

const folders = new Folders();
afterAll(() => folders.clear());
const KINDS: FaultKind[] = ['before', 'after', 'half', 'crash-before', 'crash-after'];

function secondVersion(data: string): void {
  changeAll(data);
  writeFileSync(join(data, 'p/empty'), 'a file now');
}

/** A space that holds the first version, and a volume that holds the second, not yet saved. */
async function world() {
  const space = new MemorySpace();
  const clock = new TestClock();
  const root = folders.make();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  firstVersion(context.data);
  await save(context);
  const before = await visible(space);
  secondVersion(context.data);
  context.close();
  return { space, clock, root, data: context.data, before, after: dumpFolder(context.data) };
}

/** One run against a space where the call number `at` fails; the run's own error is expected. */
async function faultyRun(
  w: Awaited<ReturnType<typeof world>>,
  at: number,
  kind: FaultKind,
  work: 'save' | 'start',
) {
  const writes = new RecordedWrites();
  const faulty = new FaultySpace(writes.space(w.space), at, kind);
  let skipped = 0;
  const context = await openProject(w.root, faulty.space, { clock: w.clock, lease: false });
  try {
    await takeLease(context);
    if (work === 'save') skipped = (await writes.during(() => save(context))).skipped;
    else await startProject(context);
  } catch {
    // What it left behind is what counts.
  }
  context.close();
  return { calls: faulty.calls, fired: faulty.fired, skipped, done: writes.calls };
}

/** Paths at which two trees differ. */
function apart(one: Map<string, string>, two: Map<string, string>): string[] {
  const paths = [...new Set([...one.keys(), ...two.keys()])];
  // A folder that became a file is one path.
  const differ = paths.filter((path) => one.get(path) !== two.get(path));
  const names = [...new Set(differ.map((path) => path.replace(/\/$/, '')))];
  // A folder stays for what stays in it.
  return names.filter((path) => !names.some((other) => other.startsWith(`${path}/`)));
}

/** What a new volume gets from the space now. */
async function restored(space: MemorySpace, clock: TestClock): Promise<Map<string, string>> {
  const context = await openProject(folders.make(), space, { clock, lease: false, instance: 'lab/other' });
  await context.lease.acquire([], true);
  await startProject(context);
  const result = dumpFolder(context.data);
  context.close();
  return result;
}

const STEPS = saveSteps();

describe.each(KINDS)('every call to the space fails once: %s', (kind) => {
  test('save: the next volume gets one complete save, the next run completes it', async () => {
    const total = (await faultyRun(await world(), 0, kind, 'save')).calls;
    expect(total).toBeGreaterThan(30);
    for (let at = 1; at <= total; at += 1) {
      const w = await world();
      const faulty = await faultyRun(w, at, kind, 'save');
      expect(faulty.fired, `call ${at} was made`).toBe(true);
      const found = await restored(w.space, w.clock);
      const [one, two] = [sorted(w.before), sorted(w.after)];
      if (faulty.skipped === 0) {
        expect([JSON.stringify(one), JSON.stringify(two)], `a whole save after call ${at}`).toContain(
          JSON.stringify(sorted(found)),
        );
      } else {
        // The fault of one file: it alone is still what it was, all others are saved.
        const left = apart(found, w.after);
        expect(left.length, `what is left out after call ${at}: ${left.join()}`).toBeLessThanOrEqual(
          faulty.skipped,
        );
        for (const path of left.flatMap((each) => [each, `${each}/`]))
          expect(found.get(path)).toBe(w.before.get(path));
      }
      if (kind.startsWith('crash')) {
        const last = faulty.done.at(-1);
        const step = rowsOf(STEPS, faulty.done).at(-1);
        const promised = step?.leadsTo === 'this save' ? two : one;
        expect(sorted(found), `as the table promises after ${last}, call ${at}`).toEqual(promised);
      }
      // The volume itself lost nothing, and gets its work into the space.
      expect(sorted(dumpFolder(w.data))).toEqual(two);
      const next = await openProject(w.root, w.space, { clock: w.clock, lease: false });
      await next.lease.acquire([], true);
      const started = await startProject(next);
      await save(next);
      expect(started.warnings).toEqual([]);
      expect(sorted(dumpFolder(next.data)), `volume after call ${at}`).toEqual(two);
      expect(sorted(await visible(w.space)), `space after call ${at}`).toEqual(two);
      next.close();
    }
  });

  test('restore: the next run completes it', async () => {
    const make = async () => {
      const w = await world();
      const context = await openProject(w.root, w.space, { clock: w.clock });
      await save(context);
      await context.lease.release();
      context.close();
      return { ...w, root: folders.make(), stored: await visible(w.space) };
    };
    const total = (await faultyRun(await make(), 0, kind, 'start')).calls;
    expect(total).toBeGreaterThan(15);
    for (let at = 1; at <= total; at += 1) {
      const w = await make();
      const faulty = await faultyRun(w, at, kind, 'start');
      expect(faulty.fired).toBe(true);
      const next = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
      const started = await startProject(next);
      expect(started.savedFirst, `nothing to save after call ${at}`).toBe(0);
      expect(sorted(dumpFolder(next.data)), `volume after call ${at}`).toEqual(sorted(w.stored));
      expect(sorted(await visible(w.space)), `space after call ${at}`).toEqual(sorted(w.stored));
      next.close();
    }
  });
});
