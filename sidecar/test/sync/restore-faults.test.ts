import { chmodSync, linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { expectAsTable, restoreSteps } from './durable-writes.ts';
import { RecordedWrites } from './recorded-writes.ts';
import { changeAll, firstVersion } from './two-versions.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
afterAll(() => folders.clear());
const STEPS = restoreSteps();

function secondVersion(data: string): void {
  changeAll(data);
  chmodSync(join(data, 'p/sub2'), 0o711);
  writeFileSync(join(data, 'p/large'), Buffer.alloc(2 << 20, 'large'));
  writeFileSync(join(data, 'p/one'), 'of two names');
  linkSync(join(data, 'p/one'), join(data, 'p/other'));
}

/** A space that holds the second version, and a volume that was closed with the first. */
async function world() {
  const [space, clock] = [new MemorySpace(), new TestClock()];
  const [root, elsewhere] = [folders.make(), folders.make()];
  const visit = async (at: string, work: (data: string) => void) => {
    const context = await openProject(at, space, { clock, lease: false, instance: at });
    await context.lease.acquire([], true);
    await startProject(context);
    work(context.data);
    await save(context);
    await context.lease.release();
    context.close();
  };
  await visit(root, firstVersion);
  await visit(elsewhere, secondVersion);
  return { space, clock, root, stored: sorted(await visible(space)) };
}

async function start(w: Awaited<ReturnType<typeof world>>, writes: RecordedWrites) {
  const context = await openProject(w.root, w.space, { clock: w.clock, lease: false });
  await context.lease.acquire([], true);
  try {
    const result = await writes.during(() => startProject(context));
    return { result, found: sorted(dumpFolder(context.data)) };
  } catch (error) {
    if (!writes.isDead) throw error;
    return null;
  } finally {
    context.close();
  }
}

test('the steps of a restore are those of the table in the documentation, in its order', async () => {
  const w = await world();
  const writes = new RecordedWrites();
  const started = await start(w, writes);
  expect(started?.found).toEqual(w.stored);
  const rows = expectAsTable(STEPS, writes.seen);
  const seen = rows.map(({ name }, at) => `${name}: ${writes.calls[at]}`);
  const all = STEPS.flatMap(({ name, calls }) => calls.map((call) => `${name}: ${call}`));
  expect([...new Set(seen)].sort()).toEqual(all.sort());
});

test('killed after any of them, the next start brings exactly the save', async () => {
  const all = new RecordedWrites();
  await start(await world(), all);
  expect(all.seen.length).toBeGreaterThan(20);
  const rows = expectAsTable(STEPS, all.seen);
  for (const [at, call] of all.calls.entries()) {
    const w = await world();
    const writes = new RecordedWrites({ at: at + 1 });
    expect(await start(w, writes), `the process died at ${call}`).toBeNull();
    const next = await start(w, new RecordedWrites());
    expect(next?.found, `the volume after ${call}, ${at}`).toEqual(w.stored);
    expect(next?.result, `after ${call}, ${at}`).toMatchObject({ savedFirst: 0, generation: 2 });
    expect(sorted(await visible(w.space)), `the space after ${call}, ${at}`).toEqual(w.stored);
    if (rows[at]?.leadsTo === 'nothing')
      expect(next?.result, `after ${call}, ${at}`).toMatchObject({ restored: 0, removed: 0 });
  }
}, 300_000);
