import { createWriteStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { backup, DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../clock.ts';
import { DatabaseBusyError } from '../file-errors.ts';
import { hasHeader, SQLITE_HEADER } from './sqlite-names.ts';

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
 * A hot journal, left by a process that died, is rolled back in the copy; the original stays untouched. What SQLite
 * cannot read (damaged, or no database at all) is copied byte for byte while it stands still.
 *
 * @param source absolute path of the database as bytes; no link, no other open handle of this process on it (closing one would drop
 *   SQLite's locks)
 * @param target a path for the copy; `-journal` beside it is used too
 * @throws DatabaseBusyError after `waitMs`
 */
export async function copyDatabase(
  source: Buffer,
  target: string,
  options: { clock: Clock; waitMs?: number; signal?: AbortSignal },
): Promise<void> {
  const until = options.clock.monotonic() + (options.waitMs ?? 20_000);
  for (;;) {
    try {
      await fs.rm(target, { force: true });
      await fs.rm(`${target}-journal`, { force: true });
      if (await copyOnce(source, target)) return;
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

/** @returns false where another attempt is needed. */
async function copyOnce(source: Buffer, target: string): Promise<boolean> {
  let database: DatabaseSync;
  let mode: string;
  // Closed after the lock is gone: closing any handle on the file drops all locks of this process.
  const handle = await fs.open(source, 'r');
  try {
    try {
      database = new DatabaseSync(source, { readOnly: true, timeout: 10 });
    } catch {
      return await copyWithJournal(source, target, handle);
    }
    try {
      mode = String((database.prepare('PRAGMA journal_mode').get() as { journal_mode: string }).journal_mode);
      if (mode === 'wal') {
        await backup(database, target);
        return true;
      }
      database.exec('BEGIN');
      database.prepare('SELECT count(*) FROM sqlite_master').get();
      await copyBytes(handle, target);
      database.exec('COMMIT');
      return true;
    } catch (error) {
      // A read-only reader cannot roll back a hot journal.
      if (!isReadOnlyRollback(error)) throw error;
      return await copyWithJournal(source, target, handle);
    } finally {
      if (database.isOpen) database.close();
    }
  } finally {
    await handle.close();
  }
}

/** @returns false where the file changed meanwhile. */
async function copyAsFile(source: Buffer, target: string): Promise<boolean> {
  const before = await facts(source);
  await fs.rm(`${target}-journal`, { force: true });
  const handle = await fs.open(source, 'r');
  try {
    await copyBytes(handle, target);
  } finally {
    await handle.close();
  }
  return (await facts(source)) === before;
}

/** Copies database and journal while both stand still, then lets SQLite roll the copy back. */
async function copyWithJournal(source: Buffer, target: string, handle: fs.FileHandle): Promise<boolean> {
  const before = await facts(source);
  await copyBytes(handle, target);
  const journal = await fs.open(journalOf(source), 'r').catch(() => null);
  if (journal !== null) {
    try {
      await copyBytes(journal, `${target}-journal`);
    } finally {
      await journal.close();
    }
  }
  if ((await facts(source)) !== before) return false;
  if (journal === null) return true;
  const copy = new DatabaseSync(target, { timeout: 1_000 });
  try {
    copy.prepare('SELECT count(*) FROM sqlite_master').get();
  } finally {
    copy.close();
  }
  return true;
}

function journalOf(source: Buffer): Buffer {
  return Buffer.concat([source, Buffer.from('-journal')]);
}

async function facts(source: Buffer): Promise<string> {
  const parts = await Promise.all(
    [source, journalOf(source)].map(async (path) => {
      const found = await fs.stat(path, { bigint: true }).catch(() => null);
      return found === null ? 'none' : `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }),
  );
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
