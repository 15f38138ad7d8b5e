import { FileError } from '../file-errors.ts';
import { CopyTree } from '../state/copy-tree.ts';
import {
  type HistoryContext,
  type HistoryWriter,
  historyLines,
  type KnownSave,
  knownSaves,
} from './history.ts';

/** A save that can be brought back, as people are told of it. */
export interface ListedSave {
  readonly id: string;
  readonly generation: number;
  /** ISO 8601. */
  readonly at: string;
  /** null, as `changes`: it was made by a program that kept no history. */
  readonly by: string | null;
  /** Entries that it changed. */
  readonly changes: number | null;
  /** Bytes that the space would not hold without it: versions that no other save needs. */
  readonly onlyBytes: number;
}

export interface SavesList {
  /** Newest first. */
  readonly saves: readonly ListedSave[];
  /** Bytes of all versions that older saves need. */
  readonly olderBytes: number;
}

/** All saves that can be brought back, with what each of them costs. */
export async function listSaves(context: HistoryContext & HistoryWriter): Promise<SavesList> {
  const saves = await knownSaves(context);
  const only = new Map<string, number>();
  let olderBytes = 0;
  /** Paths whose version began with the save before; null: all, because nothing is known of an older one. */
  let begun: CopyTree | null = null;
  try {
    for (const [index, save] of [...saves.entries()].reverse()) {
      if (save.stem === null) continue;
      const before: KnownSave | undefined = saves[index + 1];
      const changed = new CopyTree(context.scratch);
      let isWhole = true;
      try {
        for await (const { path, entry, became } of historyLines(context, save.stem)) {
          if (entry !== null && became === 'kept') continue;
          changed.put(path, null);
          if (entry?.kind !== 'file' || before === undefined) continue;
          olderBytes += entry.size;
          if (begun !== null && begun.get(path) === undefined) continue;
          only.set(before.saveId, (only.get(before.saveId) ?? 0) + entry.size);
        }
      } catch (error) {
        // What it costs is not known; saves after it can be brought back all the same.
        if (!(error instanceof FileError)) throw error;
        isWhole = false;
      }
      begun?.close();
      begun = changed;
      // Its own beginnings are not known where it is the oldest one.
      if (before === undefined || !isWhole) {
        changed.close();
        begun = null;
      }
    }
  } finally {
    begun?.close();
  }
  const listed = saves.map(({ saveId, generation, savedAt, header }) => ({
    id: saveId,
    generation,
    at: savedAt,
    by: header?.savedBy ?? null,
    changes: header?.changes ?? null,
    onlyBytes: only.get(saveId) ?? 0,
  }));
  return { saves: listed, olderBytes };
}
