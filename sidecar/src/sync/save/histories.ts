import type { Logger } from 'pino';
import type { StateStore } from '../state/state.ts';
import type { ChangeWatch } from '../volume/change-watch.ts';
import { descendsFrom, type Head } from './head.ts';
import type { SoundHead } from './head-copies.ts';

export function knownGeneration(state: StateStore): number {
  return Number(state.meta('generation') ?? 0);
}

/** What this volume has in common with the space is what this save holds. */
export function noteSave(state: StateStore, head: Head): void {
  state.setMeta('generation', String(head.generation));
  state.setMeta('save-id', head.saveId);
  state.setMeta('saved-at', head.savedAt);
}

export interface OtherHistoryContext {
  readonly state: StateStore;
  readonly log: Logger;
  readonly changes?: Pick<ChangeWatch, 'requireFullScan'>;
}

/**
 * Saves are one history only where each was made on the one before. Where the space does not know the last save of this
 * volume, it was emptied, set back to a backup, or has gone on from one: what both had in common is void, whatever the
 * numbers say. Everything is compared again, so that the volume gives back what the space lost and loses nothing itself.
 * @returns a sentence where it was so, else null
 */
export function forgetOtherHistory(
  context: OtherHistoryContext,
  { head, isSetBack }: SoundHead,
): string | null {
  const { state, log } = context;
  if (head === 'damaged' || (!isSetBack && isSameHistory(state, head))) return null;
  const known = knownGeneration(state);
  state.transaction(() => {
    state.base.clear();
    state.setMeta('manifest-segments', null);
    state.setMeta('save-id', head?.saveId ?? null);
    state.setMeta('generation', String(Math.max(known, head?.generation ?? 0)));
  });
  context.changes?.requireFullScan();
  const found = head === null ? 'no save' : `save ${head.generation} of ${head.savedAt} by ${head.savedBy}`;
  log.error(
    { known, found: head?.generation ?? 0 },
    'the project space does not know the last save of this volume; what the volume holds is compared and sent again',
  );
  return (
    `the project space has lost saves that were in it: it holds ${found} and does not know save ${known} of this volume. ` +
    'Nothing is removed or replaced here; files that differ are kept twice, with "(changed elsewhere" in one of the names'
  );
}

function isSameHistory(state: StateStore, head: Head | null): boolean {
  const generation = Number(state.meta('generation') ?? 0);
  const saveId = state.meta('save-id');
  if (saveId === null && generation === 0) return true;
  if (head === null) return false;
  if (saveId !== null) return descendsFrom(head, saveId);
  // A version that noted no ids: the same moment, or segments that only this save has written.
  if (head.generation === generation && head.savedAt === state.meta('saved-at')) return true;
  const segments = state.json<string[]>('manifest-segments', []);
  const last = segments.at(-1);
  return head.generation > generation && head.segments.some(({ hash }) => hash === last);
}
