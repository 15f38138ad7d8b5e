import { type BigIntStats, constants, createWriteStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../clock.ts';
import { classify, DatabaseBusyError, FileError } from '../file-errors.ts';
import { hasHeader, SQLITE_HEADER, sideOf } from './sqlite-names.ts';

const SQLITE_NAME = /\.(sqlite3?|db)$/i;

/**
 * Whether a file is to be copied as a database: by its first bytes; by name only where it is too short to have any.
 * @param start the first bytes of the file, at least as many as the header of a database has, or all
 */
export function isDatabase(start: Buffer, path: string): boolean {
  if (start.length >= SQLITE_HEADER.length) return hasHeader(start);
  return start.length > 0 && SQLITE_NAME.test(path);
}

/**
 * Takes a consistent copy of a SQLite database that others may be writing to.
 *
 * In rollback-journal mode the file is copied under SQLite's own shared lock, which no writer can pass, so the copy is
 * the database byte for byte. In WAL mode, where the newest pages are in another file, SQLite's backup API makes it.
 * What SQLite cannot do without writing beside the original (roll a hot journal back, make the index of a log) is done
 * in a copy of the whole set; the original stays untouched. What SQLite cannot read (damaged, or no database at all) is
 * copied byte for byte while it stands still.
 *
 * @param source absolute path of the database as bytes, the name that its log or journal lies beside; no link, no other open
 *   handle of this process on it (closing one would drop SQLite's locks)
 * @param target a path for the copy; `-journal`, `-wal` and `-shm` beside it are used too
 * @throws DatabaseBusyError after `waitMs`; FileError about a side file that cannot be read
 */
export async function copyDatabase(
  source: Buffer,
  target: string,
  options: { clock: Clock; waitMs?: number; signal?: AbortSignal },
): Promise<void> {
  const until = options.clock.monotonic() + (options.waitMs ?? 20_000);
  for (;;) {
    try {
      await removeCopy(target);
      const { dev, ino } = await fs.stat(source, { bigint: true });
      if (await alone(`${dev}:${ino}`, () => copyOnce(source, target))) return;
    } catch (error) {
      if (isUnreadable(error)) {
        if (await copyAsFile(source, target)) return;
      } else if (!isBusy(error)) throw error;
    }
    if (options.clock.monotonic() >= until) {
      throw new DatabaseBusyError(
        `the database is in use and could not be copied within ${options.waitMs ?? 20_000} ms`,
      );
    }
    await options.clock.sleep(100, options.signal);
  }
}

const WHOLE = '-whole';

export async function removeCopy(target: string): Promise<void> {
  for (const ending of ['', '-journal', '-wal', '-shm', WHOLE]) await fs.rm(target + ending, { force: true });
}

/** Files that are being copied → when the last one that waits for it has ended. */
const copying = new Map<string, Promise<unknown>>();

/**
 * One name of a file after the other: for two of them at once, SQLite uses the index of one log, also where only one has
 * a log, and then sees no row of it, or fails.
 */
async function alone<T>(file: string, work: () => Promise<T>): Promise<T> {
  const own = (copying.get(file) ?? Promise.resolve()).then(work);
  const ended = own.catch(() => undefined);
  copying.set(file, ended);
  try {
    return await own;
  } finally {
    if (copying.get(file) === ended) copying.delete(file);
  }
}

/** @returns false where another attempt is needed. */
async function copyOnce(source: Buffer, target: string): Promise<boolean> {
  let database: DatabaseSync;
  let mode: string;
  // Closed after the lock is gone: closing any handle on the file drops all locks of this process.
  const handle = await fs.open(source, 'r');
  try {
    // Nobody has it open, and SQLite would leave a log and an index of its own beside it.
    if ((await isOfLog(handle)) && (await sideOfFile(source, '-wal')) === null)
      return await copySet(source, target, handle);
    try {
      database = new DatabaseSync(source, { readOnly: true, timeout: 10 });
    } catch {
      return await copySet(source, target, handle);
    }
    try {
      mode = String((database.prepare('PRAGMA journal_mode').get() as { journal_mode: string }).journal_mode);
      if (mode === 'wal') {
        await backup(database, target);
        return true;
      }
      database.exec('BEGIN');
      database.prepare('SELECT count(*) FROM sqlite_master').get();
      const before = factsOf(await handle.stat({ bigint: true }));
      await copyBytes(handle, target);
      database.exec('COMMIT');
      // The lock goes where another name of the file is opened and closed meanwhile.
      return factsOf(await handle.stat({ bigint: true })) === before;
    } catch (error) {
      // A read-only reader cannot roll back a hot journal, nor make the index of a log where it may not write.
      if (!isReadOnlyRollback(error)) throw error;
      return await copySet(source, target, handle);
    } finally {
      if (database.isOpen) database.close();
    }
  } finally {
    await handle.close();
  }
}

/** Whether the header says that the database has a write-ahead log while it is in use. */
async function isOfLog(handle: fs.FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
  return bytesRead === 20 && (buffer[18] === 2 || buffer[19] === 2);
}

/** @returns false where the file changed meanwhile. */
async function copyAsFile(source: Buffer, target: string): Promise<boolean> {
  const before = await facts(source);
  await removeCopy(target);
  const handle = await fs.open(source, 'r');
  try {
    await copyBytes(handle, target);
  } finally {
    await handle.close();
  }
  return (await facts(source)) === before;
}

const SIDES = ['-wal', '-journal'] as const;

/** Copies database, log and journal while all stand still, then lets SQLite make one file of the copy. */
async function copySet(source: Buffer, target: string, handle: fs.FileHandle): Promise<boolean> {
  const before = await facts(source);
  await removeCopy(target);
  await copyBytes(handle, target);
  let hasSides = false;
  for (const ending of SIDES) {
    const isThere = ((await sideOfFile(source, ending))?.size ?? 0n) > 0n;
    if (isThere) await copySide(source, target, ending);
    hasSides ||= isThere;
  }
  if ((await facts(source)) !== before) return false;
  if (!hasSides && !(await isOfLog(handle))) return true;
  await makeWhole(target);
  return true;
}

/** Brings log or journal of a copy in. With a log by the same API as in place: whether it lies there or not, the bytes are equal. */
async function makeWhole(target: string): Promise<void> {
  const whole = target + WHOLE;
  const copy = new DatabaseSync(target, { timeout: 1_000 });
  try {
    copy.prepare('SELECT count(*) FROM sqlite_master').get();
    const { journal_mode: mode } = copy.prepare('PRAGMA journal_mode').get() as { journal_mode: string };
    if (mode !== 'wal') return;
    await backup(copy, whole);
  } finally {
    copy.close();
  }
  await fs.rename(whole, target);
}

/** What may not be read is not as if it was not there: the newest rows may be in it alone. */
async function copySide(source: Buffer, target: string, ending: string): Promise<void> {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const side = await fs.open(sideOf(source, ending), flags);
    try {
      await copyBytes(side, target + ending);
    } finally {
      await side.close();
    }
  } catch (error) {
    const { code: errno, syscall } = error as NodeJS.ErrnoException;
    // It has just gone, which the look at all of them finds out.
    if (errno === 'ENOENT') return;
    const { scope, code, duration } = classify(error, { does: 'read', path: ending });
    if (scope !== 'file') throw error;
    throw new FileError(code, `the ${ending} of a database: ${syscall} ${errno}`, duration, error, ending);
  }
}

/** A log or journal as it is now; null where there is none. */
async function sideOfFile(source: Buffer, ending: string): Promise<BigIntStats | null> {
  try {
    const found = await fs.lstat(sideOf(source, ending), { bigint: true });
    return found.isFile() ? found : null;
  } catch (error) {
    // A name too long to have one.
    if (['ENOENT', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

const factsOf = (found: BigIntStats) => `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;

async function facts(source: Buffer): Promise<string> {
  const parts = [factsOf(await fs.stat(source, { bigint: true }))];
  for (const ending of SIDES) {
    const found = await sideOfFile(source, ending);
    parts.push(found === null ? 'none' : factsOf(found));
  }
  return parts.join(' ');
}

async function copyBytes(from: fs.FileHandle, target: string): Promise<void> {
  const bytes = async function* () {
    for (let at = 0; ; ) {
      const { buffer, bytesRead } = await from.read(Buffer.allocUnsafe(1 << 18), 0, 1 << 18, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  };
  await pipeline(bytes, createWriteStream(target));
}

/** SQLite's primary result code; null for what is no error of SQLite. */
export function sqliteCode(error: unknown): number | null {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : null;
}
/** SQLITE_BUSY and SQLITE_LOCKED with all their extended codes. */
function isBusy(error: unknown): boolean {
  return [5, 6].includes(sqliteCode(error) ?? 0);
}
/** SQLITE_ERROR (unknown format), SQLITE_CORRUPT and SQLITE_NOTADB: no attempt will read it. */
function isUnreadable(error: unknown): boolean {
  return [1, 11, 26].includes(sqliteCode(error) ?? 0);
}
/** SQLITE_READONLY (rollback, recovery, directory) and SQLITE_CANTOPEN. */
function isReadOnlyRollback(error: unknown): boolean {
  return [8, 14].includes(sqliteCode(error) ?? 0);
}
