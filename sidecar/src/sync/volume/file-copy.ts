import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../clock.ts';
import type { Content } from '../../spaces/space.ts';
import { FileChangedError, FileError } from '../file-errors.ts';
import type { LocalEntry } from '../model.ts';
import { type LocalTree, toEntry } from './local-tree.ts';
import { isVolumeFull } from './reserve.ts';
import { copyDatabase, isDatabase, removeCopy, sqliteCode } from './sqlite-copy.ts';
import { SQLITE_HEADER } from './sqlite-names.ts';
import { writePages } from './written-pages.ts';

/** A stable view of a local file, ready to be read more than once. */
export interface StableFile {
  /** The file as it was when the reading began. */
  readonly entry: LocalEntry;
  /** Equal times of a later look prove nothing: the file was written at the moment it was read, perhaps through a map. */
  readonly racy: boolean;
  readonly content: Content;
  /** Of the open file with these bytes. */
  readonly descriptor: number;
  /** Some of the bytes by themselves; `check` is the CRC-32 of its last full pass. */
  part(start: number, length: number): Content & { check(): number };
  /** SHA-256 of the last full pass over `content`. */
  hash(): string;
  /** @throws FileChangedError where the file is another one by now. */
  assertUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** A kernel stamps files with the time of its last tick; this is many ticks. */
const TICK_NS = 100_000_000n;

/**
 * Opens a file for saving. Databases are copied into `scratch` first, by SQLite's own rules.
 * @throws FileChangedError, DatabaseBusyError
 */
export async function openStable(tree: LocalTree, path: string, options: CopyOptions): Promise<StableFile> {
  const descriptor = openFile(tree, path);
  let database = false;
  let isClean = false;
  let entry: LocalEntry | null;
  let start: Buffer;
  const openedNs = BigInt(options.clock.now()) * 1_000_000n;
  try {
    const seen = toEntry(path, fstatSync(descriptor, { bigint: true }), () => null);
    if (seen?.kind === 'file') isClean = await writePages(descriptor, seen, openedNs);
    entry = toEntry(path, fstatSync(descriptor, { bigint: true }), () => null);
    if (seen?.kind !== 'file' || entry?.kind !== 'file')
      throw new FileChangedError(`${path} is no file any more`);
    isClean &&= seen.mtimeNs === entry.mtimeNs && seen.ctimeNs === entry.ctimeNs;
    start = readStart(descriptor, Math.min(Math.max(entry.size, SQLITE_HEADER.length), SMALL_FILE_BYTES));
    database = isDatabase(start, path);
    if (database) entry = tree.withLog(entry);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const racy = !isClean || entry.ctimeNs > openedNs - TICK_NS;
  if (!database) {
    const { size } = entry;
    const isWhole = size <= SMALL_FILE_BYTES && start.length === size;
    return stable(tree, { entry, racy, descriptor, size, whole: isWhole ? start : null, copy: null });
  }
  closeSync(descriptor);
  const copy = join(options.scratch, `db-${process.pid}-${nextCopy++}`);
  let opened: number | null = null;
  try {
    await assertCopyFits(tree, entry, options);
    const name = tree.nameWithLog(entry);
    await copyDatabase(tree.at(name), copy, options);
    // SQLite opens by name, so a link that has taken a folder's place since is found out afterwards.
    closeSync(openFile(tree, name));
    if (tree.look(name)?.inode !== entry.inode) throw new FileChangedError(`${path} is another file by now`);
    opened = openSync(copy, 'r');
    const size = fstatSync(opened).size;
    return stable(tree, { entry, racy, descriptor: opened, size, whole: null, copy });
  } catch (error) {
    if (opened !== null) closeSync(opened);
    await removeCopy(copy);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileChangedError(`${path} is gone`);
    if (isVolumeFull(error)) throw noRoom(path, error);
    if (sqliteCode(error) !== null)
      throw new FileError('disk-fault', `${path} cannot be copied`, 'until-change', error);
    throw error;
  }
}

export interface CopyOptions {
  /** Folder on the volume for copies of databases. */
  readonly scratch: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Frees so many bytes on the volume. @returns whether it could */
  readonly makeRoom?: (bytes: number) => Promise<boolean>;
}

/** A copy that fills the volume would stop everything else that writes there. */
async function assertCopyFits(tree: LocalTree, entry: LocalEntry, { makeRoom }: CopyOptions): Promise<void> {
  const missing = entry.size + COPY_MARGIN_BYTES - (await tree.freeBytes());
  if (missing > 0 && (await makeRoom?.(missing)) !== true) throw noRoom(entry.path);
}

/** For what else a save writes. */
const COPY_MARGIN_BYTES = 1 << 20;

function noRoom(path: string, cause?: unknown): FileError {
  return new FileError('no-room', `the volume has no room for a copy of ${path}`, 'until-change', cause);
}

/** Up to this size a file is read at once and on the spot. */
const SMALL_FILE_BYTES = 1 << 18;

function openFile(tree: LocalTree, path: string): number {
  try {
    return tree.open(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw new FileChangedError(`${path} is gone`, { cause: error });
    }
    throw error;
  }
}

function readStart(descriptor: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  return buffer.subarray(0, readSync(descriptor, buffer, 0, bytes, 0));
}

let nextCopy = 1;

function readAt(descriptor: number, bytes: number, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  return new Promise((resolve, reject) => {
    read(descriptor, buffer, 0, bytes, position, (error, got) =>
      error === null ? resolve(buffer.subarray(0, got)) : reject(error),
    );
  });
}

function partOf(path: string, descriptor: number, start: number, length: number, look: () => void) {
  let check = 0;
  return {
    size: length,
    async *open() {
      let running = 0;
      const lookNow = everySecond(look);
      for (let at = start; at < start + length; ) {
        const chunk = await readAt(descriptor, Math.min(1 << 18, start + length - at), at);
        if (chunk.length === 0) throw new FileChangedError(`${path} became shorter while it was read`);
        at += chunk.length;
        lookNow();
        running = crc32(chunk, running);
        yield chunk;
      }
      check = running;
    },
    check: () => check,
  };
}

/** Once a second: who removes or replaces a large file waits for no more than that until its reading ends. */
function everySecond(work: () => void): () => void {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < LOOK_MS) return;
    last = now;
    work();
  };
}

const LOOK_MS = 1000;

interface Opened {
  readonly entry: LocalEntry;
  readonly racy: boolean;
  readonly descriptor: number;
  readonly size: number;
  /** All bytes of a small file. */
  readonly whole: Buffer | null;
  /** The copy of a database that is read instead of it. */
  readonly copy: string | null;
}

function stable(tree: LocalTree, { entry, racy, descriptor, size, whole, copy }: Opened): StableFile {
  let digest = '';
  const assertSame = () => {
    if (copy !== null) return;
    const now = tree.look(entry.path);
    const same =
      now !== null &&
      now.inode === entry.inode &&
      now.size === entry.size &&
      now.mtimeNs === entry.mtimeNs &&
      now.ctimeNs === entry.ctimeNs;
    if (!same) throw new FileChangedError(`${entry.path} changed while it was read`);
  };
  return {
    entry,
    racy,
    content: {
      size,
      async *open() {
        const hash = createHash('sha256');
        if (whole !== null && size > 0) {
          hash.update(whole);
          yield whole;
        }
        const lookNow = everySecond(assertSame);
        for (let at = whole?.length ?? 0; at < size; ) {
          const want = Math.min(1 << 18, size - at);
          const chunk = await readAt(descriptor, want, at);
          if (chunk.length === 0)
            throw new FileChangedError(`${entry.path} became shorter while it was read`);
          at += chunk.length;
          lookNow();
          hash.update(chunk);
          yield chunk;
        }
        digest = hash.digest('hex');
      },
    },
    descriptor,
    part: (start, length) => partOf(entry.path, descriptor, start, length, assertSame),
    hash: () => digest,
    async assertUnchanged() {
      assertSame();
    },
    async close() {
      closeSync(descriptor);
      if (copy !== null) await removeCopy(copy);
    },
  };
}

/** Reads a stable file once and returns its SHA-256. @throws FileChangedError */
export async function hashStable(file: StableFile): Promise<string> {
  for await (const _ of file.content.open()) void _;
  await file.assertUnchanged();
  return file.hash();
}

/** Fingerprint of what was read: an upload of a file with equal facts can be used again. */
export function localFacts(entry: Pick<LocalEntry, 'size' | 'mtimeNs' | 'ctimeNs' | 'inode'>): string {
  return `${entry.size}:${entry.mtimeNs}:${entry.ctimeNs}:${entry.inode}`;
}
