import type { RemoteFacts } from './compare.ts';
import type { ProjectContext } from './context.ts';
import type { Head } from './manifest.ts';
import { toManifest } from './model.ts';
import { decodeItem } from './plan.ts';

/** A save that is being decided, noted in the state before anybody else can see it. */
export interface Deciding {
  readonly saveId: string;
  readonly generation: number;
  readonly head: Head;
}

/**
 * The save that was being decided is in the space: what was sent is now what both sides have.
 * @param links facts of links that were just made, by path
 * @param missing paths whose upload was lost on the way; they stay as they were and are compared anew
 */
export function applyDecided(
  context: ProjectContext,
  links: ReadonlyMap<string, RemoteFacts>,
  missing: ReadonlySet<string>,
): void {
  const { state } = context;
  const deciding = decidingSave(context);
  if (deciding === null) return;
  state.transaction(() => {
    for (const row of state.pending('ready')) {
      const { path, next } = decodeItem(row.data);
      if (missing.has(path)) continue;
      if (next === undefined) {
        state.deleteBase(path);
        state.deleteManifest(path);
        continue;
      }
      const made = links.get(path);
      const remote =
        made === undefined ? next.remote : { id: made.id, size: 0, mtimeSeconds: made.mtimeSeconds };
      state.putBase({ ...next, remote });
      state.putManifest(toManifest({ ...next, remote }));
    }
    state.setMeta('generation', String(deciding.generation));
    state.setMeta('saved-at', deciding.head.savedAt);
    state.setMeta('manifest-segments', JSON.stringify(deciding.head.segments.map((each) => each.hash)));
    state.clearStaged();
    forgetDecided(context);
  });
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
