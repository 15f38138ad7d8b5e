import type { FileProblems } from '../../../contract/status.ts';
import { ENGINE_FOLDER, SpaceError } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { collectDifferences, type ScanContext, type ScanScope } from '../plan/collect.ts';
import { type DeletionLimits, deletionRefusal, type HeldBack } from '../plan/guards.ts';
import { foldersOf, forgetLostFiles, type LossContext } from '../plan/lost-files.ts';
import { decodeItem } from '../plan/plan.ts';
import { type ResolveContext, resolveDifferences } from '../plan/resolve.ts';
import type { StateStore } from '../state/state.ts';
import { type CommitContext, commit } from './commit.ts';
import { withRoomInSpace } from './full-space.ts';
import type { Head } from './head.ts';
import { soundHead } from './head-copies.ts';
import { forgetOtherHistory, knownGeneration } from './histories.ts';
import { holdBackLeftOut } from './left-out.ts';
import { loadManifest } from './manifest.ts';
import { MovedFiles } from './moved-files.ts';
import { decidingSave } from './pending-commit.ts';
import { recover } from './recover.ts';
import { rewriteDamagedSegments } from './segments.ts';
import { LAYOUT } from './space-layout.ts';
import { takeUntold } from './untold.ts';
import { type UploadContext, uploadPending } from './upload.ts';

/** What is planned already is sent and committed with it. */
export interface SendContext extends CommitContext, UploadContext {
  readonly limits: DeletionLimits;
}

/** Scan and plan besides, and a look at the whole space before the volume goes. */
export type SaveContext = SendContext & ScanContext & ResolveContext & LossContext;

export interface SaveOptions {
  /** A person agreed to so many removals; more are held back all the same. @default 0 */
  readonly confirmedDeletions?: number;
  /**
   * The volume goes after this save, so the space is asked whether it still has the one before and all files of it,
   * also where nothing has changed.
   */
  readonly last?: boolean;
  /** Manifest segments that a round before this one found as they were written; those that it finds so are added. */
  readonly readSegments?: Set<string>;
  /** @default everything */
  readonly scope?: ScanScope;
}

export interface SaveResult {
  /** false: nothing had changed, and no request was made. */
  readonly saved: boolean;
  readonly generation: number;
  readonly changes: number;
  /** Files and directories that changed while they were read, or could not be read; their last saved version stays in the space. */
  readonly skipped: number;
  /** Of those, large files that come over several saves; the next one continues with them and should begin at once. */
  readonly sending: number;
  /** The same by name, as far as there is room. */
  readonly fileProblems: FileProblems;
  /** Removals that were held back, null where none were. The rest is saved. */
  readonly heldBack: HeldBack | null;
  /** What the space was otherwise than it was left, in sentences. Absent: it was not looked at. */
  readonly notices?: readonly string[];
  /** The space was full: replaced versions of so many saves went from its trash before their time. */
  readonly trashFreed?: number;
}

/**
 * Brings the space to what the volume holds now, as a whole: uploads wait in the staging folder until a commit record
 * says that all of them are there. Scipion may be running. With nothing changed no request is made.
 * Its stages: scan and plan (`findChanges`), check (`holdBackDeletions`), upload (`uploadPending`), commit and apply (`commit.ts`).
 * The order of what it writes is the table in docs/sync-semantics.md.
 * @throws SpaceError, LeaseLostError; the next call goes on where this one stopped
 */
export async function save(context: SaveContext, options: SaveOptions = {}): Promise<SaveResult> {
  const { result, freed } = await withRoomInSpace(context, () =>
    withFolders(context, () => saveOnce(context, options)),
  );
  return freed.trash === 0 ? result : { ...result, trashFreed: freed.trash };
}

/** Tries once more where somebody has moved a folder of the engine away under a running save. */
async function withFolders(
  { lease, state }: Pick<SaveContext, 'lease' | 'state'>,
  attempt: () => Promise<SaveResult>,
): Promise<SaveResult> {
  try {
    return await attempt();
  } catch (error) {
    const isOurs = error instanceof SpaceError && error.path?.startsWith(`${ENGINE_FOLDER}/`) === true;
    if (!isOurs || error.code !== 'not-found') throw error;
    await lease.assertHeld();
    const made = await lease.makeFolders();
    if (made.length === 0) throw error;
    // All segments went with it: the next one has to be whole.
    if (made.includes(LAYOUT.manifest)) state.setMeta('manifest-segments', null);
    return attempt();
  }
}

async function saveOnce(context: SaveContext, options: SaveOptions): Promise<SaveResult> {
  if (decidingSave(context.state) !== null) {
    await recover(context);
    context.changes?.requireFullScan();
  }
  let unread = await findChanges(context, options.last === true ? 'everything' : options.scope);
  const asks = options.last === true || context.state.pending.count() > 0;
  const sound = asks ? await soundHead(context) : null;
  const other = sound === null ? null : forgetOtherHistory(context, sound);
  if (other !== null) {
    await learnManifest(context, sound?.head ?? null);
    unread = await findChanges(context);
  } else if (options.last === true && (await forgetLostFiles(context, unread)))
    unread = await findChanges(context);
  const damaged = options.last === true ? await damagedSegments(context, options, sound?.head ?? null) : null;
  const found = [sound?.repaired ?? null, other, damaged].filter((each) => each !== null);
  const result = await commitPending(context, options, unread);
  const notices = [...takeUntold(context.state), ...found];
  const noted = { ...result, ...(notices.length === 0 ? {} : { notices }) };
  if (damaged === null || result.saved) return noted;
  return { ...noted, saved: true, generation: await commit(context, unread) };
}

/** Before the volume goes: what the space has lost of the manifest is known here for the last time. */
async function damagedSegments(
  context: Pick<SaveContext, 'space' | 'state'>,
  { readSegments }: SaveOptions,
  head: Head | 'damaged' | null,
): Promise<string | null> {
  if (head === null || head === 'damaged') return null;
  const names = await rewriteDamagedSegments(context, head, readSegments);
  if (names.length === 0) return null;
  return `a part of the manifest in the project space was damaged (${names.join(', ')}); it was written again`;
}

/** What others saved since: the next save writes all of it, and some of it is nowhere else. */
async function learnManifest(
  { space, state }: Pick<SaveContext, 'space' | 'state'>,
  head: Head | 'damaged' | null,
): Promise<void> {
  if (head === null || head === 'damaged') return;
  await loadManifest(space, state, head);
  state.setMeta('manifest-segments', null);
}

async function findChanges(context: ScanContext & ResolveContext, scope?: ScanScope): Promise<FileFailures> {
  const unread = new FileFailures(context, 'project', 'save');
  await collectDifferences(context, false, unread, scope);
  if (context.state.pending.count() > 0) await resolveDifferences(context, 'running', false, unread);
  return unread;
}

/** Carries out what stands in the stage `transfer`: guard, uploads, commit. */
export async function commitPending(
  context: SendContext,
  options: SaveOptions,
  unread: FileFailures,
): Promise<SaveResult> {
  // The old place of a moved file serves also where its removal is held back.
  const moved = MovedFiles.find(context);
  try {
    return await commitSent(context, options, unread, moved);
  } finally {
    moved?.close();
  }
}

async function commitSent(
  context: SendContext,
  options: SaveOptions,
  unread: FileFailures,
  moved: MovedFiles | null,
): Promise<SaveResult> {
  if (options.scope === 'changed') holdBackLeftOut(context, unread);
  const heldBack = holdBackDeletions(context, options.confirmedDeletions ?? 0);
  if (context.state.pending.count('transfer') === 0) return { ...unchanged(context.state, unread), heldBack };
  await uploadPending(context, unread, moved);
  keepFolders(context.state, unread);
  const changes = context.state.pending.count('ready');
  if (changes === 0) return { ...unchanged(context.state, unread), heldBack };
  const generation = await commit(context, unread);
  context.progress.done();
  return { saved: true, generation, changes, ...leftOut(unread), heldBack };
}

/** A folder stays in the space for what is left out in it; to remove it comes with that. */
function keepFolders(state: StateStore, unread: FileFailures): void {
  const folders = new Set(unread.problems.items.flatMap(({ path }) => foldersOf(path)));
  if (folders.size === 0) return;
  for (const { seq, data } of state.pending.rows('ready')) {
    const { path, action } = decodeItem(data);
    if (action === 'remove-remote' && folders.has(path)) state.pending.delete(seq);
  }
}

function unchanged(state: StateStore, unread: FileFailures): SaveResult {
  return {
    saved: false,
    generation: knownGeneration(state),
    changes: 0,
    ...leftOut(unread),
    heldBack: null,
  };
}

function leftOut(unread: FileFailures): Pick<SaveResult, 'skipped' | 'sending' | 'fileProblems'> {
  return { skipped: unread.count, sending: unread.sending, fileProblems: unread.problems };
}

/** Drops removals from the plan where there are too many of them at once; everything else goes on. */
function holdBackDeletions(
  context: Pick<SendContext, 'state' | 'limits'>,
  confirmed: number,
): HeldBack | null {
  const { state, limits } = context;
  let removals = 0;
  for (const row of state.pending.rows('transfer')) {
    const item = decodeItem(row.data);
    if (item.action === 'remove-remote' && item.base?.kind !== 'directory') removals += 1;
  }
  // To count a million files takes a third of a second.
  const refusal = removals <= confirmed ? null : deletionRefusal(removals, state.base.count(), limits);
  if (refusal === null) return null;
  for (const row of state.pending.rows('transfer')) {
    if (decodeItem(row.data).action === 'remove-remote') state.pending.delete(row.seq);
  }
  return { removals, why: refusal };
}
