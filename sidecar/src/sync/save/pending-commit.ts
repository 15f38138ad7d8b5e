import { toManifest } from '../model.ts';
import type { RemoteFacts } from '../plan/compare.ts';
import { decodeItem, encodeItem, type PlanItem } from '../plan/plan.ts';
import type { StateStore } from '../state/state.ts';
import type { CommitHeader } from './commit-record.ts';
import type { DecidedAnew } from './decide-anew.ts';
import type { LeftOut } from './failed-steps.ts';
import type { Head } from './head.ts';

/** A save that is being decided, noted in the state before anybody else can see it. */
export interface Deciding {
  readonly saveId: string;
  readonly generation: number;
  readonly head: Head;
  /** The same save as it was decided before some of its entries were left out: perhaps that one was completed. */
  readonly earlier?: readonly Omit<Deciding, 'earlier'>[];
  /** Paths that were left out. */
  readonly left?: readonly string[];
}

/** Rows that are written down between two looks at what else there is to do: heartbeats, probes. */
const ROWS_AT_ONCE = 1_000;

/**
 * The save that was being decided is in the space: what was sent is now what both sides have. Broken off, it can be done
 * again: the save is forgotten last.
 * @param links facts of links that were just made, by path
 * @param missing paths whose upload was lost on the way; they stay as they were and are compared anew
 * @param deciding the save, as it was completed
 */
export async function applyDecided(
  state: StateStore,
  links: ReadonlyMap<string, RemoteFacts>,
  missing: ReadonlySet<string>,
  deciding: Deciding,
): Promise<void> {
  let rows: string[] = [];
  const flush = async (): Promise<void> => {
    state.transaction(() => {
      for (const row of rows) applyItem(state, decodeItem(row), links, missing);
    });
    rows = [];
    await new Promise((next) => setImmediate(next));
  };
  for (const row of state.pending.rows('ready')) if (rows.push(row.data) >= ROWS_AT_ONCE) await flush();
  await flush();
  state.transaction(() => {
    state.setMeta('generation', String(deciding.generation));
    state.setMeta('save-id', deciding.saveId);
    state.setMeta('saved-at', deciding.head.savedAt);
    state.setJson(
      'manifest-segments',
      deciding.head.segments.map((each) => each.hash),
    );
    const kept = (deciding.left ?? []).map((path) => state.staged.get(path));
    state.staged.clear();
    for (const upload of kept) if (upload !== null) state.staged.put(upload);
    forgetDecided(state);
  });
}

function applyItem(
  state: StateStore,
  { path, next }: PlanItem,
  links: ReadonlyMap<string, RemoteFacts>,
  missing: ReadonlySet<string>,
): void {
  if (missing.has(path)) return;
  if (next === undefined) {
    state.base.delete(path);
    state.manifest.delete(path);
    return;
  }
  const made = links.get(path);
  const remote = made === undefined ? next.remote : { id: made.id, size: 0, mtimeSeconds: made.mtimeSeconds };
  state.base.put({ ...next, remote });
  state.manifest.put(toManifest({ ...next, remote }));
}

export function decidingSave(state: StateStore): Deciding | null {
  return state.json<Deciding | null>('deciding', null);
}

/**
 * The save is decided anew without some entries: they stay in the state as they were before, or as nothing. Noted before
 * the new record can be seen; should the old one be completed after all, they are found to be equal.
 */
export function leaveOut(state: StateStore, old: CommitHeader, anew: DecidedAnew, left: LeftOut): void {
  const deciding = decidingSave(state);
  if (deciding === null) return;
  const { earlier = [], left: before = [], ...own } = deciding;
  // A run that broke off here has noted another id for it, which never came to be.
  if (![own, ...earlier].some(({ saveId }) => saveId === old.saveId)) return;
  const next: Deciding = {
    saveId: anew.header.saveId,
    generation: deciding.generation,
    head: anew.head,
    earlier: [...earlier, { ...own, left: before }],
    left: [...before, ...left.keys()],
  };
  state.durably(() => {
    for (const { seq, data } of state.pending.rows('ready')) {
      const item = decodeItem(data);
      const found = left.get(item.path);
      if (found === 'as-before') state.pending.delete(seq);
      if (found !== 'gone') continue;
      const { path, base, remote } = item;
      const removal: PlanItem = { path, action: 'remove-remote', local: null, base, remote };
      state.pending.update(seq, 'ready', encodeItem(removal));
    }
    state.setJson('deciding', next);
  });
}

/** The save that was being decided never was: its uploads can still be used by the next one. */
export function forgetDecided(state: StateStore): void {
  state.transaction(() => {
    state.setMeta('deciding', null);
    state.pending.clear();
  });
}
