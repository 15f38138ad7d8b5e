import { constants, lstatSync, readdirSync } from 'node:fs';
import type { BaseLook } from '../state/state-rows.ts';
import { databaseOf } from './sqlite-names.ts';

const TYPES = { file: constants.S_IFREG, directory: constants.S_IFDIR, symlink: constants.S_IFLNK };

/**
 * The cheap half of a full scan: almost every directory is as it was, and this says so with one listing, one query and
 * one look at each entry. It may say no where a closer look says yes, never the other way round.
 * @param at where the directory is, absolute
 * @param looks what the base has of the directory
 * @returns the names of the directories in it where everything is as the base has it, else null
 */
export function unchangedDirectories(at: string, looks: readonly BaseLook[]): string[] | null {
  try {
    // `readdir` would follow a link. As many names as the base has, and all of those are there: the same names.
    if (!lstatSync(at).isDirectory() || readdirSync(at).length !== looks.length) return null;
    return inFolder(at, () => (looks.every(isUnchanged) ? directoriesOf(looks) : null));
  } catch {
    // The closer look knows what each error means.
    return null;
  }
}

/** Numbers instead of exact times, which differ by 0.2 µs at least where they differ: far less than a tick. */
function isUnchanged([name, kind, size, mtimeMs, ctimeMs, mode, inode, suspect]: BaseLook): boolean {
  const found = lstatSync(name, { throwIfNoEntry: false });
  if (found === undefined || (found.mode & constants.S_IFMT) !== TYPES[kind]) return false;
  if (found.mtimeMs !== mtimeMs || (kind !== 'symlink' && (found.mode & 0o777) !== mode)) return false;
  if (kind === 'directory') return true;
  if (found.ino !== inode || found.ctimeMs !== ctimeMs || suspect !== 0) return false;
  return kind !== 'file' || (found.size === size && databaseOf(name) === null);
}

function directoriesOf(looks: readonly BaseLook[]): string[] {
  return looks.filter(([, kind]) => kind === 'directory').map(([name]) => name);
}

/** With names alone the kernel does not walk from the root to each entry, which costs more than the look at it. */
function inFolder<T>(folder: string, work: () => T): T {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return work();
  } finally {
    process.chdir(before);
  }
}
