import type { ProjectContext } from '../context.ts';
import { toManifest } from '../model.ts';
import type { RemoteFacts } from '../plan/compare.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import type { StateStore } from '../state/state.ts';
import type { Head } from './head.ts';

/** A save that is being decided, noted in the state before anybody else can see it. */
export interface Deciding {
  readonly saveId: string;
  readonly generation: number;
  readonly head: Head;
}

/** Rows that are written down between two looks at what else there is to do: heartbeats, probes. */
const ROWS_AT_ONCE = 1_000;

/**
 * The save that was being decided is in the space: what was sent is now what both sides have. Broken off, it can be done
 * again: the save is forgotten last.
 * @param links facts of links that were just made, by path
 * @param missing paths whose upload was lost on the way; they stay as they were and are compared anew
 */
export async function applyDecided(
  context: ProjectContext,
  links: ReadonlyMap<string, RemoteFacts>,
  missing: ReadonlySet<string>,
): Promise<void> {
  const { state } = context;
  const deciding = decidingSave(context);
  if (deciding === null) return;
  let rows: string[] = [];
  const flush = async (): Promise<void> => {
    state.transaction(() => {
      for (const row of rows) applyItem(state, decodeItem(row), links, missing);
    });
    rows = [];
    await new Promise((next) => setImmediate(next));
  };
  for (const row of state.pending('ready')) if (rows.push(row.data) >= ROWS_AT_ONCE) await flush();
  await flush();
  state.transaction(() => {
    state.setMeta('generation', String(deciding.generation));
    state.setMeta('save-id', deciding.saveId);
    state.setMeta('saved-at', deciding.head.savedAt);
    state.setMeta('manifest-segments', JSON.stringify(deciding.head.segments.map((each) => each.hash)));
    state.clearStaged();
    forgetDecided(context);
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
    state.deleteBase(path);
    state.deleteManifest(path);
    return;
  }
  const made = links.get(path);
  const remote = made === undefined ? next.remote : { id: made.id, size: 0, mtimeSeconds: made.mtimeSeconds };
  state.putBase({ ...next, remote });
  state.putManifest(toManifest({ ...next, remote }));
}

export function decidingSave(context: ProjectContext): Deciding | null {
  const text = context.state.meta('deciding');
  return text === null ? null : (JSON.parse(text) as Deciding);
}

/** The save that was being decided never was: its uploads can still be used by the next one. */
export function forgetDecided(context: ProjectContext): void {
  context.state.transaction(() => {
    context.state.setMeta('deciding', null);
    context.state.clearPending();
  });
}
