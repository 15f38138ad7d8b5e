import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';

const SIDE_FILE = /-(journal|wal|shm)$/;
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

/** ctime in ns of the write-ahead log of a database; null where there is none, or nothing in it. */
export function logChange(database: Buffer): bigint | null {
  const log = Buffer.concat([database, Buffer.from('-wal')]);
  try {
    const found = lstatSync(log, { bigint: true, throwIfNoEntry: false });
    return found?.isFile() === true && found.size > 0n && isSideFile(log) ? found.ctimeNs : null;
  } catch (error) {
    // A name too long to have one.
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return null;
    throw error;
  }
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
