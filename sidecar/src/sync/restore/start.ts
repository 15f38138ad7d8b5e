import type { FileProblems } from '../../../contract/status.ts';
import { isSpaceError, type SpaceError } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { toManifest } from '../model.ts';
import { collectDifferences } from '../plan/collect.ts';
import { massLoss } from '../plan/guards.ts';
import { addVirtualEntries, listSpace } from '../plan/listing.ts';
import { decodeItem, encodeItem } from '../plan/plan.ts';
import { resolveDifferences } from '../plan/resolve.ts';
import { type CommitContext, commit } from '../save/commit.ts';
import { withRoomInSpace } from '../save/full-space.ts';
import type { Head } from '../save/head.ts';
import { soundHead } from '../save/head-copies.ts';
import { forgetOtherHistory, knownGeneration, noteSave } from '../save/histories.ts';
import { loadManifest } from '../save/manifest.ts';
import { recover } from '../save/recover.ts';
import { commitPending, type SaveContext, type SaveOptions, type SendContext } from '../save/save.ts';
import { timesOf } from '../save/two-clocks.ts';
import { forgetGivenUp, isGivenUp, mayLackPutAway, takeUntold } from '../save/untold.ts';
import type { StateStore } from '../state/state.ts';
import { MissingFilesError, UnsavedWorkError } from '../sync-errors.ts';
import { endSettling } from './database-sets.ts';
import { finishDirectories } from './finish-directories.ts';
import { VolumeFullError } from './free-space.ts';
import { lostFromSpace, namePutAway } from './lost-from-space.ts';
import { addPredecessorLinks } from './predecessor.ts';
import { type RestoreOutcome, restorePending } from './restore.ts';
import type { RestoreContext } from './restorer.ts';
import { VolumeTrash } from './volume-trash.ts';

/** A start saves what is unsaved, then restores. */
export type StartContext = SaveContext & RestoreContext;

export interface StartOptions extends SaveOptions {
  /** A person agreed that unsaved work joins a newer save, file by file. */
  readonly confirmedMerge?: boolean;
  /** Whether a person agreed to a desktop without these files, which cannot be restored. @default for none */
  readonly mayOpenWithout?: (missing: FileProblems) => boolean;
  /** Called before anything on the volume is changed. */
  readonly onRestore?: () => void;
}

export interface StartResult {
  readonly generation: number;
  /** Paths brought to the volume, and removed from it. */
  readonly restored: number;
  readonly removed: number;
  /** Unsaved work that was found on the volume and saved first. */
  readonly savedFirst: number;
  /** Files and directories of the volume that could not be read, so they may hold work that is in no save. */
  readonly unsaved: number;
  readonly warnings: readonly string[];
  /** Of those, what the space was otherwise than it was left. */
  readonly notices: readonly string[];
  /** What the space lacks of the last save, where that is no small part and this volume is new; a sentence. */
  readonly lost: string | null;
  /** What of the volume could not be saved first. */
  readonly notSaved: FileProblems;
  /** What could not be restored; it stays in the space. */
  readonly missing: FileProblems;
  /** Why unsaved work of the volume stays unsaved: the space has no room for it. */
  readonly full?: SpaceError;
}

/** A busy file can make a round incomplete; after so many rounds what is left waits for the next start. */
const ROUNDS = 4;

/**
 * Brings volume and space together while Scipion is closed: an interrupted save is finished, unsaved work of the volume
 * is saved, then the volume gets exactly what the last complete save holds. Where the space has no room for that work, it
 * stays on the volume beside that save. Can be called again after any error.
 * @throws MissingFilesError, UnsavedWorkError, VolumeFullError, SpaceError, LeaseLostError, NewerFormatError, DamagedRecordError
 */
export async function startProject(context: StartContext, options: StartOptions = {}): Promise<StartResult> {
  let whole: Awaited<ReturnType<typeof withRoomInSpace<StartResult>>>;
  try {
    whole = await withRoomInSpace(context, () => startOnce(context, options));
  } catch (error) {
    if (!isSpaceError(error, 'space-full')) throw error;
    // A desktop that stayed shut until then would be one in which nobody can make room.
    return { ...(await startOnce(context, options, false)), full: error };
  }
  const { result, freed } = whole;
  if (freed.trash === 0) return result;
  const notice = `the project space was full: replaced versions of ${freed.trash} saves went from its trash before their time`;
  return { ...result, notices: [...result.notices, notice], warnings: [notice, ...result.warnings] };
}

/** What the rounds of one start have done and met. */
interface Tally {
  savedFirst: number;
  restored: number;
  removed: number;
  lost: string | null;
  readonly warnings: string[];
  readonly notices: string[];
}

/** How volume and space differ: the plan is in the state, this is what it stands on. */
interface Found {
  readonly head: Head | 'damaged' | null;
  /** What does not come from the space. */
  readonly failures: FileFailures;
  /** What of the volume cannot be read. */
  readonly unread: FileFailures;
}

/**
 * Finish what was interrupted, then in rounds: scan, check, save what is unsaved, fetch and place (`restored`), note.
 * The order of what a restore writes is a table in docs/sync-semantics.md.
 * @param saves false: unsaved work of the volume stays as it is, since the space has no room for it
 */
async function startOnce(context: StartContext, options: StartOptions, saves = true): Promise<StartResult> {
  const tally: Tally = {
    savedFirst: 0,
    restored: 0,
    removed: 0,
    lost: null,
    warnings: [],
    notices: [],
  };
  await finishInterrupted(context);
  for (let round = 1; ; round += 1) {
    const isLast = round === ROUNDS;
    const { manifestWhole, ...found } = await scan(context, tally);
    keepWhereSpaceLooksWrong(context, manifestWhole, tally.warnings);
    if (found.head !== null && found.head !== 'damaged') assertNoFork(context.state, found.head, options);
    if (saves && !isLast && (await saveUnsaved(context, options, found, tally))) continue;
    const unsaved = found.unread.count + context.state.pending.count('transfer');
    const outcome = await restored(context, found, options, isLast);
    tally.restored += outcome.restored;
    tally.removed += outcome.removed;
    if (outcome.skipped > 0 && !isLast) continue;
    await noteRestored(context, found.head, saves);
    const result = resultOf(context.state, options, { ...found, ...tally, unsaved });
    // Kept copies are in the space again.
    if (saves) forgetGivenUp(context.state);
    return result;
  }
}

/** A save that was decided, and a restore that broke off. */
async function finishInterrupted(context: StartContext): Promise<void> {
  await recover(context);
  assertSameSpace(context);
  endSettling(context);
  if (context.state.meta('restoring') !== null) await finishDirectories(context);
}

/** Compares all of the volume with all of the space. */
async function scan(
  context: StartContext,
  tally: Tally,
): Promise<Found & { readonly manifestWhole: boolean }> {
  const { state } = context;
  const { warnings, notices } = tally;
  const sound = await soundHead(context);
  const { head, repaired } = sound;
  if (repaired !== null) notices.push(repaired);
  const other = forgetOtherHistory(context, sound);
  if (other !== null) notices.push(other);
  const manifestWhole = await prepareManifest(context, head, notices);
  // The next save writes all of it: parts that the space lost may be known here.
  if (other !== null) state.setMeta('manifest-segments', null);
  const failures = new FileFailures(context, 'project', 'restore');
  await listSpace(context, failures);
  tally.lost ??= lostFromSpace(state, isGivenUp(state) ? 'any' : context.limits);
  if (mayLackPutAway(state)) namePutAway(context, failures);
  addVirtualEntries(context);
  if (head === null) await addPredecessorLinks(context);
  const unread = new FileFailures(context, 'project', 'save');
  await collectDifferences(context, true, unread);
  await resolveDifferences(context, 'start', true, unread);
  if (unread.count > 0)
    warnings.push(
      `${unread.count} files or directories of the volume could not be read and were left as they are`,
    );
  return { head, failures, unread, manifestWhole };
}

/** @returns whether there was a save, so that volume and space have to be compared again */
async function saveUnsaved(
  context: SendContext,
  options: StartOptions,
  { unread }: Found,
  tally: Tally,
): Promise<boolean> {
  if (context.state.pending.count('transfer') === 0) return false;
  const result = await commitPending(context, options, unread);
  tally.savedFirst += result.changes;
  if (result.heldBack !== null) tally.warnings.push(`removals were held back: ${result.heldBack.why}`);
  return result.saved;
}

/** The volume has the save. A damaged manifest or head is written again, also where no work waits for a save. */
async function noteRestored(
  context: CommitContext,
  head: Head | 'damaged' | null,
  saves: boolean,
): Promise<void> {
  const { state } = context;
  if (head === null || head === 'damaged') state.setMeta('generation', String(knownGeneration(state)));
  else noteSave(state, head);
  if (!saves || head === null || state.meta('manifest-segments') !== null) return;
  addKnown(state);
  await commit(context);
}

/** @throws MissingFilesError where no person has agreed to a desktop without what is missing */
function resultOf(
  state: StateStore,
  options: StartOptions,
  { failures, unread, unsaved, ...tally }: Found & Tally & { readonly unsaved: number },
): StartResult {
  const { restored, removed, savedFirst, lost, warnings } = tally;
  const { problems: missing } = failures;
  if (missing.total > 0 && options.mayOpenWithout?.(missing) !== true) throw new MissingFilesError(missing);
  const notices = [...takeUntold(state), ...tally.notices];
  return {
    generation: knownGeneration(state),
    ...{ restored, removed, savedFirst, unsaved, lost, notices, missing },
    notSaved: unread.problems,
    warnings: [...notices, ...warnings],
  };
}

/**
 * Files that do not fit on a volume that has all of this save but them are left out: only its user can free room there.
 * @throws VolumeFullError where the volume does not have the save
 */
async function restored(
  context: RestoreContext,
  { head, failures }: Found,
  options: StartOptions,
  isLast: boolean,
): Promise<RestoreOutcome> {
  const { state } = context;
  if (state.pending.count('download') + state.pending.count('remove-local') > 0) options.onRestore?.();
  try {
    const noRoom = 'the project does not fit on the project volume';
    const trash = new VolumeTrash(context, (await timesOf(context)).later);
    return await restorePending(context, noRoom, failures, { isLast, trash });
  } catch (error) {
    const isThere = head !== null && head !== 'damaged' && knownGeneration(state) === head.generation;
    if (!(error instanceof VolumeFullError) || !isThere || !state.base.hasFiles()) throw error;
    for (const { data } of state.pending.rows('download'))
      failures.add(decodeItem(data).path, false, 'no-room');
    state.pending.clear();
    return { restored: 0, removed: 0, skipped: 0 };
  }
}

/** A space is the same one at every provider that supports it. */
function placeless(identity: string): string {
  return identity.replace(/^onedata:\/\/[^/]*\//, 'onedata:');
}

function assertSameSpace(context: Pick<StartContext, 'space' | 'state'>): void {
  const { state, space } = context;
  const known = state.meta('space');
  if (known !== null && placeless(known) !== placeless(space.identity) && state.base.hasFiles()) {
    throw new UnsavedWorkError(
      `the project volume holds the project of another space (${known}); this instance is set to ${space.identity}. ` +
        'Nothing was changed. Set the former space again, or give this instance a new project volume',
    );
  }
  state.setMeta('space', space.identity);
}

/** @returns false where a part of the manifest cannot be read: what it alone holds is then unknown, not gone. */
async function prepareManifest(
  context: Pick<StartContext, 'space' | 'state'>,
  head: Head | 'damaged' | null,
  warnings: string[],
): Promise<boolean> {
  const { state } = context;
  if (head === null) return true;
  const damaged = head === 'damaged' ? ['head.json'] : await loadManifest(context.space, state, head);
  if (damaged.length === 0) return true;
  warnings.push(
    `a part of the manifest in the project space is damaged (${damaged.join(', ')}): file contents are complete, ` +
      'some times and modes are not known; the next save repairs it',
  );
  // What this volume remembers of the last save is as good.
  addKnown(state);
  state.setMeta('manifest-segments', null);
  return false;
}

function addKnown(state: StateStore): void {
  state.transaction(() => {
    for (const base of state.base.all()) {
      const known = state.manifest.get(base.path);
      if (known === null || (known.hash === null && base.hash !== null)) state.manifest.put(toManifest(base));
    }
  });
}

/** Unsaved work on an old save, and a newer save in the space: two projects that nobody can merge but their owner. */
function assertNoFork(state: StateStore, head: Head, options: StartOptions): void {
  const known = state.meta('generation');
  const knownId = state.meta('save-id');
  const isSame = knownId === null ? Number(known) >= head.generation : knownId === head.saveId;
  if (known === null || isSame) return;
  if (options.confirmedMerge === true) {
    noteSave(state, head);
    return;
  }
  let work = 0;
  for (const row of state.pending.rows('transfer')) {
    const item = decodeItem(row.data);
    // A newer save outweighs times and modes.
    if (item.action === 'record') state.pending.delete(row.seq);
    else if ((item.local ?? item.base)?.kind !== 'directory') work += 1;
  }
  if (work === 0) return;
  throw new UnsavedWorkError(
    `the project volume holds ${work} files of work that was never saved, made on save ${known}; the project space has ` +
      `gone on to save ${head.generation} by ${head.savedBy} at ${head.savedAt}. Nothing was changed. ` +
      'To bring both together, with conflict names where they differ: sync confirm merge',
  );
}

/** Removals from the volume that look like a fault of the space are turned round: its files are sent again. */
function keepWhereSpaceLooksWrong(
  context: Pick<StartContext, 'state' | 'limits'>,
  manifestWhole: boolean,
  warnings: string[],
): void {
  const { state } = context;
  let removals = 0;
  for (const row of state.pending.rows('remove-local')) {
    if (decodeItem(row.data).base?.kind !== 'directory') removals += 1;
  }
  const refusal = massLoss(removals, state.base.count(), context.limits);
  for (const row of state.pending.rows('remove-local')) {
    const item = decodeItem(row.data);
    const onlyInManifest = item.base?.remote === null && !manifestWhole;
    if (refusal === null && !onlyInManifest && !isGivenUp(state)) continue;
    state.pending.update(row.seq, 'transfer', encodeItem({ ...item, action: 'upload' }));
  }
  if (isGivenUp(state) && removals > 0)
    warnings.push(`${removals} files that the project space lacks since then are kept here and sent again`);
  else if (refusal !== null) {
    warnings.push(`the project space lacks many files (${refusal}); they are kept here and sent again`);
  }
}
