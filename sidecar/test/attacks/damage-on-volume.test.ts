import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { MARKER } from '../../src/sync/volume/known-format.ts';
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

interface StateRow extends Row, VolumeDamage {
  readonly volume: 'project' | 'source';
  /** In the folder `state`. */
  readonly file: string;
  /** By SIGKILL, so that the write-ahead log of the state is there. */
  readonly isKilled: boolean;
  /** The start stops with a sentence and changes nothing; it continues once the file is as it was. */
  readonly isRefused: boolean;
}

/** What a newer program has left is for that program. */
const NEWER = 'of a newer format';

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
  { what: 'the number of the last save', volume: 'project', file: 'saved', isKilled: false },
  { what: 'the mark of a whole project', volume: 'project', file: 'whole', isKilled: false },
  { what: 'the trash of the volume', volume: 'project', file: 'trash', isKilled: false },
  { what: 'the state database of the source volume', volume: 'source', file: 'sync.sqlite', isKilled: false },
  { what: 'the mark of the source volume', volume: 'source', file: 'volume.json', isKilled: false },
];

/** What only a volume knows. Rights are of the entry, whatever it is. */
interface VolumeDamage {
  readonly damage: Damage;
  readonly linkTo?: string;
  readonly mode?: number;
}

const VOLUME_DAMAGES: Readonly<Record<string, VolumeDamage>> = {
  ...Object.fromEntries(
    Object.entries(DAMAGES).map(([how, damage]): [string, VolumeDamage] => [
      how,
      { damage, linkTo: '/etc/hostname' },
    ]),
  ),
  'replaced by a link to itself': { damage: () => 'link', linkTo: 'itself' },
  'replaced by a link to nothing': { damage: () => 'link', linkTo: 'nothing here' },
  'replaced by a link to a folder elsewhere': { damage: () => 'link', linkTo: '/usr/share' },
  'replaced by a link to a file of the project': { damage: () => 'link', linkTo: '../data/p/through' },
  'replaced by a link to a folder of the project': { damage: () => 'link', linkTo: '../data/p' },
  'without any right': { damage: (bytes) => bytes, mode: 0 },
  'that may only be read': { damage: (bytes) => bytes, mode: 0o444 },
  'as a folder that may not be listed': { damage: () => 'directory', mode: 0o300 },
  'as a folder that may only be looked at': { damage: () => 'directory', mode: 0o555 },
};

const OVER_REST: readonly string[] = [
  'empty',
  'full of garbage',
  'replaced by a link to a file of the project',
];

const ROWS: readonly StateRow[] = FILES.flatMap(({ what, ...file }) =>
  Object.entries(VOLUME_DAMAGES).map(([how, damage]) => ({
    name: `${what} ${how}`,
    ...damage,
    ...file,
    isRefused: how === NEWER && file.file === MARKER,
    ...(file.isKilled && how === 'cut in the middle' && file.file === 'sync.sqlite'
      ? { sample: 'mounted' as const }
      : {}),
    // The engine sees no difference; some of it over REST too.
    ...(file.file !== 'mounted-space.json' && OVER_REST.includes(how) ? {} : { kinds: ['mounted'] as const }),
  })),
);

function damageFile(at: string, { damage, linkTo, mode, file }: StateRow, before: Buffer | null): void {
  const entry = lstatSync(at, { throwIfNoEntry: false });
  const isFolder = entry?.isDirectory() === true;
  const changed = damage(entry?.isFile() ? readFileSync(at) : Buffer.from('nothing was here'), before);
  // Only its rights change.
  const stays = isFolder && mode !== undefined && changed !== 'directory';
  if (!stays) rmSync(at, { recursive: true, force: true });
  if (changed === 'directory') mkdirSync(join(at, 'something in it'), { recursive: true });
  else if (changed === 'link') symlinkSync(linkTo === 'itself' ? file : (linkTo as string), at);
  else if (changed !== 'missing' && !stays) writeFileSync(at, changed);
  if (lstatSync(at, { throwIfNoEntry: false }) === undefined) return;
  handOver(at);
  if (mode !== undefined) chmodSync(at, mode);
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
    damageFile(at, row, before);
    for (const each of [one.paths.projectVolume, one.paths.sourceVolume]) await prepareVolume(each);
    for (const name of readdirSync(join(volume, 'state'))) handOver(join(volume, 'state', name));
    one.launch();
    if (row.isRefused) {
      const found = readFileSync(at);
      await one.until('a sentence', ({ problems }) => problems.some(({ code }) => code === 'state-damaged'));
      expect(await one.told(), 'both versions').toMatch(/format 99, known here: 1\b/);
      expect(readFileSync(at), 'nothing is changed').toEqual(found);
      writeFileSync(at, before as Buffer);
    }
    await one.ready();
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    expectSource(one);
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, good);
  });
}

attack('damaged files of the engine on a volume', ROWS, life);
