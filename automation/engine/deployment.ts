import type { EngineEvent, Stack } from '@pulumi/pulumi/automation/index.js';
import { interruptible } from '../tools/interrupt.ts';
import type { Report } from '../tools/progress.ts';
import { automationCommand, CommandFailure } from './command.ts';
import type { Environment } from './environment.ts';
import type { Engine } from './find.ts';
import { describeFailure, type Place } from './problems.ts';
import { Progress, type Step } from './progress.ts';
import type { EngineStep } from './steps.ts';

/** Runs of the engine on one stack, wherever its files and its state are. */

export interface RunResult {
  /** Resources by what happens to them, unchanged ones left out, e.g. `{ create: 3 }`. */
  readonly changes: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  /** Of every resource, unchanged ones too, in the engine's order. */
  readonly steps: readonly EngineStep[];
}

export interface RunChanges {
  /** Added to the environment of this run. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Is told what happens to each resource. */
  readonly onStep?: (step: Step) => void;
  /** Is told the process of the engine once it runs; it goes on where this one is killed. */
  readonly onProcess?: (pid: number) => void;
}

/** Every method throws an `Error` whose message is fit for a person; what program or cluster said is part of it. */
export interface Deployment {
  up(report: Report, changes?: RunChanges): Promise<RunResult>;
  preview(report: Report, changes?: RunChanges): Promise<RunResult>;
  /** Takes what is in the cluster into the state. */
  refresh(report: Report, changes?: RunChanges): Promise<RunResult>;
  /** Runs the program too, so that its hooks happen before anything is deleted. Idempotent. */
  destroy(report: Report, changes?: RunChanges): Promise<RunResult>;
}

export interface DeploymentSettings {
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
  readonly place: Place;
  /** Of engine, plugins and program, on top of the process's own. */
  environment(): Promise<Environment>;
  /** Whatever must be there before a run. */
  prepare(): Promise<void>;
}

/** What a failed run or command says. */
export function wordsOf(error: unknown, place: Place, progress?: Progress): string {
  if (!(error instanceof CommandFailure)) return error instanceof Error ? error.message : String(error);
  const { stdout, stderr } = error.end;
  const said = progress && progress.errors.length > 0 ? progress.errors : [stderr || stdout];
  return describeFailure(said, place);
}

export function deploymentOf(engine: Engine, settings: DeploymentSettings): Deployment {
  const { place } = settings;
  const { stack: name, cli } = place;

  async function act(
    what: string,
    report: Report,
    work: (
      stack: Stack,
      options: { onEvent: (event: EngineEvent) => void; signal: AbortSignal; color: 'never' },
    ) => Promise<unknown>,
    { environment = {}, onStep, onProcess }: RunChanges = {},
  ): Promise<RunResult> {
    const progress = new Progress(report, onStep);
    // Loaded when something is deployed: it costs a second, and most commands only look.
    const sdk = await import('@pulumi/pulumi/automation/index.js');
    try {
      await settings.prepare();
    } catch (error) {
      throw new Error(wordsOf(error, place));
    }
    const workspace = await sdk.LocalWorkspace.create({
      workDir: settings.directory,
      pulumiCommand: await automationCommand(engine, onProcess),
      // The SDK hands them on as they are, to `runCommand`.
      envVars: { ...(await settings.environment()), ...environment } as Record<string, string>,
    });
    const { outcome, interrupts } = await interruptible(async (signal) => {
      const stack = await sdk.Stack.select(name, workspace);
      await work(stack, { onEvent: (event) => progress.take(event), signal, color: 'never' });
    }, report);
    if (outcome.status === 'fulfilled') {
      const { counts, warnings, steps } = progress;
      return { changes: Object.fromEntries(counts), warnings, steps };
    }
    const words = wordsOf(outcome.reason, place, progress);
    if (interrupts === 0) throw new Error(`${what} of stack ${name} failed:\n${words}`);
    throw new InterruptedError(interruptedWords(what, progress.underWay(), interrupts === 2));
  }

  function interruptedWords(what: string, left: readonly string[], atOnce: boolean): string {
    if (!atOnce)
      return `${what} of stack ${name} was stopped after what was under way. The same command continues from there.`;
    const open = left.length === 0 ? '' : ` in the middle of: ${left.join('; ')}`;
    return (
      `${what} of stack ${name} was stopped at once${open}. It may be done or not, and the state is locked. ` +
      `To continue: ${cli} cancel --yes --stack ${name}, then the same command again.`
    );
  }

  return {
    up: (report, changes) => act('up', report, (stack, options) => stack.up(options), changes),
    preview: (report, changes) => act('preview', report, (stack, options) => stack.preview(options), changes),
    refresh: (report, changes) => act('refresh', report, (stack, options) => stack.refresh(options), changes),
    destroy: (report, changes) =>
      act('destroy', report, (stack, options) => stack.destroy({ ...options, runProgram: true }), changes),
  };
}

/** A run that its user stopped. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}
