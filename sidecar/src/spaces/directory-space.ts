import { isUtf8 } from 'node:buffer';
import { constants, createReadStream, type Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { ERRNO_CODES, fail, isAbsent, translate } from './directory-errors.ts';
import { assertKind, fill } from './directory-files.ts';
import { targetText } from './link-target.ts';
import {
  type CallOptions,
  type Content,
  type EntryKind,
  isSpaceError,
  joinPath,
  type ListOptions,
  type Locator,
  type MadeDirectory,
  nameOf,
  parentOf,
  type ReadOptions,
  type Space,
  type SpaceCapabilities,
  type SpaceEntry,
  SpaceError,
} from './space.ts';

/** The folder of an entry, and where it really lies; null: it is the root. */
interface Way {
  readonly folder: string;
  readonly real: string | null;
}

/** Bytes of a path with its end, as Linux takes it. */
const PATH_MAX = 4096;
const UNNAMED = 'has a name that is reserved or no UTF-8, or a path longer than the system takes';
/** More are told as absent. */
const MAX_NAMELESS = 1_000;

/**
 * A space that is mounted as a directory, by csi-onedata or any volume. Sockets, pipes and devices are not shown; entries
 * whose names are not UTF-8 or whose paths are too long are, as files that cannot be had. Nothing below the directory is reached through a symbolic link.
 */
export class DirectorySpace implements Space {
  readonly identity: string;
  readonly capabilities: SpaceCapabilities = {
    symlinks: true,
    idsSurviveMove: false,
    maxNameBytes: 255,
    reservedNamePrefixes: ['.__onedata__'],
    reservedNameParts: ['####TO_DELETE'],
    copiesFrom: 1 << 18,
    concurrency: 4,
  };
  readonly #root: string;
  /** Where the root really lay when it was last looked at. */
  #realRoot: string | null = null;
  /** What a listing has shown although no call takes it. */
  readonly #nameless = new Set<string>();

  /** @param root an existing directory. */
  constructor(root: string) {
    this.#root = root;
    this.identity = `directory://${root}`;
  }

  async check(): Promise<void> {
    await this.#call('', async () => {
      const found = await fs.stat(this.#root);
      if (!found.isDirectory()) throw fail('space-unknown', this.#root, 'is no directory');
    });
  }

  async *list(directory: Locator, options: ListOptions = {}): AsyncIterable<SpaceEntry> {
    await this.#assertKind(directory.path, 'directory');
    const folder = await this.#call(directory.path, () =>
      fs.opendir(this.#at(directory.path), { encoding: 'buffer' as BufferEncoding }),
    );
    const handle = folder[Symbol.asyncIterator]();
    const unnamed = new Set<string>();
    try {
      for (;;) {
        const child = await this.#call(directory.path, () => handle.next());
        if (child.done === true) return;
        options.signal?.throwIfAborted();
        const raw = child.value.name as unknown as Buffer;
        const path = joinPath(directory.path, raw.toString('utf8'));
        const isHad =
          isUtf8(raw) && this.#holds(nameOf(path)) && Buffer.byteLength(this.#at(path)) < PATH_MAX;
        // Several may look the same as text.
        if (!isHad && unnamed.has(path)) continue;
        if (!isHad) unnamed.add(path);
        // The way to the folder was looked at, and whoever uses what is listed looks again.
        const entry = isHad ? await this.#listed(path, options) : this.#unnamed(path, child.value);
        if (entry !== null) yield entry;
      }
    } finally {
      // A reader may leave early.
      await handle.return?.();
    }
  }

  /** One that the file system fails at, or says odd things of, takes nothing from the others. */
  async #listed(path: string, { onOdd }: ListOptions): Promise<SpaceEntry | null> {
    try {
      return await this.#look(path);
    } catch (error) {
      if (onOdd === undefined || !isSpaceError(error, 'odd-entry', 'token-not-permitted', 'unavailable'))
        throw error;
      onOdd({ directory: parentOf(path), name: nameOf(path), why: error.message });
      return null;
    }
  }

  /** An entry that no call takes by its path: shown with a byte to ask for, so that whoever misses it is told. */
  #unnamed(path: string, found: Dirent): SpaceEntry | null {
    if (!found.isFile() && !found.isDirectory() && !found.isSymbolicLink()) return null;
    if (this.#nameless.size < MAX_NAMELESS) this.#nameless.add(path);
    return { path, name: nameOf(path), id: '', kind: 'file', size: 1, mtimeSeconds: null };
  }

  async stat(entry: Locator): Promise<SpaceEntry | null> {
    this.#assertNamed(entry.path);
    return (await this.#isStraight(entry.path)) ? this.#look(entry.path) : null;
  }

  async #look(path: string): Promise<SpaceEntry | null> {
    try {
      const found = await fs.lstat(this.#at(path), { bigint: true });
      const kind: EntryKind | undefined = found.isFile()
        ? 'file'
        : found.isDirectory()
          ? 'directory'
          : found.isSymbolicLink()
            ? 'symlink'
            : undefined;
      if (kind === undefined) return null;
      const size = Number(found.size);
      if (kind === 'file' && !(Number.isSafeInteger(size) && size >= 0))
        throw fail('odd-entry', path, `has ${found.size} bytes, which no file has`);
      return {
        path,
        name: nameOf(path),
        id: `${found.dev}:${found.ino}`,
        kind,
        size: kind === 'file' ? size : 0,
        mtimeSeconds: Number(found.mtimeNs / 1_000_000_000n),
      };
    } catch (error) {
      if (isAbsent(error)) return null;
      throw translate(error, path);
    }
  }

  async *read(file: Locator, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    const { size } = await this.#assertKind(file.path, 'file');
    const start = options.offset ?? 0;
    if (start > size) throw fail('bad-range', file.path, `has ${size} bytes, offset ${start} is beyond them`);
    const expected = Math.min(size - start, options.length ?? Number.POSITIVE_INFINITY);
    if (expected === 0) return;
    const stream = createReadStream(this.#at(file.path), {
      start,
      end: start + expected - 1,
      highWaterMark: 1 << 18,
    });
    let got = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        options.signal?.throwIfAborted();
        got += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      throw translate(error, file.path);
    }
    if (got !== expected) throw fail('transfer-broken', file.path, `gave ${got} bytes of ${expected}`);
  }

  async readSymlink(link: Locator): Promise<string> {
    await this.#assertKind(link.path, 'symlink');
    const raw = await this.#call(link.path, () => fs.readlink(this.#at(link.path), { encoding: 'buffer' }));
    return targetText(raw);
  }

  async write(path: string, content: Content, options: CallOptions = {}): Promise<SpaceEntry> {
    const { found: old, way } = await this.#assertParent(path);
    if (old?.kind === 'directory') throw fail('is-a-directory', path, 'is a directory');
    // A link would lead the bytes elsewhere.
    if (old?.kind === 'symlink') await this.#call(path, () => fs.unlink(this.#at(path)));
    await this.#call(path, async () =>
      fill(await fs.open(this.#at(path), 'w', 0o664), { path, offset: 0 }, content, options),
    );
    // The content may have taken hours to come.
    return (await this.#isStill(way)) ? this.#made(path) : this.#present(path);
  }

  async writePart(
    { path }: Locator,
    offset: number,
    content: Content,
    options: CallOptions = {},
  ): Promise<void> {
    this.#assertNamed(path);
    await this.#assertKind(path, 'file');
    await this.#call(path, async () => {
      const flags = constants.O_WRONLY | constants.O_NOFOLLOW;
      await fill(await fs.open(this.#at(path), flags), { path, offset }, content, options);
    });
  }

  /** Only where the file system shares the blocks of both (reflink): any other copy takes as long as to write it. */
  async copy(from: Locator, to: string): Promise<void> {
    await this.#assertKind(from.path, 'file');
    await this.#assertParent(to);
    const flags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE;
    try {
      await fs.copyFile(this.#at(from.path), this.#at(to), flags);
    } catch (error) {
      const known = ERRNO_CODES[(error as NodeJS.ErrnoException).code ?? ''];
      throw known === undefined
        ? fail('unsupported', to, 'cannot share the blocks of another file')
        : translate(error, to);
    }
    const handle = await fs.open(this.#at(to), 'r+');
    await handle.datasync().finally(() => handle.close());
  }

  async makeDirectory(path: string): Promise<MadeDirectory> {
    let isNew = false;
    if (path !== '') {
      this.#assertName(path);
      const found = await this.stat({ path });
      if (found?.kind === 'directory') return found;
      if (found !== null) throw fail('exists', path, `is a ${found.kind}`);
      await this.makeDirectory(parentOf(path));
      try {
        await fs.mkdir(this.#at(path), 0o775);
        isNew = true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw translate(error, path);
      }
    }
    return { ...(await this.#made(path)), ...(isNew ? { isNew } : {}) };
  }

  async makeSymlink(path: string, target: string): Promise<SpaceEntry> {
    if ((await this.#assertParent(path)).found !== null) throw fail('exists', path, 'exists already');
    await this.#call(path, () => fs.symlink(target, this.#at(path)));
    return this.#made(path);
  }

  async move(from: { path: string; kind: EntryKind }, to: string): Promise<void> {
    await this.#assertKind(from.path, from.kind);
    const { found: target } = await this.#assertParent(to);
    if (from.path === to) return;
    if (from.kind === 'directory') {
      if (to.startsWith(`${from.path}/`)) throw fail('bad-request', to, 'cannot move into itself');
      if (target !== null) throw fail('exists', to, 'exists already');
    } else if (target?.kind === 'directory') throw fail('is-a-directory', to, 'is a directory');
    try {
      await this.#call(from.path, () => fs.rename(this.#at(from.path), this.#at(to)));
    } catch (error) {
      // Made since it was looked at. Onto an empty directory the system moves another one all the same.
      if (isSpaceError(error, 'not-empty')) throw fail('exists', to, 'exists already');
      throw error;
    }
  }

  async removeFile(path: string): Promise<void> {
    const found = await this.stat({ path });
    if (found?.kind === 'directory') throw fail('is-a-directory', path, 'is a directory');
    if (found === null) return;
    await this.#call(path, () => fs.unlink(this.#at(path))).catch((error: unknown) => {
      if (!(error instanceof SpaceError) || error.code !== 'not-found') throw error;
    });
  }

  async removeEmptyDirectory(path: string): Promise<void> {
    const found = await this.stat({ path });
    if (found === null) return;
    if (found.kind !== 'directory') throw fail('not-a-directory', path, `is a ${found.kind}`);
    await this.#call(path, () => fs.rmdir(this.#at(path)));
  }

  async removeTree(path: string): Promise<void> {
    if (path === '') throw fail('bad-request', path, 'is the root of the space and is never removed');
    if (!(await this.#isStraight(path))) return;
    await this.#call(path, () => fs.rm(this.#at(path), { recursive: true, force: true }));
  }

  async close(): Promise<void> {}

  #at(path: string): string {
    return path === '' ? this.#root : join(this.#root, path);
  }

  async #isStraight(path: string): Promise<boolean> {
    return (await this.#wayTo(path)) !== null;
  }

  /**
   * The way to an entry, where all on it are folders and none a link: what a link leads to is no part of the space, and
   * perhaps somebody's. Looked at in each call: a folder can be exchanged for a link at any moment.
   */
  async #wayTo(path: string): Promise<Way | null> {
    const folder = this.#at(parentOf(path));
    // The way to the space itself may have links.
    if (folder === this.#root) return { folder, real: null };
    const real = await this.#real(folder, path);
    if (real === null) return null;
    const isBelow = () => this.#realRoot !== null && real === join(this.#realRoot, parentOf(path));
    // One look does while the space is where it was: each costs about as much as the question that it guards.
    if (!isBelow()) this.#realRoot = await this.#real(this.#root, path);
    return isBelow() ? { folder, real } : null;
  }

  async #isStill({ folder, real }: Way): Promise<boolean> {
    return real === null || (await this.#real(folder, folder)) === real;
  }

  /** null: it leads to nothing. */
  async #real(place: string, path: string): Promise<string | null> {
    try {
      return await fs.realpath(place);
    } catch (error) {
      // ELOOP: links that lead to each other.
      if (isAbsent(error) || (error as NodeJS.ErrnoException).code === 'ELOOP') return null;
      throw translate(error, path);
    }
  }

  #assertName(path: string): void {
    if (!this.#holds(nameOf(path))) throw fail('invalid-name', path, 'has a name that the space cannot hold');
  }

  #holds(name: string): boolean {
    const { maxNameBytes, reservedNamePrefixes, reservedNameParts } = this.capabilities;
    return (
      !['', '.', '..'].includes(name) &&
      !name.includes('\0') &&
      name.isWellFormed() &&
      Buffer.byteLength(name) <= maxNameBytes &&
      !reservedNamePrefixes.some((prefix) => name.startsWith(prefix)) &&
      !reservedNameParts.some((part) => name.includes(part))
    );
  }

  /** Checks that `path` can be made. @returns what is there now, and the way to it, which is looked at once */
  async #assertParent(path: string): Promise<{ readonly found: SpaceEntry | null; readonly way: Way }> {
    this.#assertName(path);
    this.#assertNamed(path);
    const way = await this.#wayTo(path);
    if (way === null) {
      await this.#assertKind(parentOf(path), 'directory');
      throw fail('not-found', path, 'does not exist');
    }
    const found = await this.#look(path);
    if (found === null) assertKind(await this.#made(parentOf(path)), 'directory');
    return { found, way };
  }

  async #assertKind(path: string, kind: EntryKind): Promise<SpaceEntry> {
    return assertKind(await this.#present(path), kind);
  }

  /** What is there by a way that this call has looked at. */
  async #made(path: string): Promise<SpaceEntry> {
    return (await this.#look(path)) ?? this.#present(path);
  }

  async #present(path: string): Promise<SpaceEntry> {
    const found = await this.stat({ path });
    if (found === null) throw fail('not-found', path, 'does not exist');
    return found;
  }

  #assertNamed(path: string): void {
    // The system would take another name for it.
    if (!path.isWellFormed() || path.includes('\0') || this.#nameless.has(path))
      throw fail('invalid-name', path, UNNAMED);
  }

  async #call<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw translate(error, path);
    }
  }
}
