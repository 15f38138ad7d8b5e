import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import { isSpaceError, nameOf, type Space } from '../../spaces/space.ts';
import {
  DEFAULT_SAVE_RETENTION,
  forgetSaves,
  longestKept,
  type RetentionContext,
  type SaveRetention,
} from './retention.ts';
import { LAYOUT, trashTime } from './space-layout.ts';
import { timesOf } from './two-clocks.ts';

export interface TrashRetention {
  /** Files that a user removed. */
  readonly removedMs: number;
  /** Versions that a later save replaced; a database has one for each autosave. */
  readonly replacedMs: number;
  /** So many of the newest saves keep their replaced versions, however old they are. */
  readonly replacedSaves: number;
}

const HOUR_MS = 3_600_000;
export const DEFAULT_RETENTION: TrashRetention = {
  removedMs: 14 * 24 * HOUR_MS,
  replacedMs: 24 * HOUR_MS,
  replacedSaves: 10,
};
/** The trash is looked through so often, at most. */
const EVERY_MS = HOUR_MS;

export interface Tidied {
  /** Folders of the trash that went, whole or in part. */
  readonly removed: number;
  /** A sentence for each part of the history that cannot be read. */
  readonly damaged: readonly string[];
}
const NOTHING: Tidied = { removed: 0, damaged: [] };

export interface TrashContext extends RetentionContext {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Removes from the trash of the space what has been there for long enough. Asked often, it works seldom. */
export async function tidyTrash(
  context: TrashContext,
  retention: TrashRetention = DEFAULT_RETENTION,
  saves: SaveRetention = DEFAULT_SAVE_RETENTION,
): Promise<Tidied> {
  const { state, space, clock } = context;
  if (Math.abs(clock.now() - Number(state.meta('trash-tidied') ?? 0)) < EVERY_MS) return NOTHING;
  // A clock that is years ahead would make everything old.
  const { earlier: now, space: known } = await timesOf(context);
  if (known === null) return NOTHING;
  const folders: { path: string; madeAt: number }[] = [];
  try {
    for await (const entry of space.list({ path: LAYOUT.trash })) {
      const madeAt = trashTime(entry.name);
      if (madeAt === null || entry.kind !== 'directory') continue;
      // Its name has the time of a clock that may have been years behind.
      const seen = (entry.mtimeSeconds ?? 0) * 1000;
      folders.push({ path: `${LAYOUT.trash}/${entry.name}`, madeAt: Math.max(madeAt, seen) });
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  folders.sort((a, b) => b.madeAt - a.madeAt);
  const { folders: needed, unknownBefore, damaged } = await forgetSaves(context, saves, now);
  if (damaged.length > 0) context.log.warn({ damaged }, 'saves around it are not given up');
  // Where nobody can say what kept saves need, it is whatever is not older than all of them.
  const isNeeded = (path: string, madeAt: number) => {
    const isUnknown = unknownBefore !== null && (trashTime(nameOf(path)) ?? 0) <= unknownBefore;
    return needed.has(nameOf(path)) || (isUnknown && now - madeAt <= longestKept(saves));
  };
  let removed = 0;
  for (const [index, { path, madeAt }] of folders.entries()) {
    if (isNeeded(path, madeAt)) continue;
    if (now - madeAt > Math.max(retention.removedMs, retention.replacedMs)) {
      await space.removeTree(path);
      removed += 1;
    } else if (
      saves.maxBytes !== null ||
      (now - madeAt > retention.replacedMs && index >= retention.replacedSaves)
    ) {
      await space.removeTree(`${path}/replaced`);
      removed += 1;
      // A listing may leave out what is there still, and an empty folder goes with all that is in it.
      if (await holdsMore(space, path)) continue;
      await space.removeEmptyDirectory(path).catch((error: unknown) => {
        if (!isSpaceError(error, 'not-empty')) throw error;
      });
    }
  }
  state.setMeta('trash-tidied', String(clock.now()));
  return { removed, damaged };
}

/** Asks for each by its name. */
async function holdsMore(space: Space, folder: string): Promise<boolean> {
  for (const name of ['removed', 'folders'])
    if ((await space.stat({ path: `${folder}/${name}` })) !== null) return true;
  return false;
}
