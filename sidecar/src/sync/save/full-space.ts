import type { Logger } from 'pino';
import { isSpaceError } from '../../spaces/space.ts';
import { localFacts } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { decidingSave } from './pending-commit.ts';
import { removeUnreferencedSegments, type SegmentsContext } from './segments.ts';
import { clearStagingBut, type StagingContext } from './sent-uploads.ts';
import { LAYOUT, trashTime } from './space-layout.ts';
import { unfinishedPaths } from './upload-parts.ts';

export interface RoomContext extends SegmentsContext, StagingContext {
  readonly tree: LocalTree;
  readonly log: Logger;
}

/** Each attempt at a save in a full space frees more than the one before. */
const ATTEMPTS = 5;

export interface Freed {
  /** Saves whose replaced versions went from the trash before their time. */
  readonly trash: number;
}

/**
 * Does the work; where the space has no room left, again with room that nobody needs: uploads that no save can use,
 * manifest segments of saves that were broken off, then the oldest replaced versions in the trash. What a person removed
 * stays in the trash for its time.
 * @throws what stopped it; SpaceError `space-full` where all that is gone and it is not enough
 */
export async function withRoomInSpace<T>(
  context: RoomContext,
  work: () => Promise<T>,
): Promise<{ result: T; freed: Freed }> {
  let trash = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { result: await work(), freed: { trash } };
    } catch (error) {
      if (!isSpaceError(error, 'space-full') || attempt > ATTEMPTS) throw error;
      const unused = attempt === 1 ? await removeUnused(context) : 0;
      const replaced = unused > 0 ? 0 : await removeReplaced(context, 4 ** (attempt - 1));
      trash += replaced;
      if (unused + replaced === 0) throw error;
      context.log.warn(
        { unused, replaced },
        'the project space is full: what is not needed was removed from it',
      );
    }
  }
}

/** @returns how much went */
async function removeUnused(context: Omit<RoomContext, 'log'>): Promise<number> {
  const { state, tree, lease } = context;
  // Its record names uploads that are still to be moved.
  if (decidingSave(state) !== null) return 0;
  await lease.assertHeld();
  const useful = new Set<string>();
  for (const { path, facts, staged } of [...state.staged.all(), ...unfinishedPaths(state)]) {
    const local = tree.look(path);
    if (local?.kind === 'file' && localFacts(local) === facts) useful.add(staged);
  }
  return (await clearStagingBut(context, useful)) + (await removeUnreferencedSegments(context));
}

/** @returns of how many saves, oldest first, at most `most` */
async function removeReplaced(context: Pick<RoomContext, 'space' | 'lease'>, most: number): Promise<number> {
  const { space, lease } = context;
  await lease.assertHeld();
  const folders: string[] = [];
  try {
    for await (const { name, kind } of space.list({ path: LAYOUT.trash }))
      if (kind === 'directory' && trashTime(name) !== null) folders.push(name);
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  let removed = 0;
  for (const name of folders.sort()) {
    const replaced = `${LAYOUT.trash}/${name}/replaced`;
    if ((await space.stat({ path: replaced })) === null) continue;
    await space.removeTree(replaced);
    removed += 1;
    if (removed === most) break;
  }
  return removed;
}
