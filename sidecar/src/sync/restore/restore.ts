import { isSpaceError, shortCalls } from '../../spaces/space.ts';
import { isPermissionDenied } from '../file-errors.ts';
import type { FileFailures } from '../file-failures.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import type { VolumeContext } from '../plan/volume-context.ts';
import { forEachLimit } from '../pool.ts';
import { clearPartials } from '../volume/partials.ts';
import { isSideName } from './database-sets.ts';
import { finishDirectories } from './finish-directories.ts';
import { assertFreeSpace } from './free-space.ts';
import { LocalChangedError, type RestoreOptions, Restorer } from './restorer.ts';
export interface RestoreOutcome {
  readonly restored: number;
  readonly removed: number;
  /** Paths where something changed meanwhile; the next comparison looks again. */
  readonly skipped: number;
}

/**
 * Carries out `remove-local` and `download`. Only files that are as the plan saw them are replaced or removed.
 * @param noRoom what to say where the volume is too small, e.g. `the project does not fit on its volume`
 * @param failures gets the files that do not come, while all others do
 * @throws VolumeFullError before anything is changed
 */
export async function restorePending(
  context: VolumeContext,
  noRoom: string,
  failures: FileFailures,
  options: RestoreOptions = {},
): Promise<RestoreOutcome> {
  const { state } = context;
  let [files, bytes] = [0, 0];
  const directories: number[] = [];
  for (const row of state.pending.rows('download')) {
    const { remote } = decodeItem(row.data);
    if (remote?.kind === 'directory') directories.push(row.seq);
    else if (remote !== null) {
      files += 1;
      bytes += remote.size;
    }
  }
  await assertFreeSpace(context, noRoom, bytes);
  context.progress.begin(files, bytes);
  state.setMeta('restoring', 'yes');
  const restorer = new Restorer(context, options, failures);
  const outcome = { restored: 0, removed: 0, skipped: 0 };
  const mayBeGone = async (item: PlanItem, error: unknown) =>
    options.isLast !== true && (await isGone(context, item, error));
  const attempt = async (item: PlanItem, work: () => Promise<void>): Promise<void> => {
    context.signal?.throwIfAborted();
    try {
      try {
        await work();
      } catch (error) {
        // Somebody's folder that is only to be read: what is missing in it comes all the same.
        if (!isPermissionDenied(error) || !context.tree.openFolders(item.path)) throw error;
        await work();
      }
      failures.succeeded();
    } catch (error) {
      if (error instanceof LocalChangedError || (await mayBeGone(item, error))) outcome.skipped += 1;
      else await failures.note(error, { does: 'fetch', path: item.path, bytes: item.remote?.size ?? 0 });
    }
  };
  for (const row of state.pending.rows('remove-local', true)) {
    const item = decodeItem(row.data);
    await attempt(item, async () => {
      if (await restorer.removeLocal(item)) outcome.removed += 1;
    });
  }
  for (const row of state.pending.numbered(directories)) {
    const item = decodeItem(row.data);
    await attempt(item, () => restorer.directory(item));
  }
  const leaf = async (item: PlanItem): Promise<void> => {
    await attempt(item, async () => {
      await restorer.leaf(item);
      outcome.restored += 1;
    });
  };
  const linked: number[] = [];
  /** After their databases. */
  const sides: number[] = [];
  const single = async (row: { seq: number; data: string }): Promise<void> => {
    const item = decodeItem(row.data);
    if (item.remote === null || item.remote.kind === 'directory') return;
    if (item.remote.kind === 'file' && restorer.manifest(item.remote)?.linkGroup != null)
      linked.push(row.seq);
    else if (isSideName(item.path)) sides.push(row.seq);
    else await leaf(item);
  };
  try {
    const limit = () => shortCalls(context.space.capabilities) + AT_THE_DISK;
    await forEachLimit(state.pending.rows('download'), limit, single);
  } finally {
    await restorer.placed.write();
  }
  // One after the other: the second name of a file is made from the first.
  for (const row of state.pending.numbered([...linked, ...sides])) {
    await leaf(decodeItem(row.data));
    await restorer.placed.write();
  }
  await finishDirectories(context);
  if (outcome.skipped + failures.count === 0) await clearPartials(context.partials);
  state.pending.clear();
  context.progress.done();
  return outcome;
}

/** What the space does not find and does not have: removed since it was listed. */
async function isGone({ space }: VolumeContext, { path }: PlanItem, error: unknown): Promise<boolean> {
  if (!isSpaceError(error, 'not-found')) return false;
  return (await space.stat({ path }).catch(() => error)) === null;
}

/** Files that are written or hashed while others come over the network. */
const AT_THE_DISK = 16;
