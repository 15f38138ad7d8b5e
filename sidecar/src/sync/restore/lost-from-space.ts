import type { FileFailures } from '../file-failures.ts';
import { type DeletionLimits, massLoss } from '../plan/guards.ts';
import type { StateStore } from '../state/state.ts';
import type { LocalTree } from '../volume/local-tree.ts';

/**
 * After a save that could not be completed: what it has put away of the save before, and this volume does not have. Its user
 * is asked before the desktop opens without it. The space has been listed.
 */
export function namePutAway(
  { state, tree }: { readonly state: StateStore; readonly tree: Pick<LocalTree, 'look'> },
  failures: FileFailures,
): void {
  for (const { path, kind } of state.manifest.unlisted()) {
    if (kind === 'directory' || state.base.get(path) !== null || tree.look(path) !== null) continue;
    failures.add(path, false, 'put-away');
  }
}

const NAMED = 3;

/**
 * What the space lacks of its last save, on a volume that is new: one that had the save before is asked by the guard of
 * removals, here there is nothing to remove and the files are just not there. The space has been listed.
 * @param limits up to which it is what a user removes by hand; `any`: the space is known to have lost some
 * @returns a sentence for people; null where nothing, or no more than a user removes by hand, is lacking
 */
export function lostFromSpace(state: StateStore, limits: DeletionLimits | 'any'): string | null {
  if (state.base.hasFiles() || state.remote.hasUnlistable()) return null;
  let lost = 0;
  const names: string[] = [];
  for (const { path, kind } of state.manifest.unlisted()) {
    if (kind !== 'file') continue;
    lost += 1;
    if (names.length < NAMED) names.push(path);
  }
  if (lost === 0) return null;
  let known = 0;
  for (const { kind, remote } of state.manifest.all()) if (kind === 'file' && remote !== null) known += 1;
  if (limits !== 'any' && massLoss(lost, known, limits) === null) return null;
  const others = lost > names.length ? `, and ${lost - names.length} more` : '';
  return (
    `The project space lacks ${lost} of ${known} files of its last save (${names.join(', ')}${others}), so they are not on ` +
    'this volume. Look for them in its trash (sync trash) and in older saves (sync saves). If they were not to be removed, ' +
    'and are not there, ask the site of the space for a backup.'
  );
}
