import { type BackOff, longerWaitMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import type { FileFailures } from '../file-failures.ts';
import { decodeItem } from '../plan/plan.ts';
import type { StateStore } from '../state/state.ts';
import { localFacts } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';

export interface LeftOutContext {
  readonly state: StateStore;
  readonly tree: LocalTree;
  readonly clock: Clock;
}

/** What a save had to leave out because its place in the space took nothing. */
interface Postponed {
  /** Of what is on the volume: once that is another version, it is tried at once. */
  readonly facts: string;
  /** ms since 1970. */
  readonly until: number;
  readonly waitMs: number;
}

const META = 'left-out';
const AFTER_FAILURES: BackOff = { firstMs: 10 * 60_000, maxMs: 6 * 3_600_000 };

/** Autosaves try it again ever less often: each attempt is a save of its own. It stays named. */
export function holdBackLeftOut(context: LeftOutContext, unread: FileFailures): void {
  const { state, clock } = context;
  const all = postponed(state);
  if (Object.keys(all).length === 0) return;
  for (const { seq, data } of state.pending.rows('transfer')) {
    const { path, local } = decodeItem(data);
    const known = all[path];
    if (known === undefined || known.facts !== factsOf(context.tree, path)) continue;
    // A clock that was set back makes nothing wait for longer.
    const left = known.until - clock.now();
    if (left <= 0 || left > known.waitMs) continue;
    unread.add(path, local?.kind === 'directory', 'space-fault');
    state.pending.delete(seq);
  }
}

/** @param left paths that the save that was just made has left out */
export function noteLeftOut(context: LeftOutContext, left: readonly string[]): void {
  const before = postponed(context.state);
  const next: Record<string, Postponed> = {};
  const now = context.clock.now();
  for (const path of left) {
    const waitMs = longerWaitMs(before[path]?.waitMs, AFTER_FAILURES);
    next[path] = { facts: factsOf(context.tree, path), until: now + waitMs, waitMs };
  }
  for (const [path, each] of Object.entries(before)) if (each.until > now) next[path] ??= each;
  context.state.setJson(META, Object.keys(next).length === 0 ? null : next);
}

function postponed(state: StateStore): Readonly<Record<string, Postponed>> {
  return state.json(META, {});
}

function factsOf(tree: LocalTree, path: string): string {
  const local = tree.look(path);
  return local === null ? 'absent' : localFacts(local);
}
