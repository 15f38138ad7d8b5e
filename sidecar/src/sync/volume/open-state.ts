import { existsSync, renameSync } from 'node:fs';
import { StateStore } from '../state/state.ts';
import { sqliteCode } from './sqlite-copy.ts';

/** SQLITE_ERROR (a table is not as it should be), SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE_CODES = [1, 11, 26];

/**
 * Opens the state, or sets a damaged one aside and begins a new one, which is then rebuilt by comparing.
 * @returns the reason in `damaged` where that happened.
 * @throws what keeps a state from being opened that may be whole: a full volume, a failing disk, missing rights
 */
export function openState(file: string, nowMs: number): { state: StateStore; damaged: string | null } {
  try {
    return { state: new StateStore(file), damaged: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, `${file}.damaged-${nowMs}${suffix}`);
    }
    return { state: new StateStore(file), damaged: error instanceof Error ? error.message : String(error) };
  }
}

/** Without the state every difference looks like two versions, so a passing trouble of the disk must not cost it. */
function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === null ? !('code' in (error as object)) : DAMAGE_CODES.includes(code);
}
