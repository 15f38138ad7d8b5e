import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { SmallVolumes } from '../sync/small-volumes.ts';
import { Folders } from '../sync/world.ts';
import { changeGood, goodOf, handOver } from './good-files.ts';
import { BOUND_SECONDS, type Instance, type World } from './harness.ts';
import { expectElsewhere, inWorld, succeeds, withProject } from './lives.ts';
import { attack, type Row } from './rows.ts';

/** A mounted project space without a free inode: no file, no folder comes to be in it. The desktop opens all the same. */

interface FullRow extends Row {
  /** Who starts then. */
  readonly next: 'the same volume' | 'a new volume' | 'a stranger';
  /** How the one before ended. */
  readonly isKilled: boolean;
}
const kinds = new SmallVolumes(new Folders()).canMount ? (['mounted'] as const) : [];
const ROWS: readonly FullRow[] = [
  {
    name: 'no inode: a restart after a kill',
    next: 'the same volume',
    isKilled: true,
    kinds,
    sample: 'mounted',
  },
  { name: 'no inode: a restart after a proper end', next: 'the same volume', isKilled: false, kinds },
  { name: 'no inode: somebody else after a proper end', next: 'a stranger', isKilled: false, kinds },
  { name: 'no inode: somebody else after a kill', next: 'a stranger', isKilled: true, kinds },
];

/** @returns frees what it took */
function fill(space: string): () => void {
  // Where no start brings it to the volume, and no drain back.
  const at = join(space, '.scipion-sync/odd');
  mkdirSync(at);
  handOver(at);
  try {
    for (let n = 0; ; n += 1) writeFileSync(join(at, `odd ${n}`), '');
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
  handOver(at);
  return () => rmSync(at, { recursive: true });
}

const isFull = ({ problems }: SyncStatus) => problems.some(({ code }) => code === 'space-full');

async function restarted(world: World, one: Instance, { next }: FullRow): Promise<Instance> {
  if (next === 'the same volume') return one;
  return world.instance(next === 'a stranger' ? 'lab/bob' : 'lab/alice');
}

async function life(row: FullRow): Promise<void> {
  await inWorld('mounted', async (world, ends) => {
    // Of this row alone: others run beside it, and the end of one is not that of their mounts.
    const volumes = new SmallVolumes(new Folders());
    volumes.mount(world.ids.project, 64 << 20, 400);
    handOver(world.ids.project);
    ends.push(() => volumes.unmountAll());
    const one = await withProject(world);
    await succeeds(one, 'save');
    const saved = goodOf(one.data);
    const isSame = row.next === 'the same volume';
    if (row.isKilled) await one.kill();
    else await one.stop();
    const free = fill(world.ids.project);
    if (isSame) changeGood(one.data);
    const good = isSame ? goodOf(one.data) : saved;
    rmSync(one.paths.ready, { force: true });

    const two = await restarted(world, one, row);
    two.launch();
    await two.until('the desktop', ({ ready }) => ready, BOUND_SECONDS + 200);
    expect(goodOf(two.data), 'the volume has all').toEqual(good);
    if (!isSame) changeGood(two.data);
    const { code, err } = await two.command('save');
    expect(code, err).not.toBe(0);
    expect(err).toContain('space is full');
    await two.until('the word that the space is full', isFull);
    const drained = await two.command('drain');
    expect(drained.code, drained.err).not.toBe(0);
    // The way on.
    const work = goodOf(two.data);
    free();
    await two.until('the end of it', ({ phase, ready }) => phase === 'running' && ready);
    await succeeds(two, 'drain');
    await two.stop();
    expect(readdirSync(join(world.ids.project, '.scipion-sync/claims'))).toEqual([]);
    await expectElsewhere(world, work);
  });
}
attack('a mounted project space without a free inode', ROWS, life);
