import type { ProjectContext } from '../context.ts';
import type { BaseEntry, LocalEntry } from '../model.ts';
import { joinPath } from '../spaces/space.ts';
import type { ChangeWatch } from '../volume/change-watch.ts';
import { localState, type RemoteLook, remoteState } from './compare.ts';
import { encodeItem, type PlanItem } from './plan.ts';
import { isClosed, type Unread } from './unread.ts';

/** What a look at the volume is about: every directory, or those where something may have happened since the last one. */
export type Look = 'everything' | 'changed';

/**
 * Walks the volume (and the last listing of the space, where `withRemote`) against the base, directory by directory,
 * and notes every path where something is not as it was. Memory holds one directory at a time.
 * Parents come before their children.
 * Directories that may not be read go to `unread`: nothing is known of what is in them, so nothing is done about it.
 */
export async function collectDifferences(
  context: ProjectContext,
  withRemote: boolean,
  unread: Unread,
  look: Look = 'everything',
): Promise<void> {
  context.state.clearPending();
  const changes = withRemote ? undefined : context.changes;
  const places = look === 'changed' ? await changes?.changed() : null;
  if (changes === undefined || places == null) {
    const complete = changes?.lookAtAll();
    await walk({ context, withRemote, unread, changes, visited: null }, '');
    complete?.();
    return;
  }
  const visited = new Set<string>();
  for (const place of places) {
    // What is gone or new by now was found from above.
    if (!changes.follows(place)) continue;
    const isSure = await walk({ context, withRemote, unread, changes, visited }, place);
    if (isSure) continue;
    // The other name of a hard link may lie anywhere.
    unread.count = 0;
    unread.closed.length = 0;
    return collectDifferences(context, withRemote, unread);
  }
}

interface Walk {
  readonly context: ProjectContext;
  readonly withRemote: boolean;
  readonly unread: Unread;
  readonly changes: ChangeWatch | undefined;
  /** Directories that were looked at; below them only what is new or gone is. null: all are looked at. */
  readonly visited: Set<string> | null;
}

/** @returns false where a look at single directories does not do */
async function walk(how: Walk, from: string): Promise<boolean> {
  const { context, changes, visited } = how;
  const stack: Place[] = [{ directory: from, isGone: false }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const { directory, isGone } = place;
    context.signal?.throwIfAborted();
    if (visited?.has(directory)) continue;
    visited?.add(directory);
    if (!isGone) changes?.follow(directory);
    const found = compareDirectory(how, place);
    const unknown = isGone ? [] : (changes?.looked(directory, found.directories, found.isSettled) ?? []);
    for (const each of found.gone) stack.push({ directory: each, isGone: true });
    for (const each of visited === null ? found.present : unknown)
      stack.push({ directory: each, isGone: false });
    if (found.items.length > 0) {
      if (visited !== null && found.items.some(isHardLink)) return false;
      context.state.transaction(() => {
        for (const item of found.items) context.state.addPending('found', encodeItem(item));
      });
    }
    // Heartbeats, the socket and probes go on during a long walk.
    await new Promise((next) => setImmediate(next));
  }
  return true;
}

interface Place {
  readonly directory: string;
  /**
   * It is no directory of the volume, so nothing below it is: the disk is not asked. Where a link has taken its place,
   * the path would lead to the files behind the link, as if they were still here.
   */
  readonly isGone: boolean;
}

function isHardLink(item: PlanItem): boolean {
  return (item.local?.links ?? 1) > 1 || (item.base?.linkGroup ?? null) !== null;
}

interface Found {
  readonly items: readonly PlanItem[];
  /** Directories of the base or the space that are not on the volume. */
  readonly gone: readonly string[];
  /** Directories on the volume. */
  readonly present: readonly string[];
  /** The same by name. */
  readonly directories: ReadonlyMap<string, LocalEntry>;
  /** Nothing in it differs, and all of it could be read. */
  readonly isSettled: boolean;
}

function compareDirectory(how: Walk, { directory, isGone }: Place): Found {
  const { context, withRemote, unread } = how;
  const unchanged =
    isGone || withRemote ? null : context.tree.unchanged(directory, context.state.baseLooks(directory));
  if (unchanged !== null) {
    const present = [...unchanged.values()].map((each) => each.path);
    return { items: [], present, gone: [], directories: unchanged, isSettled: true };
  }
  const items: PlanItem[] = [];
  const [present, gone]: [string[], string[]] = [[], []];
  const directories = new Map<string, LocalEntry>();
  const local = isGone ? new Map<string, LocalEntry>() : readable(context, directory, unread);
  if (local === null) return { items, present, gone, directories, isSettled: false };
  const base = context.state.baseChildren(directory);
  const remote: Map<string, RemoteLook> = withRemote ? context.state.remoteChildren(directory) : new Map();
  for (const name of union(local, base, remote)) {
    const path = joinPath(directory, name);
    const here = local.get(name) ?? null;
    const item = compareName(context, path, {
      local: here,
      base: base.get(name) ?? null,
      remote: remote.get(name) ?? null,
      withRemote,
    });
    if (item !== null) items.push(item);
    if (here?.kind === 'directory') {
      directories.set(name, here);
      present.push(path);
    } else if ([base.get(name)?.kind, remote.get(name)?.kind].includes('directory')) gone.push(path);
  }
  return { items, present, gone, directories, isSettled: items.length === 0 };
}

/** null where the directory may not be read, by the wish of its owner: the rest of the volume is saved all the same. */
function readable(
  context: ProjectContext,
  directory: string,
  unread: Unread,
): Map<string, LocalEntry> | null {
  try {
    return context.tree.children(directory) ?? new Map();
  } catch (error) {
    if (!isClosed(error) || directory === '' || context.tree.look(directory)?.kind !== 'directory')
      throw error;
    unread.note(directory, error);
    return null;
  }
}

interface Sides {
  readonly local: LocalEntry | null;
  readonly base: BaseEntry | null;
  readonly remote: RemoteLook | null;
  readonly withRemote: boolean;
}

function compareName(context: ProjectContext, path: string, sides: Sides): PlanItem | null {
  const local = localState(sides.base, sides.local);
  if (sides.withRemote) {
    const virtual = sides.remote !== null && sides.base?.remote === null;
    const remote = virtual
      ? { ...sides.remote, target: context.state.manifest(path)?.target ?? null }
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
