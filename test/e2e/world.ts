import { join } from 'node:path';
import { execa } from 'execa';
import { EMULATOR } from '../../emulators/onedata/manifests.ts';
import { emulatorOf } from '../../local/cli/emulator.ts';
import { CLUSTER_STATE, ROOT, STACK, STATE } from '../../local/cli/machine.ts';
import { type Platform, platformSteps, targetOf } from '../../local/cli/platform.ts';
import { runSteps } from '../../local/cli/steps.ts';
import { kubectl, type Target } from '../../local/cli/target.ts';
import { INSTANCE_HOST } from '../../local/cli/up.ts';
import { attachCluster, type Cluster } from '../../local/cluster/index.ts';
import { DEFAULT_VERSION } from '../../stacks/versions.ts';

/** The running system as the end-to-end tests see it: the command line a user types, and the cluster behind it. */

export const NAMESPACE = 'demo';
export const POD = 'scipion-0';
/** Pictures and logs of the run; ignored by git. */
export const ARTIFACTS = join(ROOT, 'test', 'e2e', 'artifacts');

/** Cluster, images and emulator, without an instance. */
export async function bringUpPlatform(): Promise<void> {
  const platform: Platform = {};
  await runSteps(platformSteps(platform, { versions: [DEFAULT_VERSION], hostNames: [INSTANCE_HOST] }));
}

export async function cluster(): Promise<Cluster> {
  const found = await attachCluster(CLUSTER_STATE);
  if (!found) throw new Error(`No cluster runs in ${CLUSTER_STATE}.`);
  return found;
}

export async function target(): Promise<Target> {
  return targetOf(await cluster());
}

export async function emulator() {
  return emulatorOf(await target());
}

/** Takes Onedata away (0), or brings it back and waits for it (1). */
export async function scaleOnedata(replicas: 0 | 1): Promise<void> {
  const deployment = ['deployment', EMULATOR.name, '--namespace', EMULATOR.namespace];
  await kubectl(await target(), ['scale', ...deployment, `--replicas=${replicas}`]);
  if (replicas === 0) return;
  await kubectl(await target(), ['rollout', 'status', ...deployment, '--timeout=120s']);
}

export interface CommandResult {
  readonly exitCode: number | undefined;
  readonly output: string;
}

export interface NpmOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Each `abort` event is a Ctrl-C: everything in front of the terminal gets it. */
  readonly interrupt?: AbortSignal | undefined;
  /** Standard input; absent: none. */
  readonly input?: string | undefined;
}

/** `npm run SCRIPT -- ARGS`, as a user types it; standard output and error together. */
export async function npm(
  script: string,
  args: readonly string[],
  { environment = {}, interrupt, input }: NpmOptions = {},
): Promise<CommandResult> {
  const child = execa('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    env: { SCIPION_LOCAL_STATE: STATE, ...environment },
    all: true,
    reject: false,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
    ...(interrupt === undefined ? {} : { detached: true, cleanup: false }),
  });
  interrupt?.addEventListener('abort', () => void process.kill(-(child.pid ?? 0), 'SIGINT'));
  const result = await child;
  return { exitCode: result.exitCode, output: String(result.all) };
}

export const local = (
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  interrupt?: AbortSignal,
): Promise<CommandResult> => npm('local', args, { environment, interrupt });

/** Pulumi on the stack of the instance. */
export const pulumi = (args: readonly string[], input?: string): Promise<CommandResult> =>
  npm('pulumi', [...args, '--stack', STACK], { input });

export async function kube(args: readonly string[], input?: string): Promise<string> {
  return kubectl(await target(), ['--namespace', NAMESPACE, ...args], input === undefined ? {} : { input });
}

/** Runs a command in a container of the instance; rejects when it fails. */
export function inContainer(container: string, command: readonly string[], input?: string): Promise<string> {
  const stdin = input === undefined ? [] : ['--stdin'];
  return kube(['exec', POD, '--container', container, ...stdin, '--', ...command], input);
}

/** Asks again until the answer is not undefined. */
export async function eventually<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | undefined>,
  everyMs = 1000,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not seen within ${seconds} s.${last ? ` Last error: ${String(last)}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export async function kubeNamespaces(): Promise<string[]> {
  const names = await kubectl(await target(), ['get', 'namespaces', '--output', 'name']);
  return names.replaceAll('namespace/', '').split('\n');
}
