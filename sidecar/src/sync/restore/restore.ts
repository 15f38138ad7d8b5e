import { isSpaceError, type ReadOnlySpace, shortCalls } from '../../spaces/space.ts';
import { isPermissionDenied } from '../file-errors.ts';
import type { FileFailures } from '../file-failures.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import { forEachLimit } from '../pool.ts';
import type { StateStore } from '../state/state.ts';
import { clearPartials } from '../volume/partials.ts';
import { isSideName } from './database-sets.ts';
import { finishDirectories } from './finish-directories.ts';
import { assertFreeSpace } from './free-space.ts';
import { LocalChangedError, type RestoreContext, type RestoreOptions, Restorer } from './restorer.ts';

export interface RestoreOutcome {
  readonly restored: number;
  readonly removed: number;
  /** Paths where something changed meanwhile; the next comparison looks again. */
  readonly skipped: number;
}

/**
 * Applies what stands in the stages `remove-local` and `download`: measure, check, remove, make folders, fetch and place,
 * finish. Only files that are as the plan saw them are replaced or removed.
 * @param noRoom what to say where the volume is too small, e.g. `the project does not fit on its volume`
 * @param failures gets the files that do not come, while all others do
 * @throws VolumeFullError before anything is changed
 */
export async function restorePending(
  context: RestoreContext,
  noRoom: string,
  failures: FileFailures,
  options: RestoreOptions = {},
): Promise<RestoreOutcome> {
  const { files, bytes, directories } = measure(context.state);
  await assertFreeSpace(context, noRoom, bytes);
  context.progress.begin(files, bytes);
  context.state.setMeta('restoring', 'yes');
  const restore = new Restore(context, options, failures);
  await restore.removeGone();
  await restore.makeDirectories(directories);
  const later = await restore.fetchFiles();
  await restore.fetchInOrder(later);
  return restore.finish();
}

function measure(state: StateStore) {
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
  return { files, bytes, directories };
}

class Restore {
  readonly #context: RestoreContext;
  readonly #options: RestoreOptions;
  readonly #failures: FileFailures;
  readonly #restorer: Restorer;
  readonly #outcome = { restored: 0, removed: 0, skipped: 0 };

  constructor(context: RestoreContext, options: RestoreOptions, failures: FileFailures) {
    this.#context = context;
    this.#options = options;
    this.#failures = failures;
    this.#restorer = new Restorer(context, options, failures);
  }

  /** What is in a folder before it. */
  async removeGone(): Promise<void> {
    for (const row of this.#context.state.pending.rows('remove-local', true)) {
      const item = decodeItem(row.data);
      await this.#attempt(item, async () => {
        if (await this.#restorer.removeLocal(item)) this.#outcome.removed += 1;
      });
    }
  }

  async makeDirectories(numbers: readonly number[]): Promise<void> {
    for (const row of this.#context.state.pending.numbered(numbers)) {
      const item = decodeItem(row.data);
      await this.#attempt(item, () => this.#restorer.directory(item));
    }
  }

  /** @returns rows of those that wait for others: second names of files, and side files of databases */
  async fetchFiles(): Promise<number[]> {
    const { state, space } = this.#context;
    const linked: number[] = [];
    const sides: number[] = [];
    const single = async (row: { seq: number; data: string }): Promise<void> => {
      const item = decodeItem(row.data);
      if (item.remote === null || item.remote.kind === 'directory') return;
      if (item.remote.kind === 'file' && this.#restorer.manifest(item.remote)?.linkGroup != null)
        linked.push(row.seq);
      else if (isSideName(item.path)) sides.push(row.seq);
      else await this.#leaf(item);
    };
    try {
      const limit = () => shortCalls(space.capabilities) + AT_THE_DISK;
      await forEachLimit(state.pending.rows('download'), limit, single);
    } finally {
      await this.#restorer.placed.write();
    }
    return [...linked, ...sides];
  }

  /** One after the other: the second name of a file is made from the first, a side file comes after its database. */
  async fetchInOrder(numbers: readonly number[]): Promise<void> {
    for (const row of this.#context.state.pending.numbered(numbers)) {
      await this.#leaf(decodeItem(row.data));
      await this.#restorer.placed.write();
    }
  }

  async finish(): Promise<RestoreOutcome> {
    const { state, partials, progress } = this.#context;
    await finishDirectories(this.#context);
    if (this.#outcome.skipped + this.#failures.count === 0) await clearPartials(partials);
    state.pending.clear();
    progress.done();
    return this.#outcome;
  }

  #leaf(item: PlanItem): Promise<void> {
    return this.#attempt(item, async () => {
      await this.#restorer.leaf(item);
      this.#outcome.restored += 1;
    });
  }

  /** What fails for one entry leaves it out; what is not as it was seen waits for the next comparison. */
  async #attempt(item: PlanItem, work: () => Promise<void>): Promise<void> {
    const { signal, tree } = this.#context;
    signal?.throwIfAborted();
    try {
      try {
        await work();
      } catch (error) {
        // Somebody's folder that is only to be read: what is missing in it comes all the same.
        if (!isPermissionDenied(error) || !tree.openFolders(item.path)) throw error;
        await work();
      }
      this.#failures.succeeded();
    } catch (error) {
      if (error instanceof LocalChangedError || (await this.#mayBeGone(item, error)))
        this.#outcome.skipped += 1;
      else
        await this.#failures.note(error, { does: 'fetch', path: item.path, bytes: item.remote?.size ?? 0 });
    }
  }

  async #mayBeGone(item: PlanItem, error: unknown): Promise<boolean> {
    return this.#options.isLast !== true && (await isGone(this.#context.space, item, error));
  }
}

/** What the space does not find and does not have: removed since it was listed. */
async function isGone(
  space: Pick<ReadOnlySpace, 'stat'>,
  { path }: PlanItem,
  error: unknown,
): Promise<boolean> {
  if (!isSpaceError(error, 'not-found')) return false;
  return (await space.stat({ path }).catch(() => error)) === null;
}

/** Files that are written or hashed while others come over the network. */
const AT_THE_DISK = 16;
