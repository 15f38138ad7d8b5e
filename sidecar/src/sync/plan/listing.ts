import type { Logger } from 'pino';
import { type BackOff, backOffMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import {
  isSpaceError,
  joinPath,
  type OddChild,
  parentOf,
  type ReadOnlySpace,
  type SpaceEntry,
  SpaceError,
  shortCalls,
} from '../../spaces/space.ts';
import type { FileFailures } from '../file-failures.ts';
import { isIgnoredAtRoot, type RemoteEntry, VIRTUAL_ID } from '../model.ts';
import { forEachLimit } from '../pool.ts';
import type { Progress } from '../progress.ts';
import type { StateStore } from '../state/state.ts';
import type { Selection } from './selection.ts';

/** Directories whose listing broke are asked again so often before the whole listing counts as broken. */
const LISTING_ATTEMPTS = 4;
const AFTER_FAILURES: BackOff = { firstMs: 400, maxMs: 20_000 };

export interface ListingContext {
  readonly space: Pick<ReadOnlySpace, 'list' | 'stat' | 'capabilities'>;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log?: Pick<Logger, 'warn'>;
  readonly progress: Progress;
  /** Part of the space that is listed; absent: all of it. */
  readonly selection?: Selection;
  readonly signal?: AbortSignal;
}

/**
 * Lists the whole space into the state. Resolves when every directory was listed to its end, or went to `failures` and is
 * marked: an error means that nothing at all is known about what is missing.
 */
export async function listSpace(
  context: ListingContext,
  failures: FileFailures,
): Promise<{ files: number; bytes: number }> {
  const { state, space } = context;
  context.progress.list();
  state.remote.start();
  do {
    for (;;) {
      const directories = state.remote.unlistedDirectories(64);
      if (directories.length === 0) break;
      await forEachLimit(
        directories,
        () => shortCalls(space.capabilities),
        (directory) => listOne(context, directory, failures),
      );
    }
  } while ((await addDropped(context, failures)) > 0);
  return state.remote.totals();
}

/**
 * A listing may drop entries without a word, so the space is asked for each one that only the manifest knows.
 * @returns number of directories among those that it has after all; they are to be listed too
 */
async function addDropped(
  { state, space }: Pick<ListingContext, 'state' | 'space'>,
  failures: FileFailures,
): Promise<number> {
  let directories = 0;
  /** What is below them need not be asked for. */
  const absent = new Set<string>();
  await forEachLimit(state.manifest.unlisted(), space.capabilities.concurrency, async ({ path, kind }) => {
    const isUnknown = state.remote.isUnlistable(parentOf(path));
    let found: SpaceEntry | null = null;
    try {
      if (!isUnknown && !absent.has(parentOf(path))) found = await space.stat({ path });
    } catch (error) {
      await failures.note(error, { does: 'fetch', path });
      state.remote.putUnknown(path);
      return;
    }
    if (found === null) {
      if (kind === 'directory') absent.add(path);
      return;
    }
    state.remote.put([found], null);
    if (found.kind === 'directory') directories += 1;
  });
  return directories;
}

async function listOne(
  context: ListingContext,
  directory: RemoteEntry,
  failures: FileFailures,
): Promise<void> {
  const { state, space, clock, signal, selection } = context;
  if (isBelowItself(state, directory)) {
    failures.add(directory.path, true, 'space-fault');
    state.remote.putUnknown(directory.path);
    return;
  }
  for (let attempt = 1; ; attempt += 1) {
    const odd: OddChild[] = [];
    try {
      const locator =
        directory.id === '' ? { path: directory.path } : { path: directory.path, id: directory.id };
      let page: SpaceEntry[] = [];
      const options = {
        onOdd: (child: OddChild) => odd.push(child),
        ...(signal === undefined ? {} : { signal }),
      };
      for await (const entry of space.list(locator, options)) {
        if (directory.path === '' && isIgnoredAtRoot(entry.name)) continue;
        if (selection?.has(entry.path, entry.kind === 'directory') === false) continue;
        page.push(entry);
        if (page.length >= 500) {
          state.remote.put(page, null);
          page = [];
        }
      }
      state.remote.put(page, directory.path);
      failures.succeeded();
    } catch (error) {
      // A directory that went away between its parent's listing and its own simply has no children.
      if (isSpaceError(error, 'not-found', 'not-a-directory') && directory.path !== '') {
        state.remote.put([], directory.path);
        return;
      }
      if (!(error instanceof SpaceError) || error.retry !== 'soon' || attempt >= LISTING_ATTEMPTS) {
        await failures.note(error, { does: 'list', path: directory.path });
        state.remote.markUnlistable(directory.path);
        return;
      }
      await clock.sleep(Math.max(error.retryAfterMs ?? 0, backOffMs(attempt, AFTER_FAILURES)), signal);
      continue;
    }
    let unanswered = 0;
    for (const child of odd) {
      // Each would be asked for patiently.
      const isSilent = unanswered >= MAX_UNANSWERED;
      if (!(await askForOdd(context, child, failures, isSilent))) unanswered += 1;
    }
    return;
  }
}

/** A directory that has itself among those it lies in would be listed for ever. */
function isBelowItself(state: StateStore, { path, id }: RemoteEntry): boolean {
  if (id === '') return false;
  for (let above = path; above !== ''; ) {
    above = parentOf(above);
    if (state.remote.get(above)?.id === id) return true;
  }
  return false;
}

/**
 * What a listing says of an entry cannot be right, so the space is asked for this one by its path. Where that is no better,
 * nothing is done about it: it is not taken for gone, nor is what is in it.
 * @returns whether the space has said what it is
 */
async function askForOdd(
  { state, space, selection, log }: ListingContext,
  { directory, name, why }: OddChild,
  failures: FileFailures,
  isSilent: boolean,
): Promise<boolean> {
  const path = joinPath(directory, name ?? NAMELESS);
  log?.warn({ path, why }, 'a listing of the space says of an entry what cannot be');
  // Nobody can say of which name it is, so whatever is missing there is asked for, as always.
  if (name === null) failures.add(path, false, 'space-fault');
  if (name === null || (directory === '' && isIgnoredAtRoot(name))) return true;
  if (selection !== undefined && ![true, false].some((isDirectory) => selection.has(path, isDirectory)))
    return true;
  try {
    const found = isSilent ? null : await space.stat({ path });
    if (found !== null) {
      state.remote.put([found], null);
      return true;
    }
    failures.add(path, false, 'space-fault');
  } catch (error) {
    await failures.note(error, { does: 'fetch', path });
  }
  state.remote.putUnknown(path);
  return false;
}

/** Odd entries of one folder that are asked for in vain. */
const MAX_UNANSWERED = 8;

/** Stands for a name that is none. */
const NAMELESS = '(no name)';

/** Adds what only the manifest holds to the listing, so that both are compared as one. */
export function addVirtualEntries({ state }: Pick<ListingContext, 'state'>): void {
  let batch: RemoteEntry[] = [];
  for (const entry of state.manifest.all()) {
    if (entry.remote !== null) continue;
    batch.push({ path: entry.path, kind: entry.kind, id: VIRTUAL_ID, size: 0, mtimeSeconds: null });
    if (batch.length >= 500) {
      state.remote.addVirtual(batch);
      batch = [];
    }
  }
  state.remote.addVirtual(batch);
}
