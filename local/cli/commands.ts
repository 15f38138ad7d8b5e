import { execa } from 'execa';
import { ensureEngine } from '../../automation/engine/index.ts';
import type { FleetError } from '../../automation/fleet/index.ts';
import type { Report } from '../../automation/tools/progress.ts';
import { EMULATOR } from '../../emulators/onedata/manifests.ts';
import { clusterStatus, destroyCluster, findLeftovers, stopCluster } from '../cluster/index.ts';
import { consolePassword, DEMO_USER } from '../console/files.ts';
import { consoleAddress, stopConsole } from '../console/running.ts';
import { emulatorOf } from './emulator.ts';
import { REMOVING, secretsFor, stackOf } from './instance.ts';
import { CLUSTER_STATE, forgetInstance, NAMESPACE, otherStacks, readInstance } from './machine.ts';
import { type Kept, keptWords, removeOwnState, stacksOfDemo } from './purge.ts';
import { instanceStatus } from './status.ts';
import { runSteps, type Step } from './steps.ts';
import { kubectl, kubectlInteractive, type Target } from './target.ts';
import { runningTarget } from './up.ts';

const POD = 'scipion-0';

/** The commands of `npm run local` but `up`; each prints for a person. */

export async function status(): Promise<void> {
  const cluster = await clusterLine();
  console.log(cluster.line);
  const address = await consoleAddress();
  if (address !== undefined) console.log(`Console    ${address} (user ${DEMO_USER})`);
  if (!cluster.isReachable) return;
  const target = await runningTarget();
  const outputs = await instanceOutputs(target);
  console.log(`Address    ${outputs.url ?? 'no instance; create one with npm run local'}`);
  if (outputs.url) console.log((await instanceStatus(target, NAMESPACE)).join('\n'));
}

async function clusterLine(): Promise<{ line: string; isReachable: boolean }> {
  const record = await readInstance();
  if (record?.context) return { line: `Cluster    context ${record.context}`, isReachable: true };
  const found = await clusterStatus(CLUSTER_STATE);
  if (found.state === 'running') {
    const down = found.down.length === 0 ? '' : `, but down: ${found.down.join(', ')}`;
    return { line: `Cluster    running${down}`, isReachable: true };
  }
  const line =
    found.state === 'died' ? 'Cluster    died; `npm run local` takes it up again' : 'Cluster    not running';
  return { line, isReachable: false };
}

export async function password(of: 'desktop' | 'console'): Promise<void> {
  if (of === 'console') return console.log(await consolePassword());
  const target = await runningTarget();
  console.log(String(await requiredOutput(target, 'desktopPassword')));
}

export async function tokens(): Promise<void> {
  const { sourceToken, projectToken } = await emulatorOf(await runningTarget()).credentials();
  console.log(`Raw data   ${sourceToken}\nYour work  ${projectToken}`);
}

export async function open(): Promise<void> {
  const target = await runningTarget();
  const url = String(await requiredOutput(target, 'url'));
  const { failed } = await execa('xdg-open', [url], { reject: false });
  if (failed) console.log(`Open this address in a browser on this machine: ${url}`);
}

export async function logs(container: string, follow: boolean): Promise<number> {
  const target = await runningTarget();
  const args = ['logs', '--namespace', NAMESPACE, POD, '--container', container, '--tail=200'];
  return kubectlInteractive(target, [...args, ...(follow ? ['--follow'] : [])]);
}

const REMOVE_STEP = {
  id: 'instance',
  title: 'Save the project and remove the instance',
  hint: 'Fix the cause and run it again, or lose what is not saved: add --discard-unsaved-changes',
} as const;

/** Saves and removes the instance; cluster and spaces stay. */
export async function remove(discardUnsavedChanges: boolean): Promise<void> {
  const target = await runningTarget();
  const run = (report: Report) => removeInstance(target, discardUnsavedChanges, report);
  await runSteps([{ ...REMOVE_STEP, run }]);
}

export interface DownOptions {
  /** Removes the cluster with all volumes too, the emulator's data among them, and the states of what was made here. */
  readonly purge: boolean;
  /** Goes on although the last work could not be saved. */
  readonly discardUnsavedChanges: boolean;
}

/** Saves and removes the instance, then stops the cluster; the emulator's spaces stay for the next start. */
export async function down(options: DownOptions): Promise<void> {
  const record = await readInstance();
  const isOwnCluster = Boolean(record?.context);
  const isReachable = isOwnCluster || (await clusterStatus(CLUSTER_STATE)).state === 'running';
  const made = await stacksOfDemo();
  let kept: Kept | undefined;
  const steps: Step[] = [{ id: 'console', title: 'Stop the console', run: stopConsole }];
  if (isReachable) {
    const target = await runningTarget();
    steps.push(...(await otherInstances(options.discardUnsavedChanges)));
    const run = (report: Report) => removeInstance(target, options.discardUnsavedChanges, report);
    steps.push({ ...REMOVE_STEP, run });
    if (isOwnCluster && options.purge) steps.push(removeEmulatorStep(target));
  }
  const removals = steps.map(({ id }) => id);
  const purge = options.purge
    ? async () => {
        kept = await removeOwnState(made);
      }
    : undefined;
  if (!isOwnCluster) steps.push(stopStep(removals, purge));
  await runSteps(steps);
  const words = kept && keptWords(kept);
  if (words !== undefined) console.log(words);
}

/** What the console has made goes with the cluster, so it is saved and removed like the first one. */
async function otherInstances(discardUnsavedChanges: boolean): Promise<Step[]> {
  return (await otherStacks()).map((name) => ({
    id: `instance ${name}`,
    title: `Save the project of ${name} and remove it`,
    after: ['console'],
    hint: REMOVE_STEP.hint,
    run: async (report) => {
      // Half of what a command loads, for the one that needs it.
      const { openPlace } = await import('../instance/place.ts');
      const { fleet } = await openPlace(name, undefined);
      const removal = fleet.remove(name, { discardUnsavedChanges });
      for await (const event of removal) if (event.event === 'said') report(event.text);
      await removal.result.catch((error: FleetError) => {
        // Its file is there, and nothing was ever made of it.
        if (error.code !== 'unknown') throw error;
      });
    },
  }));
}

/** @param purge removes what was made here, once the cluster is gone with its data */
function stopStep(after: readonly string[], purge: (() => Promise<void>) | undefined): Step {
  return {
    id: 'cluster',
    title: purge ? 'Stop the cluster and remove its data' : 'Stop the cluster',
    after,
    run: async (report) => {
      await (purge ? destroyCluster : stopCluster)(CLUSTER_STATE, report);
      await purge?.();
      const left = await findLeftovers(CLUSTER_STATE);
      if (left.length > 0) throw new Error(`Left behind: ${left.join(', ')}`);
    },
  };
}

function removeEmulatorStep(target: Target): Step {
  return {
    id: 'onedata',
    title: 'Remove the Onedata emulator with its spaces',
    after: [REMOVE_STEP.id],
    run: async () => void (await kubectl(target, ['delete', 'namespace', EMULATOR.namespace])),
  };
}

async function removeInstance(target: Target, discard: boolean, report: Report): Promise<void> {
  const record = await readInstance();
  if (!record) return;
  const overrides = discard
    ? { ...record.overrides, 'scipion:discardUnsavedChanges': 'true' }
    : record.overrides;
  const secrets = secretsFor(await emulatorOf(target).credentials());
  const stack = stackOf(await ensureEngine(report), { ...record, overrides }, target, secrets);
  await stack.destroy(report, { environment: REMOVING });
  await forgetInstance();
}

async function instanceOutputs(target: Target): Promise<Record<string, unknown>> {
  const record = await readInstance();
  if (!record) return {};
  return stackOf(await ensureEngine(() => {}), record, target, {}).outputs();
}

async function requiredOutput(target: Target, name: string): Promise<unknown> {
  const value = (await instanceOutputs(target))[name];
  if (value === undefined) throw new Error('There is no instance yet. Create it: npm run local');
  return value;
}
