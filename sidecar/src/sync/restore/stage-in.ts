import type { FileProblems } from '../../../contract/status.ts';
import { joinPath } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { type BaseEntry, type LocalEntry, UNKNOWN_ID } from '../model.ts';
import { type RemoteStat, remoteState } from '../plan/compare.ts';
import { type DeletionLimits, deletionRefusal } from '../plan/guards.ts';
import { listSpace } from '../plan/listing.ts';
import { decodeItem, encodeItem, type PlanItem } from '../plan/plan.ts';
import { adopted } from '../plan/resolve.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { restorePending } from './restore.ts';
import type { RestoreContext } from './restorer.ts';

export interface StageInContext extends RestoreContext {
  readonly limits: DeletionLimits;
}

export interface StageInResult {
  readonly files: number;
  readonly bytes: number;
  readonly copied: number;
  readonly removed: number;
  readonly warnings: readonly string[];
  /** What could not be copied; everything else was. */
  readonly fileProblems: FileProblems;
}

/**
 * Makes the source volume a copy of the source space, one way. Copies only what is new or changed since the last time;
 * a large file goes on at the byte where it stopped. The space is only read: the context holds no writable one.
 * @throws VolumeFullError before anything is copied; SpaceError
 */
export async function stageIn(context: StageInContext): Promise<StageInResult> {
  const { state, space } = context;
  const known = state.meta('space');
  const selected = context.selection?.key ?? null;
  const sameSpace = known === null || known === space.identity;
  const failures = new FileFailures(context, 'source', 'stage-in');
  const { files, bytes } = await listSpace(context, failures);
  await collect(context, failures);
  const warnings: string[] = [];
  // Other patterns take away what they leave out, however much that is.
  if (sameSpace && state.meta('selection') === selected) holdBackRemovals(context, warnings);
  const noRoom = 'the source data does not fit on the source volume';
  // The space says no hashes of its own, and nothing is ever sent back.
  const outcome = await restorePending(context, noRoom, failures, { isUnhashed: true });
  state.setMeta('space', space.identity);
  state.setMeta('selection', selected);
  if (outcome.skipped > 0) warnings.push(`${outcome.skipped} source files changed while they were copied`);
  const { problems: fileProblems } = failures;
  return { files, bytes, copied: outcome.restored, removed: outcome.removed, warnings, fileProblems };
}

async function collect(context: StageInContext, failures: FileFailures): Promise<void> {
  const { state } = context;
  state.pending.clear();
  const stack = [{ parent: '', isHere: true }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    const { parent, isHere } = place;
    // What is in the space there is not known, so nothing is done about it.
    if (state.remote.isUnlistable(parent)) continue;
    const local = isHere ? readable(context.tree, parent, failures) : new Map<string, LocalEntry>();
    if (local === null) continue;
    const base = state.base.children(parent);
    const remote = state.remote.children(parent);
    state.transaction(() => {
      for (const name of new Set([...base.keys(), ...remote.keys()])) {
        if (remote.get(name)?.id === UNKNOWN_ID) continue;
        const sides = {
          local: local.get(name) ?? null,
          base: base.get(name) ?? null,
          remote: remote.get(name) ?? null,
        };
        const item = compareSource(context, joinPath(parent, name), sides);
        if (item !== null) state.pending.add(item.action, encodeItem(item));
        if (sides.base?.kind === 'directory' || sides.remote?.kind === 'directory')
          stack.push({ parent: joinPath(parent, name), isHere: sides.local?.kind === 'directory' });
      }
    });
    await new Promise((next) => setImmediate(next));
  }
}

/** null where the directory cannot be read. */
function readable(
  tree: LocalTree,
  directory: string,
  failures: FileFailures,
): Map<string, LocalEntry> | null {
  try {
    // An entry that cannot be looked at is replaced as one that is not there.
    return tree.children(directory, { isCopy: true, onUnknown: () => undefined }) ?? new Map();
  } catch (error) {
    failures.noteLocal(error, { does: 'list', path: directory });
    return null;
  }
}

/** The space is always right; only what this program brought is ever removed. */
function compareSource(
  context: Pick<StageInContext, 'space' | 'state'>,
  path: string,
  sides: { local: LocalEntry | null; base: BaseEntry | null; remote: RemoteStat | null },
): (PlanItem & { readonly action: 'download' | 'remove-local' }) | null {
  const { local, base, remote } = sides;
  if (remote === null) return base === null ? null : { path, action: 'remove-local', ...sides };
  if (base === null) {
    // State lost: a copy carries the size and time of its original.
    const copied =
      local?.kind === 'file' &&
      remote.kind === 'file' &&
      local.size === remote.size &&
      remote.mtimeSeconds !== null &&
      local.mtimeNs === BigInt(remote.mtimeSeconds) * 1_000_000_000n;
    if (!copied) return { path, action: 'download', ...sides };
    context.state.base.put(adopted(local, remote, null));
    return null;
  }
  const unchanged = remoteState(base, remote, context.space.capabilities.idsSurviveMove) === 'same';
  return unchanged && isCopy(base, local) ? null : { path, action: 'download', ...sides };
}

function isCopy(base: BaseEntry, local: LocalEntry | null): boolean {
  if (local?.kind !== base.kind) return false;
  if (local.kind === 'directory') return true;
  return (
    local.size === base.size &&
    local.target === base.target &&
    (local.kind !== 'file' || local.mtimeNs === base.mtimeNs)
  );
}

function holdBackRemovals(context: Pick<StageInContext, 'state' | 'limits'>, warnings: string[]): void {
  const { state, limits } = context;
  let removals = 0;
  for (const row of state.pending.rows('remove-local')) {
    if (decodeItem(row.data).base?.kind !== 'directory') removals += 1;
  }
  const refusal = deletionRefusal(removals, state.base.count(), limits);
  if (refusal === null) return;
  for (const row of state.pending.rows('remove-local')) state.pending.delete(row.seq);
  warnings.push(`the source space lacks many files (${refusal}); their copies on the volume are kept`);
}
