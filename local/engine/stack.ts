import { join } from 'node:path';
import { type ConfigValue, loadConfig, type ProgramSettings } from './config.ts';
import { Deployment, type Mode } from './deployment.ts';
import { countSteps, type OnEvent, type StepCounts, type StepEvent } from './events.ts';
import { Ledger } from './ledger.ts';
import { takeLock } from './lock.ts';
import { startProgram } from './program.ts';
import type { KubectlSettings } from './providers/kubectl.ts';
import { ProviderRegistry } from './providers/registry.ts';
import { StateFile } from './state.ts';
import type { Properties } from './values.ts';

export interface StackOptions {
  /** Folder of the program's Pulumi.yaml. */
  readonly directory: string;
  readonly stack: string;
  /** Over the stack's file and the defaults of Pulumi.yaml. A key without a colon is the project's own. */
  readonly config?: Readonly<Record<string, ConfigValue>>;
  /** The same for secrets. They reach the program and the cluster, and are encrypted in the state. */
  readonly secretConfig?: Readonly<Record<string, ConfigValue>>;
  /** Whether `Pulumi.<stack>.yaml` is read where it exists. Default true. */
  readonly stackFile?: boolean;
  /** Folder of state, key and lock. Default `.local/engine/<stack>` beside Pulumi.yaml. */
  readonly stateDirectory?: string;
  readonly kubectl?: KubectlSettings;
  /** Added to the environment of the program, e.g. a KUBECONFIG for its hooks. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onEvent?: OnEvent;
  /** Resources at once. Default 8. */
  readonly parallel?: number;
  /** Ends the run: what is under way is finished or can be resumed, nothing new starts. */
  readonly signal?: AbortSignal;
  /** Milliseconds between looks at an object that is not ready. */
  readonly pollMilliseconds?: number;
  /** In previews: what a secret becomes that cannot be decrypted here. Default `error`. */
  readonly undecryptable?: 'error' | 'placeholder';
}

export interface StackResult {
  readonly ok: boolean;
  /** One for each resource, in the order they were decided. Done ones of an update, planned ones of a preview. */
  readonly steps: readonly StepEvent[];
  readonly counts: StepCounts;
  /** Stack outputs; secrets are `Secret`, what a preview cannot know is `UNKNOWN`. */
  readonly outputs: Properties;
  readonly errors: readonly string[];
}

/** Creates and changes what the program says and deletes what it no longer says. Errors are in the result. */
export function up(options: StackOptions): Promise<StackResult> {
  return run(options, 'up', false);
}

/**
 * What `up` would do, told from the last inputs in the state; no cluster is asked, so changes made there by others do not
 * show.
 */
export function preview(options: StackOptions): Promise<StackResult> {
  return run(options, 'up', true);
}

/**
 * Runs the program for its hooks, then deletes everything, dependents first. A `beforeDelete` hook that fails stops
 * the deletion of its resource and of all it depends on.
 */
export function destroy(options: StackOptions): Promise<StackResult> {
  return run(options, 'destroy', false);
}

/** What `destroy` would delete. Runs no hook except those for previews. */
export function previewDestroy(options: StackOptions): Promise<StackResult> {
  return run(options, 'destroy', true);
}

/** Outputs of the last complete `up`; empty before the first. */
export async function outputs(
  options: Pick<StackOptions, 'directory' | 'stack' | 'stateDirectory'>,
): Promise<Properties> {
  const { project } = await settingsOf({ ...options, undecryptable: 'placeholder' }, true);
  const state = await (await StateFile.open(stateDirectory(options))).read(project, options.stack);
  return state.outputs;
}

function stateDirectory(options: Pick<StackOptions, 'directory' | 'stack' | 'stateDirectory'>): string {
  return options.stateDirectory ?? join(options.directory, '.local', 'engine', options.stack);
}

function settingsOf(options: StackOptions, isPreview: boolean): Promise<ProgramSettings> {
  return loadConfig({
    directory: options.directory,
    stack: options.stack,
    config: options.config ?? {},
    secretConfig: options.secretConfig ?? {},
    stackFile: options.stackFile ?? true,
    undecryptable: isPreview ? (options.undecryptable ?? 'error') : 'error',
  });
}

async function run(options: StackOptions, mode: Mode, dryRun: boolean): Promise<StackResult> {
  const settings = await settingsOf(options, dryRun);
  const directory = stateDirectory(options);
  const file = await StateFile.open(directory);
  const unlock = dryRun
    ? async () => undefined
    : await takeLock(directory, `${mode} --stack ${options.stack}`);
  const registry = new ProviderRegistry({
    project: settings.project,
    stack: options.stack,
    kubectl: options.kubectl ?? {},
    config: settings.config,
    ...(options.pollMilliseconds === undefined ? {} : { pollMilliseconds: options.pollMilliseconds }),
  });
  try {
    const state = await file.read(settings.project, options.stack);
    const ledger = new Ledger(state, dryRun ? async () => undefined : (next) => file.write(next));
    const deployment = await deploy(options, settings, { mode, dryRun, ledger, registry });
    const isOk = deployment.isFinished && !deployment.hasFailed;
    if (isOk && mode === 'destroy' && !dryRun) await file.remove();
    return {
      ok: isOk,
      steps: deployment.steps,
      counts: countSteps(deployment.steps),
      outputs: deployment.outputs ?? {},
      errors: deployment.errors,
    };
  } finally {
    await registry.close();
    await unlock();
  }
}

async function deploy(
  options: StackOptions,
  settings: ProgramSettings,
  parts: { mode: Mode; dryRun: boolean; ledger: Ledger; registry: ProviderRegistry },
): Promise<Deployment> {
  const onEvent = options.onEvent ?? (() => undefined);
  const deployment = new Deployment({
    ...parts,
    project: settings.project,
    stack: options.stack,
    onEvent,
    parallel: options.parallel ?? 8,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const exit = await startProgram(deployment, {
    ...settings,
    stack: options.stack,
    dryRun: parts.dryRun,
    onPrint: (line) => {
      // The SDK of a program that is being ended complains of lost connections; the cause has been reported.
      if (!deployment.isEnding) onEvent({ kind: 'print', line });
    },
    // The hooks of the program look for the cluster where kubectl does.
    environment: {
      ...(options.kubectl?.kubeconfig === undefined ? {} : { KUBECONFIG: options.kubectl.kubeconfig }),
      ...options.environment,
    },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  await deployment.settle();
  if (!deployment.isFinished && deployment.errors.length === 0) {
    const ended = exit.signal ?? `code ${exit.code}`;
    deployment.errors.push(
      options.signal?.aborted
        ? 'stopped on request; run the same command again to go on'
        : `the program ended with ${ended} before it had registered everything:\n${exit.errorOutput}`,
    );
  }
  return deployment;
}
