import { isSpaceError } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import type { RemoteFacts } from '../plan/compare.ts';
import { finishInterruptedCommits } from './apply-commit.ts';
import { type CommitOptionsContext, commitOptions } from './commit-options.ts';
import { findRecords } from './find-records.ts';
import { descendsFrom } from './head.ts';
import { completeHead } from './head-copies.ts';
import { leaseDraftPath } from './lease.ts';
import { mendRecords } from './mend-record.ts';
import { applyDecided, decidingSave, forgetDecided } from './pending-commit.ts';
import { LAYOUT } from './space-layout.ts';
import { noteUntold } from './untold.ts';

export interface RecoveryContext extends CommitOptionsContext {
  /** Names this volume in the staging folder; generated once, kept in the state. */
  readonly volumeId: string;
}

/**
 * Brings the space to one complete save: a decided save is finished, an undecided one leaves no trace but uploads that
 * this volume can use again. Then the state of the volume learns which of its saves were completed.
 * The lease is held.
 * What became of saves whose record was not what was written is told by the next start or save.
 */
export async function recover(context: RecoveryContext): Promise<void> {
  const { space, state, lease } = context;
  await lease.assertHeld();
  const links = new Map<string, RemoteFacts>();
  const missing = new Set<string>();
  const found = await findRecords(space, lease.fence);
  const mended = await mendRecords(context, found);
  noteUntold(state, mended);
  const records = mended.length === 0 ? found : await findRecords(space, lease.fence);
  await finishInterruptedCommits(space, records, (header, steps) => {
    // What fails again is named by the next save, which finds it unsaved.
    const failures = new FileFailures(context, 'project', 'save');
    return {
      ...commitOptions(context, { header, steps, failures }),
      onMade: (path, facts) => links.set(path, facts),
      onMissing: (path) => missing.add(path),
    };
  });
  const deciding = decidingSave(state);
  if (deciding !== null) {
    const head = await completeHead(space);
    // The head is moved last, so it alone proves that a save is complete.
    const completed = [deciding, ...(deciding.earlier ?? [])].find(
      ({ saveId }) => head !== null && descendsFrom(head, saveId),
    );
    if (completed !== undefined) await applyDecided(state, links, missing, completed);
    else forgetDecided(state);
  }
  if (missing.size > 0) {
    context.log.error(
      { files: missing.size },
      'uploads of a decided save are gone from the space; they are sent again',
    );
    // Without their hashes the reuse of uploads would trust what is not there.
    state.staged.clear();
  }
  await clearLeftovers(context);
}

const BATCH = 1_000;

/** What runs that are over left behind: nobody else lives, because the lease is held here. */
async function clearLeftovers(context: Pick<RecoveryContext, 'space' | 'lease' | 'volumeId'>): Promise<void> {
  const { space } = context;
  const folders: [string, (name: string) => boolean][] = [
    [LAYOUT.staging, (name) => name !== context.volumeId],
    [LAYOUT.commits, (name) => name.endsWith('.new')],
    [LAYOUT.claims, (name) => `${LAYOUT.claims}/${name}` !== leaseDraftPath(context.lease.session)],
  ];
  for (const [folder, isLeftover] of folders) {
    // However much lies there, memory holds one batch.
    for (let removed = BATCH; removed === BATCH; ) {
      const names: string[] = [];
      try {
        for await (const entry of space.list({ path: folder })) {
          if (isLeftover(entry.name)) names.push(entry.name);
          if (names.length === BATCH) break;
        }
      } catch (error) {
        if (!isSpaceError(error, 'not-found')) throw error;
      }
      removed = names.length;
      for (const name of names) await space.removeTree(`${folder}/${name}`);
    }
  }
}
