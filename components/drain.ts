import { setTimeout as sleep } from 'node:timers/promises';
import * as pulumi from '@pulumi/pulumi';
import { type JobsAtEnd, REFUSE_JOBS } from '../sidecar/contract/jobs.ts';
import { type Cluster, connect, type ExecResult } from './cluster.ts';
import { decideDrain, exitMeaning, type InstanceState } from './drain-decision.ts';
import { DRAINED_ANNOTATION } from './manifests/metadata.ts';
import { COMMANDS, CONTAINERS, HOOKS, NAMES } from './names.ts';

/**
 * The final save before a removal, while the pod is fully alive: a hook that throws leaves every object in place.
 * @see https://www.pulumi.com/docs/iac/concepts/options/hooks/
 */

export interface DrainOptions {
  readonly discardUnsavedChanges: boolean;
  /** What is done with jobs that have not ended; absent: it is refused while there are any. */
  readonly jobs?: JobsAtEnd;
  /** Named in commands. */
  readonly stack: string;
  readonly connect?: () => Cluster;
  readonly log?: (line: string) => void;
  /** Waiting for a pod that is on its way, in seconds; a start pulls no image that was not there before. */
  readonly startTimeoutSeconds?: number;
  /** Waiting for a pod whose work is given up, in seconds. */
  readonly endTimeoutSeconds?: number;
  readonly pollSeconds?: number;
}

/** How often a broken connection to the running save is taken up again; a drain that runs already is joined. */
const MAX_RECONNECTS = 10;

/** What can still be saved in this time is saved, also where the user gave it up. */
const DISCARD_GRACE_SECONDS = 30;
/** When a pod with that grace is gone. */
const DISCARD_END_SECONDS = DISCARD_GRACE_SECONDS + 15;

const advice = (stack: string) =>
  [
    'Nothing was removed. What to do: fix the cause (a new token:',
    `pulumi config set --secret scipion:projectToken --stack ${stack}, then pulumi up --stack ${stack}), then remove again.`,
    'To remove it and lose what is not saved:',
    `pulumi config set scipion:discardUnsavedChanges true --stack ${stack}`,
  ].join('\n');

class DrainError extends Error {
  override readonly name = 'DrainError';
  constructor(namespace: string, stack: string, reason: string) {
    super(
      `The work of the instance in namespace ${namespace} could not be saved: ${reason}.\n${advice(stack)}`,
    );
  }
}

async function inspect(cluster: Cluster, namespace: string): Promise<InstanceState> {
  const [statefulSet, pod, claim] = await Promise.all([
    cluster.statefulSet(namespace, NAMES.statefulSet),
    cluster.pod(namespace, NAMES.pod),
    cluster.claim(namespace, NAMES.projectVolume),
  ]);
  const volumeName = claim?.spec?.volumeName;
  return { statefulSet, pod, claim, volume: volumeName ? await cluster.volume(volumeName) : undefined };
}

/** A pod of an older version knows no word of jobs, and has none of its own accord. */
export const jobsArguments = ({ choice, waitSeconds }: JobsAtEnd = REFUSE_JOBS): string[] =>
  choice === 'refuse' ? [] : ['--jobs', choice, '--jobs-wait', String(waitSeconds)];

function runDrain(
  cluster: Cluster,
  namespace: string,
  log: (line: string) => void,
  jobs: JobsAtEnd | undefined,
): Promise<ExecResult> {
  const command = [COMMANDS.sync, 'drain', ...jobsArguments(jobs)];
  return cluster.exec({ namespace, pod: NAMES.pod, container: CONTAINERS.sync, command }, log);
}

function failure(result: { code: number; stderr: string }): string {
  const detail = result.stderr === '' ? '' : ` (${result.stderr.split('\n').slice(-3).join(' ')})`;
  return `\`sync drain\` ended with code ${result.code}, ${exitMeaning(result.code)}${detail}`;
}

/**
 * Returns once everything on the project volume is in the project space and the instance takes no more work, or when
 * there is provably nothing to save.
 * @throws DrainError in every other case.
 */
export async function drain(namespace: string, options: DrainOptions): Promise<void> {
  const log = options.log ?? ((line: string) => void pulumi.log.info(line));
  const cluster = (options.connect ?? connect)();
  if (options.discardUnsavedChanges) {
    log(`Instance ${namespace}: no final save, as scipion:discardUnsavedChanges is true.`);
    await discard(cluster, namespace, log, options);
    return;
  }
  const pollSeconds = options.pollSeconds ?? 5;
  let patience = Math.ceil((options.startTimeoutSeconds ?? 180) / pollSeconds);
  let reconnects = MAX_RECONNECTS;
  for (;;) {
    const decision = decideDrain(await inspect(cluster, namespace));
    if (decision.kind === 'refuse') throw new DrainError(namespace, options.stack, decision.reason);
    if (decision.kind === 'nothing-to-save') {
      log(`Instance ${namespace}: nothing to save, ${decision.reason}.`);
      return;
    }
    if (decision.kind === 'drain') {
      const say = (line: string) => log(`Instance ${namespace}: ${line}`);
      const result = await runDrain(cluster, namespace, say, options.jobs);
      if (result.kind === 'exit' && result.code === 0) break;
      if (result.kind === 'exit') throw new DrainError(namespace, options.stack, failure(result));
      reconnects -= 1;
      if (reconnects < 0)
        throw new DrainError(namespace, options.stack, `no connection to sync, ${result.reason}`);
      log(`Instance ${namespace}: the connection to sync broke (${result.reason}), connecting again.`);
    }
    if (decision.kind === 'start') {
      log(`Instance ${namespace} is paused: starting it, so that it can say what is not saved.`);
      await cluster.scale(namespace, NAMES.statefulSet, 1);
    }
    if (decision.kind === 'wait') {
      patience -= 1;
      if (patience < 0)
        throw new DrainError(namespace, options.stack, `sync does not run, ${decision.reason}`);
    }
    await sleep(pollSeconds * 1000);
  }
  await cluster.annotateClaim(namespace, NAMES.projectVolume, {
    [DRAINED_ANNOTATION]: new Date().toISOString(),
  });
  log(`Instance ${namespace}: everything is saved.`);
}

/**
 * Ends the pod within its short grace. Else it would go on trying to save for all of its own, an hour by default. The pod
 * comes first: a kubelet that has begun to end it with the long grace, as a StatefulSet without replicas asks, does not
 * hear of a shorter one.
 * @see https://github.com/kubernetes/kubernetes/issues/113606
 */
async function discard(
  cluster: Cluster,
  namespace: string,
  log: (line: string) => void,
  { pollSeconds = 2, endTimeoutSeconds = DISCARD_END_SECONDS }: DrainOptions,
): Promise<void> {
  await cluster.endPod(namespace, NAMES.pod, DISCARD_GRACE_SECONDS);
  await cluster.scale(namespace, NAMES.statefulSet, 0);
  const rounds = Math.ceil(endTimeoutSeconds / pollSeconds);
  for (let round = 0; (await cluster.pod(namespace, NAMES.pod)) !== undefined; round += 1) {
    if (round === rounds) {
      // It was ended by somebody before, with the long grace.
      log(`Instance ${namespace}: the pod still saves; its last save is broken off.`);
      const command = ['sh', '-c', 'kill -USR2 1'];
      await cluster.exec({ namespace, pod: NAMES.pod, container: CONTAINERS.sync, command }, () => {});
      return;
    }
    await sleep(pollSeconds * 1000);
  }
}

/** Shape of the inputs that a hook finds in the state of a Kubernetes object. */
interface ObjectInputs {
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

/** The namespace as it is in the state, since the configuration may say another one by now. */
export function namespaceOf(args: pulumi.ResourceHookArgs): string {
  const inputs = (args.oldInputs ?? args.oldOutputs) as ObjectInputs | undefined;
  const isNamespace = args.type === 'kubernetes:core/v1:Namespace';
  const found = isNamespace ? inputs?.metadata?.name : inputs?.metadata?.namespace;
  if (!found)
    throw new Error(`The state of ${args.urn} names no namespace, so what it holds cannot be saved.`);
  return found;
}

/** Registers the hook; call it in every run of the program, also in one that registers no resource. */
export function drainHook(options: DrainOptions): pulumi.ResourceHook {
  return new pulumi.ResourceHook(HOOKS.drain, (args) => drain(namespaceOf(args), options));
}

/**
 * Refuses to delete a volume or namespace under a running instance. A removal deletes the StatefulSet before; only a
 * change that replaces the object, e.g. another namespace for the same stack, comes here with the instance running.
 */
export async function refuseWhileInUse(
  what: string,
  namespace: string,
  stack: string,
  open: () => Cluster = connect,
): Promise<void> {
  const statefulSet = await open().statefulSet(namespace, NAMES.statefulSet);
  if (statefulSet === undefined) return;
  throw new Error(
    `${what} is not replaced, since the instance in namespace ${namespace} still uses it and its work would be lost. ` +
      `Set the changed key back (scipion:namespace?), or remove the instance first: npm run destroy -- --stack ${stack}`,
  );
}

export function inUseHook(stack: string, open: () => Cluster = connect): pulumi.ResourceHook {
  return new pulumi.ResourceHook(HOOKS.refuseWhileInUse, (args) =>
    refuseWhileInUse(`${args.type.split(':').at(-1)} ${args.id}`, namespaceOf(args), stack, open),
  );
}
