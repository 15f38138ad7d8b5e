import { constants, lstatSync, readdirSync } from 'node:fs';
import type { LocalEntry } from './model.ts';
import { joinPath } from './space.ts';
import { databaseOf } from './sqlite-names.ts';
import type { BaseLook } from './state-rows.ts';

const TYPES = {
  file: BigInt(constants.S_IFREG),
  directory: BigInt(constants.S_IFDIR),
  symlink: BigInt(constants.S_IFLNK),
};
const TYPE_BITS = BigInt(constants.S_IFMT);

/**
 * The cheap half of a full scan: almost every directory is as it was, and this says so with one listing, one query and
 * one look at each entry. It may say no where a closer look says yes, never the other way round.
 * @param at where the directory is
 * @param looks what the base has of the directory
 * @returns the directories in it by name where everything is as the base has it, else null
 */
export function unchangedDirectories(
  at: string,
  directory: string,
  looks: readonly BaseLook[],
): Map<string, LocalEntry> | null {
  try {
    // `readdir` would follow a link. As many names as the base has, and all of those are there: the same names.
    if (!lstatSync(at).isDirectory() || readdirSync(at).length !== looks.length) return null;
    const directories = new Map<string, LocalEntry>();
    for (const [name, kind, size, mtimeNs, ctimeNs, mode, inode, suspect] of looks) {
      const found = lstatSync(`${at}/${name}`, { bigint: true, throwIfNoEntry: false });
      if (found === undefined || (found.mode & TYPE_BITS) !== TYPES[kind]) return null;
      if (found.mtimeNs !== mtimeNs || (kind !== 'symlink' && (found.mode & 0o777n) !== mode)) return null;
      if (kind === 'directory') {
        directories.set(name, directoryEntry(joinPath(directory, name), found));
        continue;
      }
      if (found.ino !== inode || found.ctimeNs !== ctimeNs || suspect !== 0n) return null;
      if (kind === 'file' && (found.size !== size || databaseOf(name) !== null)) return null;
    }
    return directories;
  } catch {
    // The closer look knows what each error means.
    return null;
  }
}

function directoryEntry(
  path: string,
  found: { mtimeNs: bigint; ctimeNs: bigint; mode: bigint; ino: bigint },
): LocalEntry {
  return {
    path,
    kind: 'directory',
    size: 0,
    mtimeNs: found.mtimeNs,
    ctimeNs: found.ctimeNs,
    mode: Number(found.mode & 0o777n),
    inode: found.ino,
    links: 1,
    target: null,
  };
}
