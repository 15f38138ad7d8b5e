import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';

const SIDE_FILE = /-(journal|wal|shm)$/;
export const SIDE_ENDINGS = ['-wal', '-journal', '-shm'] as const;
export const SQLITE_HEADER = Buffer.from('SQLite format 3\0', 'latin1');
/** Whether a file that begins like this is a database. */
export const hasHeader = (start: Buffer): boolean =>
  start.subarray(0, SQLITE_HEADER.length).equals(SQLITE_HEADER);
/** What a rollback journal and the two kinds of write-ahead logs begin with. */
const JOURNAL_STARTS = ['d9d505f920a163d7', '377f0682', '377f0683'].map((hex) => Buffer.from(hex, 'hex'));

/** The name of the database that a file of this name would belong to; null for other names. */
export function databaseOf(name: string): string | null {
  return SIDE_FILE.test(name) ? name.replace(SIDE_FILE, '') : null;
}

/**
 * Whether a file with such a name is really SQLite's: both are files and the other one is a database. Beside a file
 * that is still empty, the first bytes decide: a database is empty until its first transaction ends.
 * @param at absolute path of the `-journal`, `-wal` or `-shm` file as bytes
 */
export function isSideFile(at: Buffer): boolean {
  const own = start(at);
  const database = start(Buffer.from(at.toString('latin1').replace(SIDE_FILE, ''), 'latin1'));
  if (own === null || database === null) return false;
  // The database itself cannot be read, and is counted as such.
  if (own === 'closed' || database === 'closed') return true;
  if (database.length > 0) return database.equals(SQLITE_HEADER);
  return own.every((byte) => byte === 0) || JOURNAL_STARTS.some((magic) => own.indexOf(magic) === 0);
}

/** The path of a side file of a database. */
export function sideOf(database: Buffer, ending: string): Buffer {
  return Buffer.concat([database, Buffer.from(ending)]);
}

/**
 * ctime in ns of what lies beside a database and is a part of what it holds: its write-ahead log, or a journal that is
 * still to be rolled back. null where there is neither, or nothing in them.
 */
export function logChange(database: Buffer): bigint | null {
  const [log, journal] = [sideChange(database, '-wal'), sideChange(database, '-journal')];
  return log === null || (journal !== null && journal > log) ? journal : log;
}

function sideChange(database: Buffer, ending: '-wal' | '-journal'): bigint | null {
  const side = sideOf(database, ending);
  try {
    const found = lstatSync(side, { bigint: true, throwIfNoEntry: false });
    if (found?.isFile() !== true || found.size === 0n || !isSideFile(side)) return null;
    return ending === '-wal' || isHot(side) ? found.ctimeNs : null;
  } catch (error) {
    // A name too long to have one.
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return null;
    throw error;
  }
}

/** A journal that was used up stays as a file without its first bytes, in some modes of SQLite. */
function isHot(journal: Buffer): boolean {
  const own = start(journal);
  return own !== null && (own === 'closed' || own.indexOf(JOURNAL_STARTS[0] as Buffer) === 0);
}

/** The first bytes of a file; null where there is no file, `closed` where it may not be read. */
function start(at: Buffer): Buffer | 'closed' | null {
  let handle: number;
  try {
    handle = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '') ? 'closed' : null;
  }
  try {
    if (!fstatSync(handle).isFile()) return null;
    const bytes = Buffer.alloc(SQLITE_HEADER.length);
    return bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(handle);
  }
}
