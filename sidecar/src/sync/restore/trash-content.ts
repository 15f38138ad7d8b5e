import { isSpaceError, joinPath, type Space, type SpaceEntry } from '../../spaces/space.ts';
import { FileError } from '../file-errors.ts';
import { type HistoryContext, historyLines, knownSaves } from '../save/history.ts';
import { LAYOUT, trashTime } from '../save/space-layout.ts';
import { type CopyEntry, CopyTree } from '../state/copy-tree.ts';
import type { StateStore } from '../state/state.ts';
import { RequestError } from '../sync-errors.ts';
import { type CopyContext, copyEntries } from './copy-entries.ts';
import { trashed } from './past.ts';
import { isBelow } from './restore-to-folder.ts';

/** One version in the trash of the project space. */
export interface TrashItem {
  readonly path: string;
  readonly bytes: number;
  /** `removed` by the user, or `replaced` by a later save. */
  readonly why: 'removed' | 'replaced';
  /** When the save was decided that put it here, ISO 8601. */
  readonly at: string;
  /** Names that save, for `--of`. */
  readonly of: string;
}

const REASONS = ['removed', 'replaced'] as const;

interface TrashFolder {
  readonly name: string;
  readonly madeAt: number;
}

/** What is in the trash, newest first. @param most items at most */
export async function listTrash(space: Space, most: number): Promise<{ items: TrashItem[]; more: boolean }> {
  const items: TrashItem[] = [];
  for (const folder of await trashFolders(space)) {
    for (const why of REASONS) {
      const root = `${LAYOUT.trash}/${folder.name}/${why}`;
      for await (const entry of filesBelow(space, root)) {
        if (items.length >= most) return { items, more: true };
        items.push({
          path: entry.path.slice(root.length + 1),
          bytes: entry.size,
          why,
          at: new Date(folder.madeAt).toISOString(),
          of: folder.name,
        });
      }
    }
  }
  return { items, more: false };
}

/**
 * Brings the newest version of a file, or of everything below a folder, from the trash back to the project volume, with
 * links, empty folders, modes, times and hard links. It stays in the trash too. Nothing on the volume is replaced: where
 * its name is taken it gets another one.
 * @param of the save that put it in the trash, as `listTrash` names it; null: the newest that has it
 * @returns the paths that files, links and new folders got
 * @throws RequestError where the trash has nothing there
 */
export async function restoreFromTrash(
  context: HistoryContext & CopyContext,
  path: string,
  of: string | null,
): Promise<{ restored: string[]; missing: string[] }> {
  let entries = new CopyTree(context.scratch);
  try {
    const isTold = await fromHistory(context, entries, path, of).catch((error: unknown) => {
      if (!(error instanceof FileError)) throw error;
      // What a damaged part of it said may be wrong; the files are there all the same.
      entries.close();
      entries = new CopyTree(context.scratch);
      return false;
    });
    if (!isTold) await fromFolders(context, entries, path, of);
    const { placed, missing } = await copyEntries(context, entries, (each) => each, false);
    return { restored: placed, missing };
  } finally {
    entries.close();
  }
}

/** What the newest save with something there took away: what it removed, else what it replaced. */
async function fromHistory(
  context: HistoryContext,
  entries: CopyTree,
  path: string,
  of: string | null,
): Promise<boolean> {
  for (const { stem } of await knownSaves(context)) {
    if (stem === null) break;
    for (const why of REASONS) {
      let found = 0;
      for await (const line of historyLines(context, stem)) {
        if (line.entry === null || line.became !== why || (of !== null && line.stem !== of)) continue;
        if (line.path !== path && !isBelow(line.path, path)) continue;
        entries.put(line.path, trashed(line, line.entry));
        found += 1;
      }
      if (found > 0) return true;
    }
  }
  return false;
}

/** Files alone, where no history tells of them. */
async function fromFolders(
  context: HistoryContext,
  entries: CopyTree,
  path: string,
  of: string | null,
): Promise<void> {
  for (const folder of await trashFolders(context.space)) {
    if (of !== null && folder.name !== of) continue;
    for (const why of REASONS) {
      const root = `${LAYOUT.trash}/${folder.name}/${why}`;
      const found = await context.space.stat({ path: joinPath(root, path) });
      if (found === null) continue;
      const files = found.kind === 'directory' ? filesBelow(context.space, found.path) : [found];
      for await (const entry of files)
        entries.put(entry.path.slice(root.length + 1), oldEntry(context.state, entry, root));
      return;
    }
  }
  const where = of === null ? 'the trash' : `the trash of ${of}`;
  throw new RequestError(`${where} has nothing at ${path}. What it has: sync trash`);
}

function oldEntry(state: StateStore, found: SpaceEntry, root: string): CopyEntry {
  const path = found.path.slice(root.length + 1);
  const known = state.manifest.get(path);
  const mtimeNs = found.mtimeSeconds === null ? null : BigInt(found.mtimeSeconds) * 1_000_000_000n;
  const { size, id } = found;
  const mode = known?.kind === 'file' ? known.mode : 0o664;
  const nothing = { target: null, hash: null, linkGroup: null };
  return { path, kind: 'file', size, mode, mtimeNs, ...nothing, at: { path: found.path, id } };
}

async function trashFolders(space: Space): Promise<TrashFolder[]> {
  const folders: TrashFolder[] = [];
  try {
    for await (const { name, kind } of space.list({ path: LAYOUT.trash })) {
      const madeAt = trashTime(name);
      if (madeAt !== null && kind === 'directory') folders.push({ name, madeAt });
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  return folders.sort((a, b) => b.madeAt - a.madeAt);
}

async function* filesBelow(space: Space, directory: string): AsyncIterable<SpaceEntry> {
  const folders: string[] = [];
  try {
    for await (const entry of space.list({ path: directory })) {
      const path = joinPath(directory, entry.name);
      if (entry.kind === 'directory') folders.push(path);
      else if (entry.kind === 'file') yield { ...entry, path };
    }
  } catch (error) {
    // Tidied away meanwhile, or a save that only removed, or only replaced.
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  for (const folder of folders.sort()) yield* filesBelow(space, folder);
}
