import { isSpaceError, type Space } from '../../spaces/space.ts';
import { historyPath, type KnownSave, readHeader } from './history.ts';
import type { Lease } from './lease.ts';
import { LAYOUT, trashTime } from './space-layout.ts';

/**
 * Removes files of the history that no kept save leads to: those of saves that became one with another when a crash came
 * before they went, or that never were decided. Nothing goes that is newer than the last save; what cannot be read goes
 * when it is old.
 * @param kept newest first
 * @param hasEnd the oldest of them is the oldest there is
 * @param oldBefore in ms
 * @throws LeaseLostError
 */
export async function removeOrphans(
  context: { readonly space: Space; readonly lease: Lease },
  kept: readonly KnownSave[],
  hasEnd: boolean,
  oldBefore: number,
): Promise<void> {
  const { space, lease } = context;
  const [newest, oldest] = [kept[0], kept.at(-1)];
  if (newest === undefined || oldest === undefined) return;
  const known = new Set(kept.map(({ stem }) => stem));
  const others: string[] = [];
  const drafts: string[] = [];
  try {
    for await (const { name, kind } of space.list({ path: LAYOUT.history })) {
      const [, stem, draft] = /^(\d{8}T\d{6}Z-.+)\.jsonl(\.new)?$/.exec(name) ?? [];
      if (kind !== 'file' || stem === undefined) continue;
      if (draft !== undefined) drafts.push(`${LAYOUT.history}/${name}`);
      else if (!known.has(stem)) others.push(stem);
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  if (others.length + drafts.length === 0) return;
  await lease.assertHeld();
  for (const path of drafts) await space.removeFile(path);
  for (const stem of others) {
    const generation = (await readHeader(space, stem))?.generation;
    const isOver =
      generation === undefined
        ? hasEnd && (trashTime(stem) ?? oldBefore) < oldBefore
        : generation <= newest.generation && (hasEnd || generation > oldest.generation);
    if (isOver) await space.removeFile(historyPath(stem));
  }
}
