import { classify } from '../file-errors.ts';
import type { BaseEntry, LocalEntry } from '../model.ts';
import { Batch } from '../state/batch.ts';
import type { StateStore } from '../state/state.ts';
import type { LocalTree } from '../volume/local-tree.ts';

/** Then others have their turn. */
const DIRECTORIES_AT_ONCE = 200;

/**
 * Gives directories the modes and times that the base says. They come last, because what is made inside changes them;
 * after an interrupted restore, the next start does it before it takes them for somebody's change.
 */
export async function finishDirectories(context: {
  readonly state: StateStore;
  readonly tree: LocalTree;
}): Promise<void> {
  const { state, tree } = context;
  const batch = new Batch(state, DIRECTORIES_AT_ONCE);
  let seen = 0;
  for (const base of state.base.directories()) {
    seen += 1;
    if (seen % DIRECTORIES_AT_ONCE === 0) await new Promise((next) => setImmediate(next));
    const now = finished(tree, base);
    if (now === null) continue;
    const { mtimeNs, ctimeNs, mode, inode } = now;
    batch.add(() => state.base.put({ ...base, mtimeNs, ctimeNs, mode, inode }));
  }
  batch.write();
  state.setMeta('restoring', null);
}

/** null where there is no such directory, or it is not to be changed: what it is then is somebody's wish. */
function finished(tree: LocalTree, base: BaseEntry, isSecond = false): LocalEntry | null {
  try {
    const local = tree.look(base.path);
    if (local?.kind !== 'directory') return null;
    if (local.mode !== base.mode) tree.setMode(base.path, base.mode);
    if (local.mtimeNs !== base.mtimeNs) tree.setTimes(base.path, base.mtimeNs);
    return tree.look(base.path);
  } catch (error) {
    if (classify(error, { does: 'place', path: base.path }).scope === 'everything') throw error;
    return isSecond ? null : finished(tree, base, true);
  }
}
