import { VIRTUAL_ID } from '../model.ts';
import { foldersOf } from '../plan/lost-files.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import type { StateStore } from '../state/state.ts';
import type { Expected, Step } from './commit-record.ts';

/** The steps of the pending save, in the order in which they are safe. The same plan gives the same steps each time. */
export function* saveSteps(
  state: StateStore,
  head: { readonly staged: string; readonly copy: string; readonly kept: string },
): Iterable<Step> {
  const rows = function* (descending = false): Iterable<PlanItem> {
    for (const row of state.pending.rows('ready', descending)) yield decodeItem(row.data);
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

/** Entries that are looked at together; as many steps as are carried out together. */
const WINDOW = 256;
/** New directories that wait for their first file at most; then they are made. */
const MAX_WAITING = 100_000;

/** Directories shortly before what goes into them: one that was just made holds nothing of anybody else's. */
function* makingSteps(items: Iterable<PlanItem>): Iterable<Step> {
  const waiting = new Set<string>();
  let files: Step[] = [];
  let needed = new Set<string>();
  let count = 0;
  const window = function* (): Iterable<Step> {
    for (const path of waiting.size > MAX_WAITING ? waiting : byDepth(needed)) {
      waiting.delete(path);
      yield { do: 'mkdir', path };
    }
    yield* files;
    [files, needed] = [[], new Set()];
  };
  for (const item of items) {
    if (item.next?.kind === 'directory' && item.remote?.kind !== 'directory') waiting.add(item.path);
    if (item.staged !== undefined) {
      files.push({ do: 'place', path: item.path, staged: item.staged.path, expect: expected(item) });
      for (const folder of foldersOf(item.path)) if (waiting.has(folder)) needed.add(folder);
    }
    count += 1;
    if (count % WINDOW === 0) yield* window();
  }
  yield* window();
  for (const path of waiting) yield { do: 'mkdir', path };
}

function byDepth(paths: Iterable<string>): string[] {
  const depth = (path: string) => path.split('/').length;
  return [...paths].sort((a, b) => depth(a) - depth(b));
}

function expected(item: PlanItem): Expected {
  if (item.remote === null || item.keepBoth === true || item.remote.id === VIRTUAL_ID) return null;
  return { id: item.remote.id, size: item.remote.size, mtimeSeconds: item.remote.mtimeSeconds };
}
