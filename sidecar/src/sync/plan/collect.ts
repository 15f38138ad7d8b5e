import { joinPath, type ReadOnlySpace } from '../../spaces/space.ts';
import type { FileFailures } from '../file-failures.ts';
import { type BaseEntry, type LocalEntry, UNKNOWN_ID } from '../model.ts';
import type { StateStore } from '../state/state.ts';
import type { BaseStat } from '../state/state-rows.ts';
import type { ChangeWatch } from '../volume/change-watch.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { assertRootOpen } from '../volume/open-root.ts';
import { ScanHelper, type ScannedDirectory } from '../volume/scan-helper.ts';
import type { SeenDirectory } from '../volume/unchanged.ts';
import { writeAllPages } from '../volume/written-pages.ts';
import { localState, type RemoteStat, remoteState } from './compare.ts';
import { DirectoryStack, type Place } from './directory-stack.ts';
import { encodeItem, type PlanItem } from './plan.ts';

/** What a look at the volume is about: every directory, or those where something may have happened since the last one. */
export type ScanScope = 'everything' | 'changed';

export interface ScanContext {
  readonly space: Pick<ReadOnlySpace, 'capabilities'>;
  readonly state: StateStore;
  readonly tree: LocalTree;
  /** Where something happened on the volume; absent: every look is one at everything. */
  readonly changes?: ChangeWatch;
  readonly signal?: AbortSignal;
}

/**
 * Walks the volume (and the last listing of the space, where `withRemote`) against the base, directory by directory,
 * and notes every path where something is not as it was. Memory holds one directory at a time.
 * Parents come before their children.
 * Directories that may not be read go to `unread`: nothing is known of what is in them, so nothing is done about it.
 * @throws ProjectClosedError where that would be all of it
 */
export async function collectDifferences(
  context: ScanContext,
  withRemote: boolean,
  unread: FileFailures,
  scope: ScanScope = 'everything',
): Promise<void> {
  try {
    await collect(context, withRemote, unread, scope);
    await writeAllPages(context.tree.root, context.state.pending.count('found'));
  } catch (error) {
    // Some directories were read, and what was found in them is not kept.
    context.changes?.requireFullScan();
    throw error;
  }
}

async function collect(
  context: ScanContext,
  withRemote: boolean,
  unread: FileFailures,
  scope: ScanScope,
): Promise<void> {
  context.state.pending.clear();
  assertRootOpen(context.tree.root);
  const changes = withRemote ? undefined : context.changes;
  const places = scope === 'changed' ? await changes?.changed() : null;
  if (changes === undefined || places == null) {
    const complete = changes?.lookAtAll();
    await walk({ context, withRemote, unread, changes, visited: null, entries: 0 }, '');
    complete?.();
    return;
  }
  const visited = new Set<string>();
  for (const place of places) {
    // What is gone or new by now was found from above.
    if (!changes.follows(place)) continue;
    const isSure = await walk({ context, withRemote, unread, changes, visited, entries: 0 }, place);
    if (isSure) continue;
    // The other name of a hard link may lie anywhere.
    unread.reset();
    return collect(context, withRemote, unread, 'everything');
  }
}

interface Walk {
  readonly context: ScanContext;
  readonly withRemote: boolean;
  readonly unread: FileFailures;
  readonly changes: ChangeWatch | undefined;
  /** Directories that were looked at; below them only what is new or gone is. null: all are looked at. */
  readonly visited: Set<string> | null;
  /** Number of entries that were looked at in this thread. */
  entries: number;
}

/** @returns false where a look at single directories does not do */
async function walk(how: Walk, from: string): Promise<boolean> {
  const { context, changes, visited } = how;
  const waiting = new DirectoryStack();
  waiting.add('', [from]);
  const helper = new ScanHelper({ root: context.tree.root, stateFile: context.state.file });
  try {
    while (waiting.size > 0 || helper.isBusy) {
      context.signal?.throwIfAborted();
      if (visited === null && how.entries >= context.tree.secondThreadFrom) helper.start();
      share(how, waiting, helper);
      const looked = helper.looked();
      const place = looked === undefined ? waiting.next() : undefined;
      if (looked !== undefined) onMessage(how, waiting, looked);
      else if (place === undefined) await helper.next();
      else if (!visited?.has(place.directory)) {
        visited?.add(place.directory);
        if (!place.isGone) changes?.follow(place.directory);
        if (!note(how, waiting, place, look(how, place))) return false;
      }
      // Heartbeats, the socket and probes go on during a long walk.
      await new Promise((next) => setImmediate(next));
    }
    return true;
  } finally {
    await helper.close();
  }
}

/** Leaves some of the directories that wait to the other thread. They are watched from before it reads them. */
function share({ changes }: Walk, waiting: DirectoryStack, helper: ScanHelper): void {
  for (;;) {
    const directories = waiting.nextPresent(helper.wanted(waiting.size));
    if (directories.length === 0) return;
    for (const directory of directories) changes?.follow(directory);
    helper.give(directories);
  }
}

/** Notes what the other thread has found. It only knows what is as it was. */
function onMessage(how: Walk, waiting: DirectoryStack, { directory, found }: ScannedDirectory): void {
  const place = { directory, isGone: false };
  if (found === undefined) waiting.add('', [directory]);
  else note(how, waiting, place, found === null ? closerLook(how, place) : asBefore(found));
}

/** @returns false where a look at single directories does not do */
function note(how: Walk, waiting: DirectoryStack, { directory, isGone }: Place, found: Found): boolean {
  const { context, changes, visited } = how;
  const present = found.directories;
  const unknown = isGone ? [] : (changes?.looked(directory, present, found.isSettled) ?? []);
  waiting.add(directory, found.gone, true);
  waiting.add(directory, visited === null ? present.keys() : unknown);
  if (found.items.length === 0) return true;
  if (visited !== null && found.items.some(isHardLink)) return false;
  context.state.transaction(() => {
    for (const item of found.items) context.state.pending.add('found', encodeItem(item));
  });
  return true;
}

function isHardLink(item: PlanItem): boolean {
  return (item.local?.links ?? 1) > 1 || (item.base?.linkGroup ?? null) !== null;
}

interface Found {
  readonly items: readonly PlanItem[];
  /** Names of directories of the base or the space that are not on the volume. */
  readonly gone: readonly string[];
  /** Directories on the volume, by name. */
  readonly directories: ReadonlyMap<string, SeenDirectory>;
  /** Nothing in it differs, and all of it could be read. */
  readonly isSettled: boolean;
}

function asBefore(directories: ReadonlyMap<string, SeenDirectory>): Found {
  return { items: [], gone: [], directories, isSettled: true };
}

function look(how: Walk, place: Place): Found {
  const { context, withRemote } = how;
  if (place.isGone || withRemote) return closerLook(how, place);
  const looks = counted(how, context.state.base.stats(place.directory));
  const same = context.tree.unchanged(place.directory, looks);
  return same === null ? closerLook(how, place) : asBefore(same);
}

function* counted(how: Walk, pages: Iterable<readonly BaseStat[]>): Iterable<readonly BaseStat[]> {
  for (const page of pages) {
    how.entries += page.length;
    yield page;
  }
}

function closerLook({ context, withRemote, unread }: Walk, { directory, isGone }: Place): Found {
  const items: PlanItem[] = [];
  const gone: string[] = [];
  const directories = new Map<string, SeenDirectory>();
  const nothing = { items, gone, directories, isSettled: false };
  // What is in the space there is not known, so nothing is done about it.
  if (withRemote && context.state.remote.isUnlistable(directory)) return nothing;
  const unknown = new Set<string>();
  const local = isGone ? new Map<string, LocalEntry>() : readable(context, directory, unread, unknown);
  if (local === null) return nothing;
  const base = context.state.base.children(directory);
  const remote: Map<string, RemoteStat> = withRemote ? context.state.remote.children(directory) : new Map();
  for (const name of union(local, base, remote)) {
    const path = joinPath(directory, name);
    if (unknown.has(name) || remote.get(name)?.id === UNKNOWN_ID) continue;
    const here = local.get(name) ?? null;
    const item = compareName(context, path, {
      local: here,
      base: base.get(name) ?? null,
      remote: remote.get(name) ?? null,
      withRemote,
    });
    if (item !== null) items.push(item);
    if (here?.kind === 'directory') directories.set(name, here);
    else if ([base.get(name)?.kind, remote.get(name)?.kind].includes('directory')) gone.push(name);
  }
  return { items, gone, directories, isSettled: items.length + unknown.size === 0 };
}

/**
 * null where the directory cannot be read: the rest of the volume is saved all the same.
 * @param unknown gets the names of which nothing can be said
 */
function readable(
  context: ScanContext,
  directory: string,
  unread: FileFailures,
  unknown: Set<string>,
): Map<string, LocalEntry> | null {
  try {
    const children = context.tree.children(directory, {
      onUnknown: (name, error) => {
        unread.noteLocal(error, { does: 'look', path: joinPath(directory, name) });
        unknown.add(name);
      },
    });
    return children ?? new Map();
  } catch (error) {
    unread.noteLocal(error, { does: 'list', path: directory });
    return null;
  }
}

interface Sides {
  readonly local: LocalEntry | null;
  readonly base: BaseEntry | null;
  readonly remote: RemoteStat | null;
  readonly withRemote: boolean;
}

function compareName(context: ScanContext, path: string, sides: Sides): PlanItem | null {
  const local = localState(sides.base, sides.local);
  if (sides.withRemote) {
    const virtual = sides.remote !== null && sides.base?.remote === null;
    const remote = virtual
      ? { ...sides.remote, target: context.state.manifest.get(path)?.target ?? null }
      : sides.remote;
    const verdict = remoteState(sides.base, remote, context.space.capabilities.idsSurviveMove);
    if (local === 'same' && verdict === 'same') return null;
    return { path, action: 'undecided', local: sides.local, base: sides.base, remote };
  }
  if (local === 'same') return null;
  return { path, action: 'undecided', local: sides.local, base: sides.base, remote: null };
}

function union(...maps: ReadonlyMap<string, unknown>[]): Set<string> {
  return new Set(maps.flatMap((map) => [...map.keys()]));
}
