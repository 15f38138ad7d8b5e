import type { Logger } from 'pino';
import { parentOf } from '../../spaces/space.ts';
import type { FileFailures } from '../file-failures.ts';
import type { BaseEntry } from '../model.ts';
import type { ChangeWatch } from '../volume/change-watch.ts';
import { type DeletionLimits, massLoss } from './guards.ts';
import { type ListingContext, listSpace } from './listing.ts';

export interface LossContext extends ListingContext {
  readonly log: Logger;
  readonly limits: DeletionLimits;
  readonly changes?: Pick<ChangeWatch, 'requireFullScan'>;
}

/**
 * Before the volume goes: does the space still hold what its head says? Files that others removed one by one stay
 * removed, as at a start. Where all or most are gone, no person meant it, and the volume may have the only copy: they
 * are taken for unsaved.
 * @returns whether there were such files; they are to be looked for again
 */
export async function forgetLostFiles(context: LossContext, failures: FileFailures): Promise<boolean> {
  const { state, log } = context;
  await listSpace(context, failures);
  context.progress.done();
  const isUnknown = state.remote.hasUnlistable()
    ? (path: string) => foldersOf(path).some((each) => state.remote.isUnlistable(each))
    : () => false;
  const isLost = (base: BaseEntry): boolean =>
    base.remote !== null && state.remote.get(base.path) === null && !isUnknown(base.path);
  let lost = 0;
  for (const base of state.base.all()) if (base.kind !== 'directory' && isLost(base)) lost += 1;
  if (lost === 0) return false;
  const known = state.base.count();
  const refusal = massLoss(lost, known, context.limits);
  if (refusal === null) {
    log.warn({ files: lost }, 'files were removed from the project space by others; they stay removed');
    return false;
  }
  for (const base of state.base.all()) if (isLost(base)) state.base.delete(base.path);
  context.changes?.requireFullScan();
  log.error(
    { lost, known },
    'the project space lacks many files; what the volume holds of them is sent again',
  );
  return true;
}

/** The folders that a path lies in. */
export function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let each = parentOf(path); each !== ''; each = parentOf(each)) folders.push(each);
  return folders;
}
