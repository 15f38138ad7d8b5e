import type { ProjectContext } from '../context.ts';
import { LAYOUT, trashTime } from '../save/space-layout.ts';
import { isSpaceError, joinPath, parentOf, type SpaceEntry } from '../spaces/space.ts';
import { RequestError } from '../sync-errors.ts';
import { placeCopy } from './aside.ts';

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
export async function listTrash(
  context: ProjectContext,
  most: number,
): Promise<{ items: TrashItem[]; more: boolean }> {
  const items: TrashItem[] = [];
  for (const folder of await trashFolders(context)) {
    for (const why of REASONS) {
      const root = `${LAYOUT.trash}/${folder.name}/${why}`;
      for await (const entry of filesBelow(context, root)) {
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
 * Brings the newest version of a file, or of all files below a folder, from the trash back to the project volume. It
 * stays in the trash too. Nothing on the volume is replaced: where its name is taken it gets another one.
 * @param of the save that put it in the trash, as `listTrash` names it; null: the newest that has it
 * @returns the paths that the files got
 * @throws RequestError where the trash has no such file
 */
export async function restoreFromTrash(
  context: ProjectContext,
  path: string,
  of: string | null,
): Promise<{ restored: string[] }> {
  for (const folder of await trashFolders(context)) {
    if (of !== null && folder.name !== of) continue;
    for (const why of REASONS) {
      const root = `${LAYOUT.trash}/${folder.name}/${why}`;
      const found = await context.space.stat({ path: joinPath(root, path) });
      if (found === null) continue;
      const restored: string[] = [];
      const files = found.kind === 'directory' ? filesBelow(context, found.path) : [found];
      for await (const entry of files) {
        const to = entry.path.slice(root.length + 1);
        await context.tree.makeDirectory(parentOf(to));
        restored.push(await placeCopy(context, entry, to));
      }
      return { restored };
    }
  }
  const where = of === null ? 'the trash' : `the trash of ${of}`;
  throw new RequestError(`${where} has nothing at ${path}. What it has: sync trash`);
}

async function trashFolders(context: ProjectContext): Promise<TrashFolder[]> {
  const folders: TrashFolder[] = [];
  try {
    for await (const { name, kind } of context.space.list({ path: LAYOUT.trash })) {
      const madeAt = trashTime(name);
      if (madeAt !== null && kind === 'directory') folders.push({ name, madeAt });
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  return folders.sort((a, b) => b.madeAt - a.madeAt);
}

async function* filesBelow(context: ProjectContext, directory: string): AsyncIterable<SpaceEntry> {
  const folders: string[] = [];
  try {
    for await (const entry of context.space.list({ path: directory })) {
      const path = joinPath(directory, entry.name);
      if (entry.kind === 'directory') folders.push(path);
      else if (entry.kind === 'file') yield { ...entry, path };
    }
  } catch (error) {
    // Tidied away meanwhile, or a save that only removed, or only replaced.
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  for (const folder of folders.sort()) yield* filesBelow(context, folder);
}
