import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  lutimesSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { targetBytes, targetText } from '../../spaces/link-target.ts';
import { joinPath, parentOf } from '../../spaces/space.ts';
import { FileError } from '../file-errors.ts';
import type { LocalEntry } from '../model.ts';
import type { NameCodec } from '../names.ts';
import type { BaseStat } from '../state/state-rows.ts';
import { keepable } from '../time-range.ts';
import { assertInside } from './open-path.ts';
import { databaseOf, isSideFile, logChange } from './sqlite-names.ts';
import { type SeenDirectory, textPath, unchangedDirectories } from './unchanged.ts';

export interface ChildrenOptions {
  readonly isCopy?: boolean;
  readonly onUnknown?: (name: string, error: unknown) => void;
}

/**
 * The data folder of a volume. Paths are those of the space; bytes of names are the codec's business. Symbolic links
 * are never followed: a path whose parent is a link is refused.
 */
export class LocalTree {
  readonly root: string;
  readonly #codec: NameCodec;
  /** Inode of a database with more than one name → the one that its log or journal was seen beside. */
  readonly #logged = new Map<bigint, string>();
  /** A scan that has looked at so many entries gets a second thread; less work is not worth it. */
  secondThreadFrom = 20_000;
  /** Told of every look at a socket, pipe or device. */
  onLeftOut: (() => void) | undefined;

  constructor(root: string, codec: NameCodec) {
    this.root = root;
    this.#codec = codec;
  }

  /** As `at`, and cheaper: text. null where only the bytes say it. */
  #textAt(path: string): string | null {
    return textPath(this.root, path);
  }

  /** As `at`, as text where that says it. */
  #pathOf(path: string): string | Buffer {
    return this.#textAt(path) ?? this.at(path);
  }

  /** Absolute, as bytes. */
  at(path: string): Buffer {
    return path === ''
      ? Buffer.from(this.root)
      : Buffer.concat([Buffer.from(`${this.root}/`), this.#codec.bytes(path)]);
  }

  /**
   * The entries of a directory by name; null where there is no directory. Sockets, pipes and devices are left out, and
   * `-journal`, `-wal` and `-shm` files beside their database, which only mean something together with it.
   * @param options.isCopy of a space, file by file: those are files like others, and a database is no more than its own file
   * @param options.onUnknown told of an entry of which nothing can be said, only that it is there; without it that is thrown
   * @throws where the directory cannot be read
   */
  children(
    directory: string,
    { isCopy = false, onUnknown }: ChildrenOptions = {},
  ): Map<string, LocalEntry> | null {
    // `readdir` would follow a link.
    if (directory !== '' && this.look(directory)?.kind !== 'directory') return null;
    let names: Buffer[];
    try {
      names = readdirSync(this.at(directory), { encoding: 'buffer' });
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
    const present = new Set(names.map((name) => name.toString('latin1')));
    const result = new Map<string, LocalEntry>();
    for (const raw of names) {
      const latin1 = raw.toString('latin1');
      const database = isCopy ? null : databaseOf(latin1);
      if (database !== null && present.has(database) && isSideFile(this.#child(directory, raw))) continue;
      const name = this.#codec.encode(raw, directory);
      try {
        const hasLog = present.has(`${latin1}-wal`) || present.has(`${latin1}-journal`);
        const entry = this.#entry(joinPath(directory, name), isCopy ? 'is-copy' : hasLog);
        if (entry !== null) result.set(name, entry);
      } catch (error) {
        if (onUnknown === undefined) throw error;
        onUnknown(name, error);
      }
    }
    return result;
  }

  /** The directories in a directory, by name, where nothing in it differs from these looks; else null, or where unsure. */
  unchanged(directory: string, looks: Iterable<readonly BaseStat[]>): Map<string, SeenDirectory> | null {
    const at = this.#textAt(directory);
    return at === null ? null : unchangedDirectories(at, looks, 'names');
  }

  /** One entry; null where nothing is, or nothing that can be saved. */
  look(path: string): LocalEntry | null {
    return this.#entry(path, true);
  }

  /** @param hasLog a log or journal may lie beside it: what it holds is a change of the database. */
  #entry(path: string, hasLog: boolean | 'is-copy'): LocalEntry | null {
    const at = this.#pathOf(path);
    try {
      const found = lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (found === undefined) return null;
      const entry = toEntry(path, found, () => targetText(readlinkSync(at, { encoding: 'buffer' })));
      if (entry === null) this.onLeftOut?.();
      if (entry?.kind !== 'file' || hasLog === 'is-copy') return entry;
      return this.withLog(entry, hasLog);
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  /**
   * The entry of a database that has a log or journal: whatever changes that changes the entry, whichever of its names it
   * lies beside.
   * @param mayBeBeside it may lie beside this name. @default true
   */
  withLog(entry: LocalEntry, mayBeBeside = true): LocalEntry {
    const log = this.#logOf(entry, mayBeBeside);
    return log === null || log.changed <= entry.ctimeNs ? entry : { ...entry, ctimeNs: log.changed };
  }

  /** The name by which SQLite finds the log or journal of a database: where none lies beside this one, another of the same file. */
  nameWithLog(entry: LocalEntry): string {
    return this.#logOf(entry, true)?.name ?? entry.path;
  }

  #logOf(
    entry: LocalEntry,
    mayBeBeside: boolean,
  ): { readonly name: string; readonly changed: bigint } | null {
    const { path, inode, links } = entry;
    const own = mayBeBeside ? logChange(this.at(path)) : null;
    if (own !== null && links > 1) this.#logged.set(inode, path);
    if (own !== null) return { name: path, changed: own };
    const name = links > 1 ? this.#logged.get(inode) : undefined;
    if (name === undefined) return null;
    const found = lstatSync(this.#pathOf(name), { bigint: true, throwIfNoEntry: false });
    const changed = found?.ino === inode ? logChange(this.at(name)) : null;
    if (changed === null) this.#logged.delete(inode);
    return changed === null ? null : { name, changed };
  }

  #child(directory: string, raw: Buffer): Buffer {
    return Buffer.concat([this.at(directory), Buffer.from('/'), raw]);
  }

  /**
   * A descriptor for reading, to be closed by the caller. On the spot: handing a small file over to the pool of threads
   * costs several times what opening it does.
   * @throws ELOOP where a link has taken the place of the file or of a folder above it
   */
  open(path: string): number {
    const descriptor = openSync(
      this.at(path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      assertInside(descriptor, this.root, this.#codec.bytes(path));
      return descriptor;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Directories, as needed; @throws where something else is in the way. */
  async makeDirectory(path: string): Promise<void> {
    if (path === '') return;
    const found = this.look(path);
    if (found?.kind === 'directory') return;
    if (found !== null) throw new FileError('in-the-way', `${path} is a ${found.kind} of the volume`);
    await this.makeDirectory(parentOf(path));
    try {
      await fs.mkdir(this.at(path), { mode: 0o775 });
    } catch (error) {
      // Somebody else made it in this moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || this.look(path)?.kind !== 'directory')
        throw error;
    }
  }

  /** Moves a finished file of the same volume to its place, replacing a file or link there. */
  place(temporary: string, path: string): void {
    this.#assertParent(path);
    renameSync(temporary, this.#pathOf(path));
  }

  /**
   * As `place`, for a file that is still open.
   * @param mayHaveLog it may be a database, beside which a write-ahead log lies
   * @returns what is there now
   */
  placeOpen(descriptor: number, temporary: string, path: string, mayHaveLog: boolean): LocalEntry | null {
    this.place(temporary, path);
    // Asked of the file itself: a look at its path costs as much as the move.
    return mayHaveLog ? this.look(path) : toEntry(path, fstatSync(descriptor, { bigint: true }), () => null);
  }

  /** Like `place`, but only where nothing is. @throws EEXIST */
  async placeNew(temporary: string, path: string): Promise<void> {
    this.#assertParent(path);
    await fs.link(temporary, this.at(path));
    await fs.unlink(temporary);
  }

  /** Like `makeSymlink`, but only where nothing is. @throws EEXIST */
  async newSymlink(target: string, path: string): Promise<void> {
    this.#assertParent(path);
    await fs.symlink(targetBytes(target), this.at(path));
  }

  /** Like `link`, but only where nothing is. @throws EEXIST */
  async newLink(existing: string, path: string): Promise<void> {
    this.#assertParent(path);
    await fs.link(this.at(existing), this.at(path));
  }

  async makeSymlink(path: string, target: string): Promise<void> {
    this.#assertParent(path);
    await unlinkIfThere(this.at(path));
    await fs.symlink(targetBytes(target), this.at(path));
  }

  async link(existing: string, path: string): Promise<void> {
    this.#assertParent(path);
    await unlinkIfThere(this.at(path));
    await fs.link(this.at(existing), this.at(path));
  }

  async removeFile(path: string): Promise<void> {
    await unlinkIfThere(this.at(path));
  }

  /** @returns false where it is not empty. */
  async removeEmptyDirectory(path: string): Promise<boolean> {
    try {
      await fs.rmdir(this.at(path));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
      if (code !== 'ENOENT') throw error;
    }
    return true;
  }

  /**
   * Makes the folders on the way to a path such that this program may go into them and write there. What they are to be
   * in the end is set when all is in its place.
   * @returns false where that cannot be
   */
  openFolders(path: string): boolean {
    try {
      const folders: string[] = [];
      for (let each = parentOf(path); each !== ''; each = parentOf(each)) folders.unshift(each);
      for (const folder of folders) {
        const found = this.look(folder);
        if (found?.kind !== 'directory') return false;
        if ((found.mode & 0o700) !== 0o700) this.setMode(folder, found.mode | 0o700);
      }
      return folders.length > 0;
    } catch {
      return false;
    }
  }

  setMode(path: string, mode: number): void {
    chmodSync(this.at(path), mode & 0o777);
  }

  setTimes(path: string, mtimeNs: bigint): void {
    const seconds = utimesSeconds(mtimeNs);
    lutimesSync(this.at(path), seconds, seconds);
  }

  /** Bytes that an ordinary user can still write to the volume. */
  async freeBytes(): Promise<number> {
    const found = await fs.statfs(this.root, { bigint: true });
    return Number(found.bavail * found.bsize);
  }

  #assertParent(path: string): void {
    const parent = parentOf(path);
    for (let each = parent; each !== ''; each = parentOf(each)) {
      const found = lstatSync(this.#pathOf(each), { throwIfNoEntry: false });
      if (found?.isDirectory() !== true)
        throw new FileError('in-the-way', `${each} is no directory of the volume`);
    }
  }
}

/**
 * Pure. A time as `utimes` takes it, right to the microsecond. Seconds as a double hold about 0.2 µs, and the digits
 * behind are cut off, so that one that lies a little nearer to 0 than its microsecond would become another one. Below 0
 * as text: a number would be taken for now.
 */
export function utimesSeconds(mtimeNs: bigint): number | string {
  const microseconds = mtimeNs / 1_000n;
  const seconds = Number(microseconds) / 1e6;
  const kept = Math.abs(Math.trunc((seconds - Math.trunc(seconds)) * 1e6));
  const wanted = Math.abs(Number(microseconds % 1_000_000n));
  const exact = kept < wanted ? seconds + seconds * Number.EPSILON : seconds;
  return exact < 0 ? String(exact) : exact;
}

export function toEntry(path: string, found: BigIntStats, target: () => string | null): LocalEntry | null {
  const kind = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : null;
  if (kind === null) return null;
  return {
    path,
    kind,
    size: kind === 'file' ? Number(found.size) : 0,
    mtimeNs: keepable(found.mtimeNs),
    ctimeNs: keepable(found.ctimeNs),
    mode: Number(found.mode & 0o777n),
    inode: found.ino,
    links: kind === 'file' ? Number(found.nlink) : 1,
    target: kind === 'symlink' ? target() : null,
  };
}

async function unlinkIfThere(at: Buffer): Promise<void> {
  try {
    await fs.unlink(at);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
