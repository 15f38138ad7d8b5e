import { isSpaceError, type Space, type SpaceEntry } from '../../spaces/space.ts';
import type { RemoteFacts } from '../plan/compare.ts';
import { decodeItem, encodeItem, type PlanItem } from '../plan/plan.ts';
import { forEachLimit } from '../pool.ts';
import { Batch } from '../state/batch.ts';
import type { StateStore } from '../state/state.ts';
import { LAYOUT } from './space-layout.ts';

export interface StagingContext {
  readonly space: Space;
  /** Names this volume in the staging folder. */
  readonly volumeId: string;
}

export interface SentContext extends StagingContext {
  readonly state: StateStore;
}

/** The staging folder of this volume. */
export function stagingOf(volumeId: string): string {
  return `${LAYOUT.staging}/${volumeId}`;
}

/** Removes from the staging folder what is not among these paths. @returns how much went */
export async function clearStagingBut(context: StagingContext, kept: ReadonlySet<string>): Promise<number> {
  const { space } = context;
  const unused: string[] = [];
  try {
    for await (const { path } of space.list({ path: stagingOf(context.volumeId) }))
      if (!kept.has(path)) unused.push(path);
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  for (const path of unused) await space.removeTree(path);
  return unused.length;
}

/** @param upload a name that no other upload has @param seq of the item in the plan */
export function stagedPath(volumeId: string, upload: string, seq: number): string {
  return `${stagingOf(volumeId)}/${upload}-${seq}`;
}

function seqOf(name: string): number | null {
  const found = /-(\d+)$/.exec(name)?.[1];
  return found === undefined ? null : Number(found);
}

/** Whether this is the upload that was noted. Each has a name of its own; ids of a mount may be others after the next mount. */
export function isUpload(space: Space, id: string, found: SpaceEntry | null): found is SpaceEntry {
  return found?.kind === 'file' && (found.id === id || !space.capabilities.idsSurviveMove);
}

/** Whether the space has said what it holds of the upload. */
export function isConfirmed(item: PlanItem): boolean {
  return item.staged === undefined || item.staged.facts.mtimeSeconds !== null;
}

/** Up to so many uploads are asked for one by one; more are found in one listing. */
const FEW = 3;

/**
 * Asks the space what it holds of the uploads in the stage `sent`: their sizes have to be right, and their times are
 * what tells later whether somebody else has changed them. One listing says it of all; what a listing drops is asked
 * for by itself.
 * @returns how many are not there as they were sent; those are back in the stage `transfer`
 */
export async function confirmUploads(context: SentContext): Promise<number> {
  const { state, space } = context;
  if (state.pending.count('sent') > FEW) await confirmListed(context);
  let broken = 0;
  await forEachLimit(state.pending.rows('sent'), space.capabilities.concurrency, async ({ seq, data }) => {
    const item = decodeItem(data);
    const { path, facts } = item.staged as NonNullable<PlanItem['staged']>;
    const found = await space.stat({ path, id: facts.id }).catch((error: unknown) => {
      // What it holds of this one is not known: it is sent again.
      if (isSpaceError(error, 'odd-entry')) return null;
      throw error;
    });
    if (!confirm(state, seq, item, found)) broken += 1;
  });
  return broken;
}

async function confirmListed(context: SentContext): Promise<void> {
  const { state, space } = context;
  const batch = new Batch(state);
  try {
    for await (const entry of space.list({ path: stagingOf(context.volumeId) })) {
      const seq = seqOf(entry.name);
      if (seq !== null) batch.add(() => confirmEntry(state, seq, entry));
    }
  } catch (error) {
    if (!isSpaceError(error, 'listing-incomplete')) throw error;
  }
  batch.write();
}

function confirmEntry(state: StateStore, seq: number, entry: SpaceEntry): void {
  for (const row of state.pending.numbered([seq], 'sent')) {
    const item = decodeItem(row.data);
    const isRight = item.staged?.path === entry.path && item.staged.facts.size === entry.size;
    if (isRight) confirm(state, seq, item, entry);
  }
}

/** @returns false where the space does not hold what was sent */
function confirm(state: StateStore, seq: number, item: PlanItem, found: SpaceEntry | null): boolean {
  const { staged, next, ...rest } = item;
  if (staged === undefined || next === undefined) return true;
  if (found === null || found.size !== staged.facts.size || found.id !== staged.facts.id) {
    state.pending.update(seq, 'transfer', encodeItem(rest));
    return false;
  }
  const facts: RemoteFacts = { id: found.id, size: found.size, mtimeSeconds: found.mtimeSeconds };
  const confirmed = { ...rest, staged: { path: staged.path, facts }, next: { ...next, remote: facts } };
  state.pending.update(seq, 'ready', encodeItem(confirmed));
  return true;
}
