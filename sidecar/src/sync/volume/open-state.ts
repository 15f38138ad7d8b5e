import { lstatSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { StateStore } from '../state/state.ts';
import { NewerFormatError } from '../sync-errors.ts';
import { asideOf } from './aside.ts';
import { STATE_FILE } from './known-format.ts';
import { forgetMark, isBehindMark } from './save-mark.ts';
import { sqliteCode } from './sqlite-copy.ts';
import { isDamagedDatabase } from './state-fault.ts';

/**
 * Opens the state, or sets a damaged one aside and begins a new one, which is then rebuilt by comparing.
 * @returns the reason in `damaged` where that happened.
 * @throws NewerFormatError; what else keeps a state from being opened that may be whole: a full volume, a failing disk, missing rights
 */
export function openState(file: string, nowMs: number): { state: StateStore; damaged: string | null } {
  const begin = (damaged: string) => {
    setStateAside(file, nowMs);
    return { state: new StateStore(file), damaged };
  };
  const misplaced = SUFFIXES.filter((suffix) => kindOf(file + suffix) === 'other');
  if (misplaced.includes('')) return begin(`${STATE_FILE} was no file`);
  // The database is whole without a log.
  moveAside(file, nowMs, misplaced);
  let state: StateStore;
  try {
    state = new StateStore(file);
    if (!isBehindMark(dirname(file), state)) return { state, damaged: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return begin(error instanceof Error ? error.message : String(error));
  }
  state.close();
  return begin('it does not know the last save that it had noted');
}

const SUFFIXES: readonly string[] = ['', '-wal', '-shm'];

function kindOf(path: string): 'none' | 'file' | 'other' {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found === undefined ? 'none' : found.isFile() ? 'file' : 'other';
}

/** It keeps what it has, for whoever wants to know what happened. Nobody has it open. */
export function setStateAside(file: string, nowMs: number): void {
  moveAside(file, nowMs, SUFFIXES);
  forgetMark(dirname(file));
}

function moveAside(file: string, nowMs: number, suffixes: readonly string[]): void {
  for (const suffix of suffixes)
    if (kindOf(file + suffix) !== 'none') renameSync(file + suffix, asideOf(file, nowMs) + suffix);
}

/** Without the state every difference looks like two versions, so a passing trouble of the disk must not cost it. */
function isDamage(error: unknown): boolean {
  if (error instanceof NewerFormatError) return false;
  return sqliteCode(error) === null ? !('code' in (error as object)) : isDamagedDatabase(error);
}
