import type { FileFailures } from '../file-failures.ts';
import type { CommitOptions } from './apply-commit.ts';
import type { CommitHeader, Step } from './commit-record.ts';
import { decideAnew } from './decide-anew.ts';
import { FailedSteps } from './failed-steps.ts';
import { leaveOut } from './pending-commit.ts';
import type { ProjectContext } from './project-context.ts';

/** How the steps of a decided save are carried out: what fails for one entry alone is left out of the save. */
export function commitOptions(
  context: ProjectContext,
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
        leaveOut(context, header, decided, left),
      );
      // The save was complete before: this time its entries could not even be looked at.
      return anew?.tail ?? tail;
    },
  };
}
