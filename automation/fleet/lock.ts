import { DatabaseSync } from 'node:sqlite';

/**
 * A lock that the kernel takes back when its process ends, however it ends. SQLite lets one process in twice: whoever
 * asks twice has to know that itself. @param file on a disk of this machine @returns what releases it; undefined: somebody has it
 */
export function takeLock(file: string): (() => void) | undefined {
  const database = new DatabaseSync(file, { timeout: 200 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    // 5: SQLITE_BUSY
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    return undefined;
  }
  return () => database.close();
}
