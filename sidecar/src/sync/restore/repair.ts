import { isSpaceError } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { manifestMatches } from '../model.ts';
import { encodeItem } from '../plan/plan.ts';
import { commit } from '../save/commit.ts';
import { soundHead } from '../save/head-copies.ts';
import { forgetOtherHistory, type OtherHistoryContext } from '../save/histories.ts';
import { recover } from '../save/recover.ts';
import { commitPending, type SendContext } from '../save/save.ts';
import { removeUnreferencedSegments, rewriteDamagedSegments } from '../save/segments.ts';
import { RequestError } from '../sync-errors.ts';
import { type CopyOptions, hashStable, openStable } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { repairHistory } from './repair-history.ts';
import { restoreFromTrash } from './trash-content.ts';
import { type Finding, lastVerification } from './verify.ts';

export interface RepairContext extends SendContext {
  readonly partials: string;
  readonly changes?: NonNullable<OtherHistoryContext['changes']>;
}

export interface RepairResult {
  /** A sentence for each thing that was mended. */
  readonly done: readonly string[];
  /** A sentence for each thing that was not, with what to do. */
  readonly left: readonly string[];
}

/**
 * Mends what the last check found: sends files again that the volume holds as they were saved, brings older versions of
 * others from the trash to the volume, writes head and manifest again, and removes what broken-off saves left. What is
 * replaced in the space goes to its trash; what is in doubt is not touched. The lease is held, no save is under way.
 * @throws RequestError where nothing was checked yet; SpaceError
 */
export async function repairSpace(context: RepairContext): Promise<RepairResult> {
  const last = lastVerification(context.state);
  if (last === null || last.endedAt === null)
    throw new RequestError('the space was not checked to its end yet. First: sync verify');
  const [done, left]: [string[], string[]] = [[], []];
  await recover(context);
  await repairEngine(context, done);
  await repairFiles(context, last.findings, done, left);
  const removed = await removeUnreferencedSegments(context);
  if (removed > 0) done.push(`removed ${removed} parts of the manifest that nothing names any more`);
  for (const { path, kind, what } of last.findings) {
    if (kind === 'stray') left.push(`${path} ${what}: look at it, and remove it if it is not needed`);
  }
  if (last.found > last.findings.length)
    left.push(
      `${last.found - last.findings.length} more were found than were named: check again (sync verify)`,
    );
  return { done, left };
}

/** Head and lease are looked at now, whatever was found of them before. */
async function repairEngine(context: RepairContext, done: string[]): Promise<void> {
  const { state, lease } = context;
  const sound = await soundHead(context);
  const { head, repaired } = sound;
  // What else was set back with the head must not count as newer at the next start.
  if (sound.isSetBack) forgetOtherHistory(context, sound);
  if (repaired !== null) done.push(repaired);
  await lease.heartbeat();
  if (head === null || head === 'damaged') return;
  done.push(...(await repairHistory(context)));
  const damaged = await rewriteDamagedSegments(context, head);
  if (damaged.length === 0) return;
  state.pending.clear();
  await commit(context);
  done.push(`wrote the manifest again, in place of ${damaged.join(', ')}`);
}

async function repairFiles(
  context: RepairContext,
  findings: readonly Finding[],
  done: string[],
  left: string[],
): Promise<void> {
  const { state, space, tree } = context;
  const files = findings.filter(({ kind }) => ['rotten', 'missing', 'unreadable'].includes(kind));
  const sent: string[] = [];
  const others = new Set<string>();
  state.pending.clear();
  for (const { path, what } of files) {
    const [local, manifest] = [tree.look(path), state.manifest.get(path)];
    if (local === null || manifest === null || local.kind !== manifest.kind) continue;
    const isEqual =
      local.kind === 'symlink'
        ? local.target === manifest.target
        : manifest.hash !== null && (await hashOf(context, path)) === manifest.hash;
    if (!isEqual) continue;
    const remote = await space.stat({ path });
    // Somebody has put another version there since the check.
    if (remote?.kind === 'file' && local.kind === 'file' && !manifestMatches(manifest, remote)) {
      others.add(path);
      left.push(`${path} ${what}; by now the space has a version of somebody else, which stays`);
      continue;
    }
    state.pending.add(
      'transfer',
      encodeItem({ path, action: 'upload', local, base: state.base.get(path), remote }),
    );
    sent.push(path);
  }
  if (sent.length > 0) {
    await commitPending(context, {}, new FileFailures(context, 'project', 'save'));
    done.push(...sent.map((path) => `${path}: sent again from the volume, which holds it as it was saved`));
  }
  for (const { path, what } of files) {
    if (sent.includes(path) || others.has(path)) continue;
    if (state.manifest.get(path) === null) continue;
    if (tree.look(path) !== null) {
      left.push(`${path} ${what}; the volume has another version, which the next save sends if it is newer`);
      continue;
    }
    try {
      const { restored } = await restoreFromTrash(context, path, null);
      done.push(`${path}: its newest older version was brought from the trash to ${restored.join(', ')}`);
    } catch (error) {
      if (!(error instanceof RequestError) && !isSpaceError(error, 'not-found')) throw error;
      left.push(
        `${path} ${what}, and neither the volume nor the trash has a version of it: ask the site of the space for a backup`,
      );
    }
  }
}

async function hashOf(
  context: CopyOptions & { readonly tree: LocalTree },
  path: string,
): Promise<string | null> {
  try {
    const file = await openStable(context.tree, path, context);
    try {
      return await hashStable(file);
    } finally {
      await file.close();
    }
  } catch {
    // It changes, or may not be read: then it is in doubt.
    return null;
  }
}
