import { lstatSync, renameSync, unlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { sqliteCode } from './sqlite-copy.ts';
import { isSideFile, SIDE_ENDINGS, sideOf } from './sqlite-names.ts';

const SQLITE_FULL = 13;

/** The files with the names of `-wal`, `-journal` and `-shm` of this path that are there, as endings. */
export function sidesOf(database: Buffer): string[] {
  return SIDE_ENDINGS.filter((ending) => {
    try {
      return lstatSync(sideOf(database, ending), { throwIfNoEntry: false }) !== undefined;
    } catch (error) {
      // A name too long to have one.
      if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return false;
      throw error;
    }
  });
}

/** Whether the file at this path is a database, and these files beside it are its own. */
export function isSet(database: Buffer, sides: readonly string[]): boolean {
  return sides.some((ending) => isSideFile(sideOf(database, ending)));
}

/**
 * Makes a database stand alone: SQLite itself brings in what the log holds, or rolls back what a killed process has
 * begun. Whatever moment it is broken off at, SQLite can read what is there. Without its log, or with the log of another
 * one, a database is malformed; so this comes before it is replaced or removed.
 * @param database nobody else has it open
 * @returns whether nothing is left beside it; false where SQLite cannot do it
 */
export function settle(database: Buffer): boolean {
  try {
    const opened = new DatabaseSync(database, { timeout: 1_000 });
    try {
      opened.prepare('SELECT count(*) FROM sqlite_master').get();
      opened.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      opened.close();
    }
  } catch (error) {
    // Room can be made: to give up a database for it would be too early.
    if (sqliteCode(error) === SQLITE_FULL)
      throw Object.assign(new Error('no space left on the volume to bring the log of a database in'), {
        code: 'ENOSPC',
      });
    return false;
  }
  // The last one to close a log removes it. What is left is a journal that was used up, or an index of no log.
  if (sidesOf(database).includes('-wal')) return false;
  removeSides(database);
  return true;
}

export function removeSides(database: Buffer, which: (ending: string) => boolean = () => true): void {
  for (const ending of sidesOf(database).filter(which)) unlinkSync(sideOf(database, ending));
}

/** Gives a database and its side files another name. The database first: without it, they are nobody's. */
export function moveSet(database: Buffer, to: Buffer): void {
  renameSync(database, to);
  moveSides(database, to);
}

export function moveSides(database: Buffer, to: Buffer): void {
  for (const ending of sidesOf(database)) renameSync(sideOf(database, ending), sideOf(to, ending));
}
