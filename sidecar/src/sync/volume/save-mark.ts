import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFileSync } from '../../replace-file.ts';
import type { StateStore } from '../state/state.ts';

/**
 * A file beside the state with the number of the last save that the state knew. A state whose log was lost or set back is
 * an older one, and nothing in it says so: it would take what it saved itself for somebody else's.
 */
const MARK = 'saved';

/** The state has noted a save, or a start has brought one. It is a help and no need, so this never throws. */
export function markSaved(folder: string, state: StateStore): void {
  const generation = noted(state);
  if (readMark(folder) === generation) return;
  try {
    // On the disk before the mark is: a power cut must not make the state look older than it.
    state.durably(() => state.setMeta('marked', String(generation)));
    replaceFileSync(join(folder, MARK), `${generation}\n`);
  } catch {
    // A full volume: the mark of an earlier save stays.
  }
}

/** The state begins anew. */
export function forgetMark(folder: string): void {
  rmSync(join(folder, MARK), { recursive: true, force: true });
}

/** Whether the state is older than the last save that it knew. */
export function isBehindMark(folder: string, state: StateStore): boolean {
  return readMark(folder) > noted(state);
}

function readMark(folder: string): number {
  try {
    const text = readFileSync(join(folder, MARK), 'utf8');
    return /^\d{1,9}\n$/.test(text) ? Number(text) : 0;
  } catch {
    return 0;
  }
}

function noted(state: StateStore): number {
  // Of a save that is being decided, which the state has on the disk before it has the save itself.
  const deciding = /"generation":(\d{1,9})\b/.exec(state.meta('deciding') ?? '')?.[1];
  return Math.max(
    ...[state.meta('generation'), state.meta('marked'), deciding].map((each) => Number(each ?? 0)),
  );
}
