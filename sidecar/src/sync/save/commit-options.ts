import type { FileFailures } from '../file-failures.ts';
import type { StateStore } from '../state/state.ts';
import type { CommitOptions } from './apply-commit.ts';
import type { CommitHeader, Step } from './commit-record.ts';
import { decideAnew } from './decide-anew.ts';
import { FailedSteps, type FailedStepsContext } from './failed-steps.ts';
import type { Lease } from './lease.ts';
import { leaveOut } from './pending-commit.ts';

export interface CommitOptionsContext extends FailedStepsContext {
  readonly state: StateStore;
  readonly lease: Lease;
}

/** How the steps of a decided save are carried out: what fails for one entry alone is left out of the save. */
export function commitOptions(
  context: CommitOptionsContext,
  save: {
    readonly header: CommitHeader;
    readonly steps: () => AsyncIterable<Step>;
    /** Gets what is left out. */
    readonly failures: FileFailures;
  },
): CommitOptions {
  const failed = new FailedSteps(context, save.failures);
  return {
    log: context.log,
    assertMayWrite: () => context.lease.assertFresh(),
    attempt: (step, apply) => failed.attempt(step, apply),
    async settle(header, tail, apply) {
      const left = await failed.settle(header, apply);
      if (left.size === 0) return tail;
      const anew = await decideAnew(context, { ...save, tail }, left, (decided) =>
        leaveOut(context.state, header, decided, left),
      );
      // The save was complete before: this time its entries could not even be looked at.
      return anew?.tail ?? tail;
    },
  };
}
