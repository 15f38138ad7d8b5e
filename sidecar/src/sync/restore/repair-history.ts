import type { Clock } from '../../clock.ts';
import { FileError } from '../file-errors.ts';
import {
  HISTORY_VERSION,
  type HistoryContext,
  type HistoryWriter,
  historyLines,
  historyPath,
  historyStems,
  historyVersion,
  type KnownSave,
  knownSaves,
  uploadHistory,
} from '../save/history.ts';
import type { Lease } from '../save/lease.ts';
import { putAway } from '../save/move-over.ts';
import { refuseNewer } from '../sync-errors.ts';

/**
 * Where a part of the history cannot be read, the history begins with its save: older ones cannot be brought back any more,
 * and newer ones can be thinned out again. The damaged file goes to the trash as evidence.
 * @returns a sentence for each part
 */
export async function repairHistory(
  context: HistoryContext & HistoryWriter & { readonly clock: Clock; readonly lease: Lease },
): Promise<string[]> {
  const { space, clock } = context;
  const saves = await knownSaves(context);
  const damaged = await firstDamaged(context, saves);
  if (damaged === undefined) return [];
  const { saveId, generation, savedAt, header } = damaged;
  const newer = saves[saves.indexOf(damaged) - 1]?.header?.previous;
  const stem = damaged.stem ?? newer?.stem ?? (await historyStems(space)).get(saveId);
  if (stem === undefined) return [];
  // What a newer version has written is not damaged, and must not be replaced.
  refuseNewer(
    historyPath(stem),
    await historyVersion(space, stem),
    HISTORY_VERSION,
    'a part of the history was written by a newer version of this program',
    'It was not changed. Use that version, or a newer one, to bring older saves back',
  );
  await context.lease.assertHeld();
  await putAway(space, historyPath(stem), clock.now());
  const savedBy = header?.savedBy ?? 'unknown';
  await uploadHistory(
    context,
    stem,
    { version: 1, saveId, generation, savedAt, savedBy, changes: 0, bytes: 0, folders: [], previous: null },
    [],
  );
  return [
    `the history begins with save ${generation} now, whose part of it was damaged: saves before it cannot be brought back, later ones can`,
  ];
}

/** The newest one: what is behind it cannot be reached. */
async function firstDamaged(
  context: HistoryContext,
  saves: readonly KnownSave[],
): Promise<KnownSave | undefined> {
  for (const save of saves) {
    if (save.isBroken) return save;
    if (save.stem === null) continue;
    try {
      for await (const _ of historyLines(context, save.stem));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return save;
    }
  }
  return undefined;
}
