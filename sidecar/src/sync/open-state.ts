import { existsSync, renameSync } from 'node:fs';
import { StateStore } from './state.ts';

/**
 * Opens the state, or sets a damaged one aside and begins a new one, which is then rebuilt by comparing.
 * @returns the reason in `damaged` where that happened.
 */
export function openState(file: string, nowMs: number): { state: StateStore; damaged: string | null } {
  try {
    return { state: new StateStore(file), damaged: null };
  } catch (error) {
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, `${file}.damaged-${nowMs}${suffix}`);
    }
    return { state: new StateStore(file), damaged: error instanceof Error ? error.message : String(error) };
  }
}
