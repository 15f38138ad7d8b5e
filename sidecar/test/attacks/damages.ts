import { contentOf, isSpaceError, readAll, type Space } from '../../src/spaces/space.ts';
import type { Row } from './rows.ts';

/** What becomes of the bytes of an object: other ones, a directory or a link in its place, or nothing. */
export type Damage = (bytes: Buffer, before: Buffer | null) => Buffer | 'directory' | 'link' | 'missing';

/** By name. `before` is what the object held one save earlier, null where it did not exist then. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  empty: () => Buffer.alloc(0),
  'cut in the middle': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'cut by its last byte': (bytes) => bytes.subarray(0, -1),
  'with one flipped bit': (bytes) => {
    const changed = Buffer.from(bytes);
    // In the middle: in most objects that is a number or a name.
    const at = bytes.length >> 1;
    if (changed.length > 0) changed[at] = Number(changed[at]) ^ 1;
    return changed;
  },
  'full of garbage': (bytes) => Buffer.from(bytes.map((byte, index) => (byte * 31 + index * 17) & 255)),
  'full of zeros': (bytes) => Buffer.alloc(bytes.length),
  'replaced by other JSON': () => Buffer.from('{"version":1,"path":["..","x"]}\n'),
  'replaced by the word null': () => Buffer.from('null'),
  'replaced by a directory': () => 'directory',
  'replaced by a link': () => 'link',
  missing: () => 'missing',
  'an older version of itself': (bytes, before) => before ?? bytes,
  'of a newer format': (bytes) =>
    Buffer.from(bytes.toString('latin1').replace(/"version":\d+/, '"version":99'), 'latin1'),
  'sixteen megabytes of junk': () => Buffer.alloc(16 << 20, 'junk\n'),
  'sixteen megabytes in one line': () => Buffer.alloc(16 << 20, '{"p":"x'),
  'a million lines that are nearly ours': () => Buffer.alloc(16 << 20, '{"p":1,"k":"f"}\n'),
};

export interface DamageRow extends Row {
  /** Which objects, by their path below `.scipion-sync`. */
  readonly object: RegExp;
  /** Where several fit: which. @default all of them */
  readonly which?: 'first' | 'last';
  readonly damage: Damage;
  /** The start may stop with a sentence, and goes on when what it names is out of the way. */
  readonly mayRefuse: boolean;
  /** Modes and times come back on new volumes too: what was damaged is there a second time. */
  readonly isWhole: boolean;
}

/** The objects, and whether new volumes still get modes, times and links without them. */
const OBJECTS: readonly (Pick<DamageRow, 'object' | 'which' | 'isWhole'> & { readonly what: string })[] = [
  { what: 'the head', object: /^head\.json$/, isWhole: true },
  { what: 'the lease', object: /^lease\.json$/, isWhole: true },
  { what: 'the first manifest segment', object: /^manifest\/./, which: 'first', isWhole: false },
  { what: 'the last manifest segment', object: /^manifest\/./, which: 'last', isWhole: false },
  { what: 'the copies of heads', object: /^(heads|saves)\/./, isWhole: true },
  { what: 'the history', object: /^history\/./, isWhole: true },
  { what: 'the trash', object: /^trash\/.*[^/]$/, isWhole: true },
  { what: 'the fences', object: /^fences\/\d+\/$/, isWhole: true },
];

/** Nothing of ours makes these: somebody put them there, or a newer program did. */
const REFUSED: readonly string[] = ['replaced by a directory', 'of a newer format'];
const OVER_REST: readonly string[] = ['empty', 'full of garbage', 'replaced by a directory'];

const SAMPLES: readonly string[] = ['the head empty', 'the last manifest segment replaced by a link'];

export const SPACE_DAMAGES: readonly DamageRow[] = OBJECTS.flatMap(({ what, ...object }) =>
  Object.entries(DAMAGES).map(([how, damage]) => ({
    name: `${what} ${how}`,
    damage,
    mayRefuse: REFUSED.includes(how),
    ...object,
    ...(SAMPLES.includes(`${what} ${how}`) ? { sample: 'mounted' as const } : {}),
    // The engine sees no difference; some of it over REST too.
    ...(OVER_REST.includes(how) ? {} : { kinds: ['mounted'] as const }),
  })),
);

/** Paths of the engine's objects in a space, folders with a slash at their end. */
export async function engineObjects(space: Space, folder = '.scipion-sync'): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of space.list({ path: folder })) {
    if (entry.kind !== 'directory') found.push(entry.path);
    else found.push(`${entry.path}/`, ...(await engineObjects(space, entry.path)));
  }
  return found.sort();
}

/** Bytes of all objects that are files, as they are now; without what a heartbeat moves meanwhile. */
export async function contents(space: Space): Promise<Map<string, Buffer>> {
  const all = new Map<string, Buffer>();
  for (const path of await engineObjects(space)) {
    if (path.endsWith('/')) continue;
    try {
      all.set(path, await readAll(space, { path }, 1 << 24));
    } catch (error) {
      if (!isSpaceError(error, 'not-found')) throw error;
    }
  }
  return all;
}

/** @returns the objects that were damaged, and what they held */
export async function damageSpace(
  space: Space,
  { object, which, damage }: DamageRow,
  before: ReadonlyMap<string, Buffer>,
): Promise<Map<string, Buffer | null>> {
  const fitting = (await engineObjects(space)).filter((path) =>
    object.test(path.slice('.scipion-sync/'.length)),
  );
  const chosen = which === undefined ? fitting : [which === 'first' ? fitting[0] : fitting.at(-1)];
  const damaged = chosen.filter((path) => path !== undefined);
  const held = new Map<string, Buffer | null>();
  for (const path of damaged) held.set(path, await damageOne(space, path, damage, before.get(path) ?? null));
  return held;
}

async function damageOne(
  space: Space,
  path: string,
  damage: Damage,
  before: Buffer | null,
): Promise<Buffer | null> {
  const isFolder = path.endsWith('/');
  const at = path.replace(/\/$/, '');
  const bytes = isFolder ? Buffer.from('a folder') : await readAll(space, { path: at }, 1 << 24);
  const changed = damage(bytes, before);
  if ((changed === 'directory' || changed === 'link') && isFolder) return null;
  if (typeof changed === 'string' || isFolder) await space.removeTree(at);
  if (changed === 'directory') await space.makeDirectory(at);
  else if (changed === 'link') await space.makeSymlink(at, '/etc/hostname');
  else if (changed !== 'missing') await space.write(at, contentOf(changed));
  return isFolder ? null : bytes;
}

/** What the sentence asks for: the way is free again, and what a newer program wrote is for that program. */
export async function clearTheWay(space: Space, held: ReadonlyMap<string, Buffer | null>): Promise<void> {
  for (const [path, bytes] of held) {
    const at = path.replace(/\/$/, '');
    await space.removeTree(at);
    if (bytes !== null) await space.write(at, contentOf(bytes));
  }
}
