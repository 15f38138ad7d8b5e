import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { type LocalTree, toEntry, withLog } from './local-tree.ts';
import type { LocalEntry } from './model.ts';
import type { Content } from './space.ts';
import { copyDatabase, isDatabase } from './sqlite-copy.ts';

/** A local file did not stand still while it was read, or is gone. The next round finds it as it is then. */
export class FileChangedError extends Error {
  override readonly name = 'FileChangedError';
}

/** A stable view of a local file, ready to be read more than once. */
export interface StableFile {
  /** The file as it was when the reading began. */
  readonly entry: LocalEntry;
  /** Equal times of a later look prove nothing: the file was written at the moment it was read. */
  readonly suspect: boolean;
  readonly content: Content;
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
export async function openStable(
  tree: LocalTree,
  path: string,
  options: { scratch: string; clock: Clock; signal?: AbortSignal },
): Promise<StableFile> {
  const handle = await tree.open(path).catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(error.code ?? '')) {
      throw new FileChangedError(`${path} is gone`, { cause: error });
    }
    throw error;
  });
  let database = false;
  let entry: LocalEntry | null;
  const openedNs = BigInt(options.clock.now()) * 1_000_000n;
  try {
    entry = toEntry(path, await handle.stat({ bigint: true }), () => null);
    if (entry?.kind !== 'file') throw new FileChangedError(`${path} is no file any more`);
    database = await isDatabase(handle, path);
    if (database) entry = withLog(entry, tree.at(path));
  } catch (error) {
    await handle.close();
    throw error;
  }
  const suspect = entry.ctimeNs > openedNs - TICK_NS;
  if (!database) return stable(tree, entry, suspect, handle, null);
  await handle.close();
  const copy = join(options.scratch, `db-${process.pid}-${nextCopy++}`);
  try {
    await copyDatabase(tree.at(path), copy, options);
    return await stable(tree, entry, suspect, await fs.open(copy, 'r'), copy);
  } catch (error) {
    await fs.rm(copy, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FileChangedError(`${path} is gone`);
    throw error;
  }
}
let nextCopy = 1;

async function stable(
  tree: LocalTree,
  entry: LocalEntry,
  suspect: boolean,
  handle: fs.FileHandle,
  copy: string | null,
): Promise<StableFile> {
  let { size } = entry;
  try {
    if (copy !== null) size = Number((await handle.stat()).size);
  } catch (error) {
    await handle.close();
    throw error;
  }
  let digest = '';
  return {
    entry,
    suspect,
    content: {
      size,
      async *open() {
        const hash = createHash('sha256');
        for (let at = 0; at < size; ) {
          const want = Math.min(1 << 18, size - at);
          const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(want), 0, want, at);
          if (bytesRead === 0) throw new FileChangedError(`${entry.path} became shorter while it was read`);
          at += bytesRead;
          const chunk = buffer.subarray(0, bytesRead);
          hash.update(chunk);
          yield chunk;
        }
        digest = hash.digest('hex');
      },
    },
    hash: () => digest,
    async assertUnchanged() {
      if (copy !== null) return;
      const now = tree.look(entry.path);
      const same =
        now !== null &&
        now.inode === entry.inode &&
        now.size === entry.size &&
        now.mtimeNs === entry.mtimeNs &&
        now.ctimeNs === entry.ctimeNs;
      if (!same) throw new FileChangedError(`${entry.path} changed while it was read`);
    },
    async close() {
      await handle.close();
      if (copy !== null) {
        for (const suffix of ['', '-journal', '-wal', '-shm']) await fs.rm(copy + suffix, { force: true });
      }
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
export function localFacts(entry: LocalEntry): string {
  return `${entry.size}:${entry.mtimeNs}:${entry.ctimeNs}:${entry.inode}`;
}
