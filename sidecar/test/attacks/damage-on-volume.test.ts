import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { DAMAGES, type Damage } from './damages.ts';
import { changeGood, expectSource, goodOf, handOver, makeGood } from './good-files.ts';
import type { Kind } from './harness.ts';
import { expectElsewhere, inWorld, succeeds } from './lives.ts';
import { attack, type Row } from './rows.ts';

/**
 * The engine's own files on a volume, damaged while nobody runs, after a kill in the middle of work or a proper end.
 * The next start opens the desktop, keeps all that is on the volume, and saves it.
 */

interface StateRow extends Row {
  readonly volume: 'project' | 'source';
  /** In the folder `state`. */
  readonly file: string;
  readonly damage: Damage;
  /** By SIGKILL, so that the write-ahead log of the state is there. */
  readonly isKilled: boolean;
}

const FILES: readonly (Pick<StateRow, 'volume' | 'file' | 'isKilled'> & { readonly what: string })[] = [
  { what: 'the state database', volume: 'project', file: 'sync.sqlite', isKilled: false },
  { what: 'the state database after a kill', volume: 'project', file: 'sync.sqlite', isKilled: true },
  { what: 'the log of the state database', volume: 'project', file: 'sync.sqlite-wal', isKilled: true },
  {
    what: 'the shared memory of the state database',
    volume: 'project',
    file: 'sync.sqlite-shm',
    isKilled: true,
  },
  { what: 'the mark of the volume', volume: 'project', file: 'volume.json', isKilled: false },
  { what: 'the reserve', volume: 'project', file: 'reserve', isKilled: false },
  { what: 'the folder of partial downloads', volume: 'project', file: 'partial', isKilled: false },
  { what: 'the scratch folder', volume: 'project', file: 'scratch', isKilled: false },
  {
    what: 'what is known of a mounted space',
    volume: 'project',
    file: 'mounted-space.json',
    isKilled: false,
  },
  { what: 'the state database of the source volume', volume: 'source', file: 'sync.sqlite', isKilled: false },
  { what: 'the mark of the source volume', volume: 'source', file: 'volume.json', isKilled: false },
];

const ROWS: readonly StateRow[] = FILES.flatMap(({ what, ...file }) =>
  Object.entries(DAMAGES).map(([how, damage]) => ({
    name: `${what} ${how}`,
    damage,
    ...file,
    ...(file.isKilled && how === 'cut in the middle' && file.file === 'sync.sqlite'
      ? { sample: 'mounted' as const }
      : {}),
    ...(file.file === 'mounted-space.json' ? { kinds: ['mounted'] as const } : {}),
  })),
);

function damageFile(at: string, damage: Damage, before: Buffer | null): void {
  const isFile = lstatSync(at, { throwIfNoEntry: false })?.isFile() === true;
  const bytes = isFile ? readFileSync(at) : Buffer.from('nothing was here');
  const changed = damage(bytes, before);
  rmSync(at, { recursive: true, force: true });
  if (changed === 'directory') mkdirSync(join(at, 'something in it'), { recursive: true });
  else if (changed !== 'missing') writeFileSync(at, changed);
  if (existsSync(at)) handOver(at);
}

async function life(row: StateRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await world.instance();
    const volume = row.volume === 'project' ? one.paths.projectVolume : one.paths.sourceVolume;
    const at = join(volume, 'state', row.file);
    one.launch();
    await one.ready();
    makeGood(one.data);
    await succeeds(one, 'save');
    const before = lstatSync(at, { throwIfNoEntry: false })?.isFile() ? readFileSync(at) : null;
    changeGood(one.data);
    await succeeds(one, 'save');
    writeFileSync(join(one.data, 'p/unsaved'), 'work that is not saved yet');
    handOver(join(one.data, 'p/unsaved'));
    if (row.isKilled) await one.kill();
    else await one.stop();
    // A pod of its own.
    rmSync(one.paths.ready, { force: true });
    const good = goodOf(one.data);
    damageFile(at, row.damage, before);
    for (const each of [one.paths.projectVolume, one.paths.sourceVolume]) await prepareVolume(each);
    for (const name of readdirSync(join(volume, 'state'))) handOver(join(volume, 'state', name));
    one.launch();
    await one.ready();
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    expectSource(one);
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, good);
  });
}

attack('damaged files of the engine on a volume', ROWS, life);
