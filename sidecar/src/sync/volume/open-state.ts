import { existsSync, renameSync } from 'node:fs';
import { StateStore } from '../state/state.ts';
import { sqliteCode } from './sqlite-copy.ts';
import { isDamagedDatabase } from './state-fault.ts';

/** In the folder of the state. */
export const STATE_FILE = 'sync.sqlite';

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
    setStateAside(file, nowMs);
    return { state: new StateStore(file), damaged: error instanceof Error ? error.message : String(error) };
  }
}

/** It keeps what it has, for whoever wants to know what happened. Nobody has it open. */
export function setStateAside(file: string, nowMs: number): void {
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, `${file}.damaged-${nowMs}${suffix}`);
  }
}

/** Without the state every difference looks like two versions, so a passing trouble of the disk must not cost it. */
function isDamage(error: unknown): boolean {
  return sqliteCode(error) === null ? !('code' in (error as object)) : isDamagedDatabase(error);
}
