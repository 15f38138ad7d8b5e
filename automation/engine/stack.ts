import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineEvent, Stack } from '@pulumi/pulumi/automation/index.js';
import { parse, stringify } from 'yaml';
import type { Report } from '../tools/progress.ts';
import { automationCommand, CommandFailure, runCommand } from './command.ts';
import { type Engine, engineEnvironment } from './find.ts';
import { interruptible } from './interrupt.ts';
import { describeFailure, type Place } from './problems.ts';
import { Progress } from './progress.ts';
import type { EngineStep } from './steps.ts';

/** A stack whose state is in a folder of this machine. */
export interface StackSettings {
  /** Folder of the program's Pulumi.yaml. */
  readonly program: string;
  readonly stack: string;
  /** Folder of the state, mode 0700: keep it as long as what was deployed lives. */
  readonly stateDirectory: string;
  /** Over the stack's file and the program's defaults, by full key. */
  readonly config: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Added to the environment of engine, plugins and program. */
  readonly environment: Readonly<Record<string, string>>;
  /** How its user calls the command, for advice: `npm run pulumi --`. */
  readonly cli: string;
}

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
}

/** Every method throws an `Error` whose message is fit for a person; what program or cluster said is part of it. */
export interface DeployedStack {
  up(report: Report): Promise<RunResult>;
  preview(report: Report): Promise<RunResult>;
  /** Takes what is in the cluster into the state. */
  refresh(report: Report): Promise<RunResult>;
  /** Runs the program too, so that its hooks happen before anything is deleted. Idempotent. */
  destroy(report: Report, changes?: RunChanges): Promise<RunResult>;
  /** Stack outputs by name, secrets in clear: never print the whole of it. Empty before the first `up`. */
  outputs(): Promise<Record<string, unknown>>;
}

const passphraseFile = (stateDirectory: string) => join(stateDirectory, 'passphrase');

/**
 * What the command must be told to find this state. The folder is made where there is none.
 * @returns the environment, to be set on top of the process's own
 */
export async function stateEnvironment(
  engine: Engine,
  stateDirectory: string,
): Promise<Record<string, string>> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const file = passphraseFile(stateDirectory);
  // A state whose passphrase was lost must not get a new one.
  if (!existsSync(file) && !existsSync(join(stateDirectory, '.pulumi'))) {
    await writeFile(file, randomBytes(24).toString('base64'), { mode: 0o600, flag: 'wx' });
  }
  return {
    ...engineEnvironment(engine),
    PULUMI_BACKEND_URL: `file://${stateDirectory}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: file,
  };
}

/** A stack, made with its first run. Its file is beside the state: the program's own folder never holds secrets. */
export function openStack(engine: Engine, settings: StackSettings): DeployedStack {
  const { stateDirectory, stack: name, cli } = settings;
  const place: Place = {
    stack: name,
    cli,
    passphraseFile: passphraseFile(stateDirectory),
    stateDirectory,
    engineVersion: engine.version,
  };
  const environmentOf = async () => ({
    ...(await stateEnvironment(engine, stateDirectory)),
    ...settings.environment,
  });
  const run = async (args: readonly string[], input?: string) =>
    runCommand(engine, args, {
      directory: stateDirectory,
      environment: await environmentOf(),
      ...(input === undefined ? {} : { input }),
    });

  const isThere = async () => {
    const { name: project } = await projectOf(settings.program);
    return existsSync(join(stateDirectory, '.pulumi', 'stacks', project, `${name}.json`));
  };

  async function prepare(): Promise<void> {
    await environmentOf(); // makes the folder
    await writeProject(settings);
    if (!(await isThere())) await run(['stack', 'init', name, '--secrets-provider', 'passphrase']);
    await writeConfig();
  }

  /** The repository's stack file as it is now, what is set over it, and the secrets that are kept encrypted. */
  async function writeConfig(): Promise<void> {
    const file = join(stateDirectory, `Pulumi.${name}.yaml`);
    const [own, given] = [await readStackFile(file), await readStackFile(await stackFileOf(settings))];
    const secure = Object.entries(own.config ?? {}).filter(([key]) => key in settings.secrets);
    const config = { ...given.config, ...settings.config, ...Object.fromEntries(secure) };
    await replaceFile(file, stringify({ config, encryptionsalt: own.encryptionsalt }));
    const missing = Object.entries(settings.secrets);
    if (missing.length === 0) return;
    const { stdout } = await run(['config', '--show-secrets', '--json', '--stack', name]);
    const known = JSON.parse(stdout) as Record<string, { value?: string } | undefined>;
    for (const [key, value] of missing) {
      if (known[key]?.value !== value) await run(['config', 'set', key, '--secret', '--stack', name], value);
    }
  }

  function wordsOf(error: unknown, progress?: Progress): string {
    if (!(error instanceof CommandFailure)) return error instanceof Error ? error.message : String(error);
    const { stdout, stderr } = error.end;
    const said = progress && progress.errors.length > 0 ? progress.errors : [stderr || stdout];
    return describeFailure(said, place);
  }

  async function act(
    what: string,
    report: Report,
    work: (
      stack: Stack,
      options: { onEvent: (event: EngineEvent) => void; signal: AbortSignal; color: 'never' },
    ) => Promise<unknown>,
    changes: RunChanges = {},
  ): Promise<RunResult> {
    const progress = new Progress(report);
    // Loaded when something is deployed: it costs a second, and most commands only look.
    const sdk = await import('@pulumi/pulumi/automation/index.js');
    try {
      await prepare();
    } catch (error) {
      throw new Error(wordsOf(error));
    }
    const workspace = await sdk.LocalWorkspace.create({
      workDir: stateDirectory,
      pulumiCommand: await automationCommand(engine),
      envVars: { ...(await environmentOf()), ...changes.environment },
    });
    const { outcome, interrupts } = await interruptible(async (signal) => {
      const stack = await sdk.Stack.select(name, workspace);
      await work(stack, { onEvent: (event) => progress.take(event), signal, color: 'never' });
    }, report);
    if (outcome.status === 'fulfilled') {
      const { counts, warnings, steps } = progress;
      return { changes: Object.fromEntries(counts), warnings, steps };
    }
    const words = wordsOf(outcome.reason, progress);
    if (interrupts === 0) throw new Error(`${what} of stack ${name} failed:\n${words}`);
    throw new Error(interruptedWords(what, progress.underWay(), interrupts === 2));
  }

  function interruptedWords(what: string, left: readonly string[], atOnce: boolean): string {
    if (!atOnce)
      return `${what} of stack ${name} was stopped after what was under way. The same command goes on from there.`;
    const open = left.length === 0 ? '' : ` in the middle of: ${left.join('; ')}`;
    return (
      `${what} of stack ${name} was stopped at once${open}. It may be done or not, and the state is locked. ` +
      `To go on: ${cli} cancel --yes --stack ${name}, then the same command again.`
    );
  }

  return {
    up: (report) => act('up', report, (stack, options) => stack.up(options)),
    preview: (report) => act('preview', report, (stack, options) => stack.preview(options)),
    refresh: (report) => act('refresh', report, (stack, options) => stack.refresh(options)),
    destroy: (report, changes) =>
      act('destroy', report, (stack, options) => stack.destroy({ ...options, runProgram: true }), changes),
    outputs: async () => {
      if (!(await isThere())) return {};
      try {
        const { stdout } = await run(['stack', 'output', '--json', '--show-secrets', '--stack', name]);
        return JSON.parse(stdout) as Record<string, unknown>;
      } catch (error) {
        throw new Error(wordsOf(error));
      }
    },
  };
}

interface ProjectFile {
  readonly name: string;
  readonly runtime: unknown;
  readonly stackConfigDir?: string;
  readonly config?: unknown;
}

const projectOf = async (program: string) =>
  parse(await readFile(join(program, 'Pulumi.yaml'), 'utf8')) as ProjectFile;

/** A project beside the state that runs the program where it is. */
async function writeProject({ program, stateDirectory }: StackSettings): Promise<void> {
  const { name, runtime, config } = await projectOf(program);
  const own = { name, runtime, main: program, ...(config === undefined ? {} : { config }) };
  await replaceFile(join(stateDirectory, 'Pulumi.yaml'), stringify(own));
}

async function stackFileOf({ program, stack }: StackSettings): Promise<string> {
  const { stackConfigDir } = await projectOf(program);
  return join(program, stackConfigDir ?? '.', `Pulumi.${stack}.yaml`);
}

interface StackFile {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly encryptionsalt?: string;
}

async function readStackFile(path: string): Promise<StackFile> {
  if (!existsSync(path)) return {};
  return (parse(await readFile(path, 'utf8')) ?? {}) as StackFile;
}

/** Old or new, never half of it. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
