import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { LeaseLostError } from '../../src/sync/save/lease.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease } from './world.ts';

/** ⚠ Listings of Onedata leave out entries that are in flux, without a word. What is decided by them is asked for again. */

const folders = new Folders();
afterAll(() => folders.clear());

/** No listing shows anything. */
function blind(inner: Space): Space {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (key === 'list') return async function* () {};
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A space with one save, and a volume with work that is not saved yet. */
async function world() {
  const space = new MemorySpace();
  const clock = new TestClock();
  const root = folders.make();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  mkdirSync(join(context.data, 'p/sub'), { recursive: true });
  for (const name of ['changed', 'removed', 'sub/moved']) writeFileSync(join(context.data, 'p', name), 'one');
  await save(context);
  const before = sorted(dumpFolder(context.data));
  writeFileSync(join(context.data, 'p/changed'), 'two two');
  rmSync(join(context.data, 'p/removed'));
  renameSync(join(context.data, 'p/sub'), join(context.data, 'p/sub2'));
  context.close();
  return { space, clock, root, before, after: sorted(dumpFolder(context.data)) };
}

/** One save that ends at this call to the space. */
async function dyingSave({ space, clock, root }: Awaited<ReturnType<typeof world>>, at: number) {
  const faulty = new FaultySpace(space, at, 'crash-after');
  const context = await openProject(root, faulty.space, { clock, lease: false });
  try {
    await takeLease(context);
    await save(context);
  } catch {
    // As planned.
  }
  context.close();
  return faulty.calls;
}

test('a save that was interrupted is finished although no listing shows its record', async () => {
  const total = await dyingSave(await world(), 0);
  expect(total).toBeGreaterThan(25);
  for (let at = 1; at <= total; at += 1) {
    const w = await world();
    await dyingSave(w, at);
    const root = folders.make();
    const options = { clock: w.clock, instance: 'lab/other', lease: false };
    const context = await openProject(root, blind(w.space), options);
    await context.lease.acquire([], true);
    await startProject(context);
    const restored = JSON.stringify(sorted(dumpFolder(context.data)));
    expect([JSON.stringify(w.before), JSON.stringify(w.after)], `one whole save after call ${at}`).toContain(
      restored,
    );
    context.close();
  }
});

test('who lost the lease learns of it although no listing shows the newer one', async () => {
  const space = new MemorySpace();
  const clock = new TestClock();
  const old = await openProject(folders.make(), blind(space), { clock });
  const other = await openProject(folders.make(), blind(space), {
    clock,
    instance: 'lab/other',
    lease: false,
  });
  await other.lease.acquire([], true);
  await expect(old.lease.assertHeld()).rejects.toThrow(LeaseLostError);
  await other.lease.assertHeld();
  other.close();
  old.close();
});
