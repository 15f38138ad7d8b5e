import { localState, type RemoteLook, remoteState } from './compare.ts';
import type { ProjectContext } from './context.ts';
import type { BaseEntry, LocalEntry } from './model.ts';
import { encodeItem, type PlanItem } from './plan.ts';
import { joinPath } from './space.ts';
import { isClosed, type Unread } from './unread.ts';

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
): Promise<void> {
  const { state } = context;
  state.clearPending();
  const stack: string[] = [''];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    context.signal?.throwIfAborted();
    const items = compareDirectory(context, directory, withRemote, stack, unread);
    if (items.length > 0) {
      state.transaction(() => {
        for (const item of items) state.addPending('found', encodeItem(item));
      });
    }
    // Heartbeats, the socket and probes go on during a long walk.
    await new Promise((next) => setImmediate(next));
  }
}

function compareDirectory(
  context: ProjectContext,
  directory: string,
  withRemote: boolean,
  stack: string[],
  unread: Unread,
): PlanItem[] {
  const local = readable(context, directory, unread);
  if (local === null) return [];
  const base = context.state.baseChildren(directory);
  const remote: Map<string, RemoteLook> = withRemote ? context.state.remoteChildren(directory) : new Map();
  const items: PlanItem[] = [];
  for (const name of union(local, base, remote)) {
    const item = compareName(context, joinPath(directory, name), {
      local: local.get(name) ?? null,
      base: base.get(name) ?? null,
      remote: remote.get(name) ?? null,
      withRemote,
    });
    if (item !== null) items.push(item);
    const kinds = [local.get(name)?.kind, base.get(name)?.kind, remote.get(name)?.kind];
    if (kinds.includes('directory')) stack.push(joinPath(directory, name));
  }
  return items;
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
