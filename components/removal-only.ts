import * as pulumi from '@pulumi/pulumi';
import * as random from '@pulumi/random';
import type { RemovalConfig } from '../stacks/load.ts';
import { drainHook, inUseHook } from './drain.ts';

/**
 * A run that can only remove: the configuration is wrong, and a removal needs none. It registers the hooks that the
 * state names, and no object of the instance. Under `pulumi up` that would mean to delete them all, so one resource
 * refuses to be created; a removal creates nothing and never asks it.
 */
export function registerRemovalOnly({ stack, discardUnsavedChanges, problems }: RemovalConfig): void {
  drainHook({ stack, discardUnsavedChanges });
  inUseHook(stack);
  pulumi.log.warn(
    `The configuration has problems, which do not matter for a removal:\n${problems.join('\n')}`,
  );
  const refuse = new pulumi.ResourceHook(
    'removal-only',
    () => {
      throw new Error(
        'SCIPION_REMOVING is set and the configuration has problems: this run can only remove.',
      );
    },
    { onDryRun: true },
  );
  new random.RandomId('removal-only', { byteLength: 1 }, { hooks: { beforeCreate: [refuse] } });
}
