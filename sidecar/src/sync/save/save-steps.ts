import type { ProjectContext } from '../context.ts';
import { VIRTUAL_ID } from '../model.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import type { Expected, Step } from './commit-record.ts';

/** The steps of the pending save, in the order in which they are safe. The same plan gives the same steps each time. */
export function* saveSteps(
  context: ProjectContext,
  head: { readonly staged: string; readonly copy: string; readonly kept: string },
): Iterable<Step> {
  const rows = function* (descending = false): Iterable<PlanItem> {
    for (const row of context.state.pending('ready', descending)) yield decodeItem(row.data);
  };
  for (const item of rows()) {
    const remote = item.remote;
    if (remote === null || remote.id === VIRTUAL_ID || remote.kind === 'directory') continue;
    const makesWay = item.next === undefined || item.next.remote === null || item.next.kind === 'directory';
    if (makesWay && item.action !== 'record') {
      yield { do: 'remove', path: item.path, kind: remote.kind, expect: expected(item) };
    }
  }
  for (const item of rows(true)) {
    // A directory that something else takes the place of goes as well.
    if (item.remote?.kind === 'directory' && item.next?.kind !== 'directory')
      yield { do: 'rmdir', path: item.path };
  }
  yield* makingSteps(rows());
  for (const item of rows()) {
    const next = item.next;
    if (
      next?.kind === 'symlink' &&
      next.remote !== null &&
      item.action === 'upload' &&
      next.target !== null
    ) {
      yield { do: 'symlink', path: item.path, target: next.target, expect: expected(item) };
    }
  }
  yield { do: 'keep', staged: head.copy, to: head.kept };
  yield { do: 'head', staged: head.staged };
}

/** Entries that are looked at together. */
const WINDOW = 1_000;

/** Directories shortly before what goes into them: one that was just made holds nothing of anybody else's. */
function* makingSteps(items: Iterable<PlanItem>): Iterable<Step> {
  let files: Step[] = [];
  let count = 0;
  for (const item of items) {
    if (item.next?.kind === 'directory' && item.remote?.kind !== 'directory')
      yield { do: 'mkdir', path: item.path };
    if (item.staged !== undefined)
      files.push({ do: 'place', path: item.path, staged: item.staged.path, expect: expected(item) });
    count += 1;
    if (count % WINDOW !== 0) continue;
    yield* files;
    files = [];
  }
  yield* files;
}

function expected(item: PlanItem): Expected {
  if (item.remote === null || item.keepBoth === true || item.remote.id === VIRTUAL_ID) return null;
  return { id: item.remote.id, size: item.remote.size, mtimeSeconds: item.remote.mtimeSeconds };
}
