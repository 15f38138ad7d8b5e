import type { Logger } from 'pino';
import { joinPath, parentOf } from '../../spaces/space.ts';
import { isIgnoredAtRoot } from '../model.ts';
import type { HistoryContext } from '../save/history.ts';
import { decidingSave } from '../save/pending-commit.ts';
import { type RecoveryContext, recover } from '../save/recover.ts';
import { compactTime } from '../save/space-layout.ts';
import { CopyTree } from '../state/copy-tree.ts';
import { RequestError } from '../sync-errors.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { type CopyContext, copyEntries } from './copy-entries.ts';
import { assertFreeSpace, type FreeSpaceContext } from './free-space.ts';
import { addEntry, addPresent, findSave, takeBack } from './past.ts';

export interface FolderRestoreResult {
  /** The folder of the project that holds the copy. */
  readonly to: string;
  /** The save that it was copied from. */
  readonly generation: number;
  readonly files: number;
  readonly bytes: number;
  /** Entries that the space does not have any more as they were saved. */
  readonly skipped: number;
  /** Paths of those, up to a thousand. */
  readonly missing: readonly string[];
}

/** What is to be copied; made by `planFolderRestore`. */
export interface FolderRestorePlan {
  readonly to: string;
  readonly generation: number;
  readonly entries: CopyTree;
  readonly from: string;
}

export interface FolderRestoreRequest {
  /** Of a file or folder in the space; empty: all of it. */
  readonly path: string;
  /** Name of a new folder in the project; null: `restored-<time>`. */
  readonly to: string | null;
  /** Number or id of the save to go back to; null: the last one. */
  readonly of: string | null;
}

/**
 * Lists what a save has at a path. Copying may take long and runs beside later saves: an entry is then read by its id,
 * under which a replaced version is found in the trash.
 * @throws RequestError where there is nothing at `path`, something at `to`, or no such save
 */
export async function planFolderRestore(
  context: RecoveryContext & { readonly tree: LocalTree },
  { path, to, of }: FolderRestoreRequest,
  generation: number,
): Promise<FolderRestorePlan> {
  const folder = to ?? `restored-${compactTime(context.clock.now())}`;
  if (!isPlain(folder) || isIgnoredAtRoot(folder.split('/')[0] as string)) {
    throw new RequestError(
      `${JSON.stringify(folder)} is no name of a new folder in the project: give one without "..", not beginning with "/"`,
    );
  }
  if (path !== '' && !isPlain(path))
    throw new RequestError(`${JSON.stringify(path)} is no path in the project`);
  if (context.tree.look(folder) !== null) {
    throw new RequestError(
      `${folder} is in the project already. Nothing was copied; give another name with --to`,
    );
  }
  if (decidingSave(context.state) !== null) await recover(context);
  const save = of === null ? null : await findSave(context, of);
  const entries = new CopyTree(context.scratch);
  try {
    if (save !== null)
      await takeBack(context, save, entries, (each) => path === '' || each === path || isBelow(each, path));
    const before = save === null ? null : Math.floor(Date.parse(save.savedAt) / 1_000);
    await addFromSpace(context, entries, path, before);
    if (path !== '' && entries.totals().files === 0 && entries.get(path) == null) {
      throw new RequestError(
        `${save === null ? 'the last save' : `save ${save.generation}`} has nothing at ${path}. ` +
          'Paths begin with the name of a project; removed files: sync trash',
      );
    }
    return { to: folder, generation: save?.generation ?? generation, entries, from: parentOf(path) };
  } catch (error) {
    entries.close();
    throw error;
  }
}

async function addFromSpace(
  context: HistoryContext,
  entries: CopyTree,
  path: string,
  before: number | null,
): Promise<void> {
  if (path === '') return addPresent(context, entries, '', before);
  const found = isIgnoredAtRoot(path.split('/')[0] as string) ? null : await context.space.stat({ path });
  if (found === null) return;
  addEntry(context.state, entries, found, before);
  if (found.kind === 'directory') await addPresent(context, entries, path, before);
}

/**
 * Copies what was listed into its new folder. Saves may go on meanwhile.
 * @throws VolumeFullError before anything is copied; SpaceError
 */
export async function restoreToFolder(
  context: CopyContext & FreeSpaceContext & { readonly log: Logger },
  plan: FolderRestorePlan,
): Promise<FolderRestoreResult> {
  const { to, generation, entries, from } = plan;
  try {
    await assertFreeSpace(context, 'the copy does not fit on the project volume', entries.totals().bytes);
    await context.tree.makeDirectory(to);
    const place = (path: string) => joinPath(to, from === '' ? path : path.slice(from.length + 1));
    const { files, bytes, skipped, missing } = await copyEntries(context, entries, place, true);
    const result = { to, generation, files, bytes, skipped, missing };
    context.log.info(
      { operation: 'restore-aside', to, generation, files, bytes, skipped },
      'a save was copied into a new folder',
    );
    return result;
  } finally {
    entries.close();
  }
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** Pure. A relative path without anything that leads elsewhere. */
export function isPlain(path: string): boolean {
  const isName = (name: string) =>
    name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= MAX_NAME_BYTES;
  return (
    path.isWellFormed() && !path.includes('\0') && path.length < MAX_PATH && path.split('/').every(isName)
  );
}

/** What Linux takes; no project has more. */
const [MAX_NAME_BYTES, MAX_PATH] = [255, 4_096];
