import { setTimeout as sleep } from 'node:timers/promises';
import * as pulumi from '@pulumi/pulumi';
import { EXIT_CODES } from '../sidecar/contract/exit-codes.ts';
import type { JobsAtEnd } from '../sidecar/contract/jobs.ts';
import { type Cluster, connect } from './cluster.ts';
import { jobsArguments, namespaceOf } from './drain.ts';
import { exitMeaning, isSyncRunning } from './drain-decision.ts';
import { COMMANDS, CONTAINERS, HOOKS, NAMES } from './names.ts';

/**
 * What a pause does before it ends the pod: jobs go on without the pod, and what they write after its last save would be
 * in no save. The broker ends with the pod, so they are closed while it is alive.
 */

export interface CloseJobsOptions {
  readonly discardUnsavedChanges: boolean;
  readonly jobs: JobsAtEnd;
  readonly connect?: () => Cluster;
  readonly log?: (line: string) => void;
  readonly pollSeconds?: number;
}

/** How often a broken connection is taken up again; jobs that were closed stay closed meanwhile. */
const MAX_RECONNECTS = 10;

/** @throws where jobs have not ended; the instance goes on then */
export async function closeJobs(namespace: string, options: CloseJobsOptions): Promise<void> {
  const { jobs, pollSeconds = 5 } = options;
  const log = options.log ?? ((line: string) => void pulumi.log.info(line));
  const cluster = (options.connect ?? connect)();
  const pod = await cluster.pod(namespace, NAMES.pod);
  if (pod === undefined || !isSyncRunning(pod)) {
    log(
      `Instance ${namespace}: sync does not run, so its jobs cannot be asked for. What they write from now on is saved after the next start.`,
    );
    return;
  }
  const command = [COMMANDS.sync, 'close-jobs', ...jobsArguments(jobs)];
  const where = { namespace, pod: NAMES.pod, container: CONTAINERS.sync, command };
  for (let reconnects = MAX_RECONNECTS; ; reconnects -= 1) {
    const result = await cluster.exec(where, (line) => log(`Instance ${namespace}: ${line}`));
    if (result.kind === 'exit' && result.code === 0) return;
    if (result.kind === 'exit' && result.code === EXIT_CODES.usage) {
      log(
        `Instance ${namespace}: its pod is of an older version, which cannot end jobs. What they write after the pause is saved after the next start.`,
      );
      return;
    }
    if (result.kind === 'exit') {
      const detail = result.stderr === '' ? exitMeaning(result.code) : result.stderr.trim();
      throw new Error(`The instance in namespace ${namespace} is not paused: ${detail}`);
    }
    if (reconnects === 0)
      throw new Error(
        `The instance in namespace ${namespace} is not paused: no connection to sync, ${result.reason}. Try again.`,
      );
    log(`Instance ${namespace}: the connection to sync broke (${result.reason}), connecting again.`);
    await sleep(pollSeconds * 1000);
  }
}

interface Replicas {
  readonly spec?: { readonly replicas?: number };
}

const replicasOf = (inputs: unknown): number => (inputs as Replicas | undefined)?.spec?.replicas ?? 1;

/** Pure; of the inputs of the StatefulSet. */
export const isPause = (before: unknown, after: unknown): boolean =>
  replicasOf(before) > 0 && replicasOf(after) === 0;

/** Does something in an update that pauses, and in no other. */
export function closeJobsHook(options: CloseJobsOptions): pulumi.ResourceHook {
  return new pulumi.ResourceHook(HOOKS.closeJobs, async (args) => {
    if (isPause(args.oldInputs, args.newInputs) && !options.discardUnsavedChanges)
      await closeJobs(namespaceOf(args), options);
  });
}
