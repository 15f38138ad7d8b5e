import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { clearTheWay, contents, type DamageRow, damageSpace, SPACE_DAMAGES } from './damages.ts';
import { changeGood, fillSource, goodOf, handOver, makeGood } from './good-files.ts';
import { BOUND_SECONDS, type Instance, type Kind, type World } from './harness.ts';
import { inWorld, succeeds } from './lives.ts';
import { attack } from './rows.ts';

/**
 * Objects of the engine in the project space, damaged while nobody runs. The volume that has unsaved work saves it; new
 * volumes get every byte, and modes and times where they are known a second time.
 */

/** Without times and modes. */
const bytesOnly = (good: [string, string][]) =>
  good.map(([path, what]) => [path, path.endsWith('/') ? '' : what.split(' ').slice(-2).join(' ')]);

/** Launched; the desktop opens, where the row allows it after a sentence and what that asks for. */
async function opens(
  one: Instance,
  { mayRefuse, object }: DamageRow,
  held: ReadonlyMap<string, Buffer | null>,
): Promise<void> {
  const refuses = ({ problems }: SyncStatus) => problems.some(({ code }) => code === 'state-damaged');
  // Whoever cannot read a lease waits until it would be over: three minutes.
  const seconds = object.test('lease.json') || object.test('fences/1/') ? BOUND_SECONDS + 180 : BOUND_SECONDS;
  const opened = (found: SyncStatus) => found.ready || refuses(found);
  const status = await one.until('the desktop, or a sentence', opened, seconds);
  if (status.ready) return;
  expect(mayRefuse, `it opens: ${await one.told()}`).toBe(true);
  await clearTheWay(one.world.spaces.project, held);
  one.world.handOver();
  await one.ready();
}

async function expectOnNewVolumes(
  world: World,
  good: [string, string][],
  isWhole: boolean,
  row?: DamageRow,
  held?: ReadonlyMap<string, Buffer | null>,
): Promise<void> {
  const other: Instance = await world.instance('lab/bob');
  other.launch();
  if (row !== undefined && held !== undefined) await opens(other, row, held);
  else await other.ready();
  const found = goodOf(other.data);
  expect(bytesOnly(found), 'the bytes come back').toEqual(bytesOnly(good));
  if (isWhole) expect(found, 'modes and times come back').toEqual(good);
  const drained = await other.command('drain');
  expect({ code: drained.code, said: drained.err }, 'new volumes can save').toEqual({ code: 0, said: '' });
  await other.stop();
}

async function savedTwice(world: World): Promise<{ one: Instance; before: Map<string, Buffer> }> {
  await fillSource(world.spaces.source);
  const one = await world.instance();
  one.launch();
  await one.ready();
  makeGood(one.data);
  expect((await one.command('save')).code).toBe(0);
  const before = await contents(world.spaces.project);
  changeGood(one.data);
  rmSync(join(one.data, 'p/z/deep/last'));
  expect((await one.command('save')).code).toBe(0);
  await one.stop();
  rmSync(one.paths.ready, { force: true });
  return { one, before };
}

async function onNewVolumes(row: DamageRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const { one, before } = await savedTwice(world);
    const held = await damageSpace(world.spaces.project, row, before);
    world.handOver();
    await expectOnNewVolumes(world, goodOf(one.data), row.isWhole, row, held);
  });
}

async function onItsVolume(row: DamageRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const { one, before } = await savedTwice(world);
    const held = await damageSpace(world.spaces.project, row, before);
    world.handOver();
    writeFileSync(join(one.data, 'p/unsaved'), 'work that is not saved yet');
    handOver(join(one.data, 'p/unsaved'));
    const good = goodOf(one.data);
    one.launch();
    await opens(one, row, held);
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    await succeeds(one, 'drain');
    await one.stop();
    // What the volume knows, the space knows again.
    await expectOnNewVolumes(world, good, true);
  });
}

attack('damaged objects in the space, new volumes', SPACE_DAMAGES, onNewVolumes);
attack('damaged objects in the space, the volume that saved', SPACE_DAMAGES, onItsVolume);
