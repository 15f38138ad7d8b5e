import { createRequire } from 'node:module';
import type { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { execa } from 'execa';
import type { Environment } from './environment.ts';
import type { Engine } from './find.ts';

/** What a run of the command said and how it ended. */
export interface CommandEnd {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A run of the command that failed. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly end: CommandEnd;
  constructor(args: readonly string[], end: CommandEnd) {
    super(
      `pulumi ${args.slice(0, 2).join(' ')} ended with code ${end.exitCode}:\n${(end.stderr || end.stdout).trim()}`,
    );
    this.end = end;
  }
}

export interface RunOptions {
  readonly directory: string;
  readonly environment: Environment;
  /** Given on standard input: the place for secrets, since arguments are public. */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  /** Is told the process that was started. */
  readonly onProcess?: ((pid: number) => void) | undefined;
}

/**
 * Runs the command in a process group of its own: a terminal sends Ctrl-C to everything in front of it, and the engine
 * takes a second interrupt as the order to drop what it is doing. So it gets none but those that are meant for it: one
 * for each `abort` event of the signal.
 *
 * @throws CommandFailure
 */
export async function runCommand(
  engine: Engine,
  args: readonly string[],
  options: RunOptions,
): Promise<CommandEnd> {
  const child = execa(engine.command, [...args, '--non-interactive'], {
    cwd: options.directory,
    env: options.environment,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    detached: true,
    cleanup: false,
    reject: false,
    maxBuffer: 2 ** 28,
  });
  if (child.pid !== undefined) options.onProcess?.(child.pid);
  const interrupt = () => void child.kill('SIGINT');
  options.signal?.addEventListener('abort', interrupt);
  try {
    const { stdout, stderr, exitCode, shortMessage } = await child;
    const end = { stdout: String(stdout), stderr: String(stderr), exitCode: exitCode ?? -1 };
    if (end.exitCode === 0) return end;
    throw new CommandFailure(
      args,
      end.stderr === '' && end.stdout === '' ? { ...end, stderr: shortMessage ?? '' } : end,
    );
  } finally {
    options.signal?.removeEventListener('abort', interrupt);
  }
}

const require = createRequire(import.meta.url);
interface Semver {
  readonly parse: (version: string) => PulumiCommand['version'];
}

/**
 * The command as the SDK's Automation API calls it, with `runCommand` under it. `run` is not part of the SDK's types;
 * `test/engine` notices when it is called in another way. Nothing is selected: every command names its stack, and the
 * file that remembers a selection is one for all who work at a time. The SDK's own way to one (`PulumiCommand.get`) asks
 * for the version again, and that run writes into the user's `~/.pulumi`.
 */
export async function automationCommand(
  engine: Engine,
  onProcess?: (pid: number) => void,
): Promise<PulumiCommand> {
  const sdk = await import('@pulumi/pulumi/automation/index.js');
  // The SDK compares versions as its own library reads them.
  const { parse } = createRequire(require.resolve('@pulumi/pulumi/package.json'))('semver') as Semver;
  const command = Object.create(sdk.PulumiCommand.prototype) as PulumiCommand;
  const run = async (
    args: readonly string[],
    directory: string,
    environment: Environment,
    _onOutput?: unknown,
    _onError?: unknown,
    signal?: AbortSignal,
  ) => {
    if (args[0] === 'stack' && args[1] === 'select') return { stdout: '', stderr: '', code: 0 };
    const options = { directory, environment, signal, onProcess };
    const { exitCode, ...said } = await runCommand(engine, args, options);
    return { ...said, code: exitCode };
  };
  return Object.assign(command, { command: engine.command, version: parse(engine.version), run });
}
