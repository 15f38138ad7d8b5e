import { joinPath, type SpaceEntry } from '../../spaces/space.ts';
import { isIgnoredAtRoot, type ManifestEntry, manifestMatches, type RemoteEntry } from '../model.ts';
import {
  type HistoryContext,
  type HistoryLine,
  historyLines,
  type KnownSave,
  knownSaves,
} from '../save/history.ts';
import { LAYOUT } from '../save/space-layout.ts';
import type { CopyEntry, CopyTree } from '../state/copy-tree.ts';
import type { StateStore } from '../state/state.ts';
import { RequestError } from '../sync-errors.ts';

/** Letters of an id that tell it from a number. */
const MIN_ID = 6;

/** Finds a save by its number, or by the beginning of its id. @throws RequestError */
export async function findSave(context: HistoryContext, of: string): Promise<KnownSave> {
  const saves = await knownSaves(context);
  const numbered = saves.filter(({ generation }) => String(generation) === of);
  const found =
    numbered.length > 0
      ? numbered
      : saves.filter(({ saveId, stem }) => (of.length >= MIN_ID && saveId.startsWith(of)) || stem === of);
  const [save] = found;
  if (save === undefined || found.length > 1)
    throw new RequestError(
      `${JSON.stringify(of)} is ${save === undefined ? 'no save that is kept' : 'more than one save'}. Which there are: sync saves`,
    );
  return save;
}

/**
 * What all saves after this one took the place of, as it was at this save. Of two saves that changed a path, the older
 * one has the version of then.
 * @param isWanted whether a path matters
 */
export async function takeBack(
  context: HistoryContext,
  save: KnownSave,
  entries: CopyTree,
  isWanted: (path: string) => boolean,
): Promise<void> {
  for (const later of await knownSaves(context)) {
    if (later.saveId === save.saveId) return;
    // `knownSaves` ends where one has none.
    for await (const line of historyLines(context, later.stem as string)) {
      if (isWanted(line.path)) entries.put(line.path, entryThen(line, entries.get(line.path)));
    }
  }
}

/** @param later the entry as a later save had it: where its content stayed then, it lies there */
function entryThen(line: HistoryLine, later: CopyEntry | null | undefined): CopyEntry | null {
  const { entry } = line;
  if (entry === null) return null;
  if (line.became !== 'kept') return trashed(line, entry);
  const isSame = later != null && later.kind === entry.kind && later.hash === entry.hash;
  return { ...copyEntry(entry, here(entry)), ...(isSame ? { at: later.at } : {}) };
}

/** An entry whose version lies in the trash. */
export function trashed(line: HistoryLine, entry: ManifestEntry): CopyEntry {
  const path = `${LAYOUT.trash}/${line.stem}/${line.became}/${entry.path}`;
  return copyEntry(entry, entry.kind === 'file' ? { path } : null);
}

function here({ path, remote }: ManifestEntry): CopyEntry['at'] {
  return remote === null ? null : { path };
}

function copyEntry(entry: ManifestEntry, at: CopyEntry['at']): CopyEntry {
  const { path, kind, mode, mtimeNs, target, hash, linkGroup } = entry;
  return { path, kind, size: kind === 'file' ? entry.size : 0, mode, mtimeNs, target, hash, linkGroup, at };
}

/**
 * Adds what the space has below a folder to what was said already, with what the manifest knows of it.
 * @param before entries that nobody saved count only where they are not younger, in seconds; null: all of them
 */
export async function addPresent(
  context: HistoryContext,
  entries: CopyTree,
  directory: string,
  before: number | null,
): Promise<void> {
  const names = new Set<string>();
  const folders: string[] = [];
  for await (const entry of context.space.list({ path: directory })) {
    if (directory === '' && isIgnoredAtRoot(entry.name)) continue;
    names.add(entry.name);
    addEntry(context.state, entries, { ...entry, path: joinPath(directory, entry.name) }, before);
    if (entry.kind === 'directory') folders.push(joinPath(directory, entry.name));
  }
  for (const [name, entry] of context.state.manifest.children(directory)) {
    if (entry.remote !== null || entry.target === null || names.has(name)) continue;
    if (entries.get(entry.path) === undefined) entries.put(entry.path, copyEntry(entry, null));
  }
  for (const folder of folders) await addPresent(context, entries, folder, before);
}

export function addEntry(
  state: StateStore,
  entries: CopyTree,
  found: RemoteEntry | SpaceEntry,
  before: number | null,
): void {
  const { path, kind, id, mtimeSeconds } = found;
  if (entries.get(path) !== undefined) return;
  const known = state.manifest.get(path);
  const at = { path, id };
  if (known !== null && (manifestMatches(known, found) || (kind === 'symlink' && known.kind === 'symlink'))) {
    // A link has no time of its own in a space: what it says is asked of the space.
    entries.put(path, { ...copyEntry(known, at), ...(kind === 'symlink' ? { target: null } : {}) });
    return;
  }
  if (before !== null && mtimeSeconds !== null && mtimeSeconds > before) return;
  const mtimeNs = mtimeSeconds === null ? null : BigInt(mtimeSeconds) * 1_000_000_000n;
  const size = kind === 'file' ? found.size : 0;
  const mode = kind === 'file' ? 0o664 : null;
  entries.put(path, { path, kind, size, mode, mtimeNs, target: null, hash: null, linkGroup: null, at });
}
