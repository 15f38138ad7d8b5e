import { closeSync, openSync, readSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import { lookOf } from '../model.ts';
import { besides } from '../names.ts';
import type { PlanItem } from '../plan/plan.ts';
import { compactTime } from '../save/space-layout.ts';
import type { StateStore } from '../state/state.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { databaseOf, hasHeader, SIDE_ENDINGS, SQLITE_HEADER } from '../volume/sqlite-names.ts';
import { isSet, moveSet, moveSides, removeSides, settle, sidesOf } from '../volume/sqlite-set.ts';

export interface SetsContext {
  readonly tree: LocalTree;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What comes to a place on the volume. */
export type Coming = 'database' | 'other' | 'nothing';

/** What the file holds that is about to be moved into place. */
export function comingFile(file: string | Buffer): Coming {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(SQLITE_HEADER.length);
    return comingBytes(bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)));
  } finally {
    closeSync(descriptor);
  }
}

export const comingBytes = (bytes: Buffer): Coming => (hasHeader(bytes) ? 'database' : 'other');

/** A side file of another database, as the space has it, takes its place after the database. */
export const isSideName = (path: string): boolean => databaseOf(path) !== null;

/**
 * A database and its side files are one. Before one of them is replaced or removed, the database is made to stand alone;
 * a set that SQLite cannot read is given another name as a whole. What lies beside a place with the name of a side file,
 * and is none, gets another name before a database comes there.
 * @param isCopy of the source space: it is always right, so what it does not have beside a database goes
 */
export function makeSetWay(context: SetsContext, item: PlanItem, coming: Coming, isCopy: boolean): void {
  const { tree } = context;
  const isFile = item.local?.kind === 'file';
  const main = databaseOf(item.path);
  if (main !== null && !isCopy && item.local === null && tree.look(main)?.kind === 'file') {
    if (tree.look(item.path) !== null) clear(context, main, 'other');
    return;
  }
  if (!isFile && coming !== 'database') return;
  if (isCopy) removeUnknown(context, item.path, isFile);
  else clear(context, item.path, coming);
}

function clear(context: SetsContext, path: string, coming: Coming): void {
  const { tree, clock, log } = context;
  const at = tree.at(path);
  const sides = sidesOf(at);
  if (sides.length === 0) return;
  const kept = () => tree.at(besides(path, `kept ${compactTime(clock.now())}`));
  const isHere = tree.look(path)?.kind === 'file';
  if (isHere && isSet(at, sides)) {
    // SQLite opens by name: not through a link that has taken the place of a folder.
    closeSync(tree.open(path));
    if (!settleSaved(context, path)) {
      log.warn('a database of the volume that SQLite cannot read was kept under another name');
      moveSet(at, kept());
    }
    // Side files that the space has beside it come after it; what is here already was here without it.
  } else if (coming === 'database') moveSides(at, kept());
}

const META = 'settling';

/** As `settle`, of a database whose content is saved: a crash in between, and nobody is to take it for changed. */
function settleSaved({ tree, state }: Pick<SetsContext, 'tree' | 'state'>, path: string): boolean {
  state.durably(() => state.setMeta(META, path));
  const isSettled = settle(tree.at(path));
  const [base, local] = [state.base.get(path), tree.look(path)];
  state.transaction(() => {
    // It holds what it held, in other bytes.
    if (isSettled && base !== null && local !== null) state.base.put({ ...base, ...lookOf(local) });
    state.setMeta(META, null);
  });
  return isSettled;
}

/** Ends what a crash has left of it. The desktop has not been open since. */
export function endSettling(context: Pick<SetsContext, 'tree' | 'state'>): void {
  const { state, tree } = context;
  const path = state.meta(META);
  if (path === null) return;
  try {
    if (tree.look(path)?.kind === 'file') settleSaved(context, path);
  } catch {
    // Then it counts as changed, and both versions are kept.
  }
  forgetSettling(state);
}

export function forgetSettling(state: StateStore): void {
  if (state.meta(META) !== null) state.setMeta(META, null);
}

function removeUnknown(
  { tree, state }: Pick<SetsContext, 'tree' | 'state'>,
  path: string,
  isFile: boolean,
): void {
  const at = tree.at(path);
  if (sidesOf(at).length === 0 || (isFile && !isSet(at, SIDE_ENDINGS))) return;
  const isKnown = (ending: string) =>
    state.base.get(path + ending) !== null || state.remote.get(path + ending) !== null;
  removeSides(at, (ending) => !isKnown(ending));
}
