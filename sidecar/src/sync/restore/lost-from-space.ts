import { type DeletionLimits, massLoss } from '../plan/guards.ts';
import type { StateStore } from '../state/state.ts';

const NAMED = 3;

/**
 * What the space lacks of its last save, on a volume that is new: one that had the save before is asked by the guard of
 * removals, here there is nothing to remove and the files are just not there. The space has been listed.
 * @returns a sentence for people; null where nothing, or no more than a user removes by hand, is lacking
 */
export function lostFromSpace(state: StateStore, limits: DeletionLimits): string | null {
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
  if (massLoss(lost, known, limits) === null) return null;
  const others = lost > names.length ? `, and ${lost - names.length} more` : '';
  return (
    `The project space lacks ${lost} of ${known} files of its last save (${names.join(', ')}${others}): they were removed ` +
    'there, so they are not on this volume. Older saves may have other versions (sync saves). If they were not to be ' +
    'removed, ask the site of the space for a backup.'
  );
}
