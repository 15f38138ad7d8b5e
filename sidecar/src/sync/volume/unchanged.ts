import { type BigIntStats, constants, lstatSync, readdirSync } from 'node:fs';
import type { BaseStat } from '../state/state-rows.ts';
import { databaseOf } from './sqlite-names.ts';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK } = constants;

/** As much of a directory as tells later whether it is still the same. A folder may hold thousands of them. */
export interface SeenDirectory {
  readonly inode: bigint;
  readonly ctimeNs: bigint;
}

/** The absolute path of a directory of the space as text; null where only the bytes of its name say it. */
export function textPath(root: string, path: string): string | null {
  if (path.includes('.scipion-name-')) return null;
  return path === '' ? root : `${root}/${path}`;
}

/**
 * The cheap half of a full scan: almost every directory is as it was, and this says so with one listing, one query and
 * one look at each entry. It may say no where a closer look says yes, never the other way round.
 * @param at where the directory is, absolute
 * @param looks what the base has of the directory, in pages
 * @param by how entries are looked at. `names` is faster, because the kernel does not walk from the root to each of them;
 * it changes the working directory meanwhile, which all threads share, so only the main one may do it.
 * @returns the directories in it by name where everything is as the base has it, else null
 */
export function unchangedDirectories(
  at: string,
  looks: Iterable<readonly BaseStat[]>,
  by: 'names' | 'paths',
): Map<string, SeenDirectory> | null {
  try {
    // `readdir` would follow a link. As many names as the base has, and all of those are there: the same names.
    if (!lstatSync(at).isDirectory()) return null;
    const entries = readdirSync(at).length;
    if (by === 'paths') return sameEntries(`${at}/`, entries, looks);
    return inFolder(at, () => sameEntries('', entries, looks));
  } catch {
    // The closer look knows what each error means.
    return null;
  }
}

function sameEntries(
  folder: string,
  entries: number,
  looks: Iterable<readonly BaseStat[]>,
): Map<string, SeenDirectory> | null {
  const directories = new Map<string, SeenDirectory>();
  let known = 0;
  for (const page of looks) {
    known += page.length;
    if (known > entries) return null;
    for (const look of page) {
      const [name, mode] = look;
      if ((mode & S_IFMT) === S_IFDIR) {
        const found = lstatSync(folder + name, { bigint: true, throwIfNoEntry: false });
        if (found === undefined || !isSameDirectory(found, look)) return null;
        directories.set(name, { inode: found.ino, ctimeNs: found.ctimeNs });
      } else if (!isSame(folder + name, look)) return null;
    }
  }
  return known === entries ? directories : null;
}

/** Numbers instead of exact times, which differ by 0.2 µs at least where they differ: far less than a tick. */
function isSame(at: string, [name, mode, size, mtimeMs, ctimeMs, inode]: BaseStat): boolean {
  const found = lstatSync(at, { throwIfNoEntry: false });
  if (found === undefined || found.ino !== inode) return false;
  if (found.mtimeMs !== mtimeMs || found.ctimeMs !== ctimeMs) return false;
  const type = found.mode & S_IFMT;
  // The rights of a link are those of nothing.
  if (type === S_IFLNK) return mode === S_IFLNK;
  if (type !== S_IFREG || (type | (found.mode & 0o777)) !== mode) return false;
  return found.size === size && databaseOf(name) === null;
}

/** The same look gives the time of the last change, which tells later whether something happened since. */
function isSameDirectory(found: BigIntStats, [, mode, , mtimeMs]: BaseStat): boolean {
  if (!found.isDirectory() || (S_IFDIR | Number(found.mode & 0o777n)) !== mode) return false;
  const { mtimeNs } = found;
  return Number(mtimeNs / 1_000_000_000n) * 1_000 + Number(mtimeNs % 1_000_000_000n) / 1e6 === mtimeMs;
}

function inFolder<T>(folder: string, work: () => T): T {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return work();
  } finally {
    process.chdir(before);
  }
}
