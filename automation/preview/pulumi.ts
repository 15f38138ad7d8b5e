import { execa } from 'execa';
import type { EnginePreview } from '../meaning/changes.ts';
import { EngineError } from '../recording/protocol.ts';

/** Pulumi itself, as a job runs it on the stacks of a repository, with the backend and the cluster of its environment. */
export interface Pulumi {
  /** With the resources that stay as they are. @throws EngineError with what the program or the cluster refuses */
  preview(stack: string, signal?: AbortSignal): Promise<EnginePreview>;
  /** Each `abort` event of the signal is an interrupt: the first ends it in order, a second at once. */
  up(stack: string, signal?: AbortSignal): Promise<void>;
  /** What in the cluster is not as the state says; undefined where nothing is. Writes no state. */
  drift(stack: string): Promise<string | undefined>;
  /** Names of the stacks that the backend has, of this project. */
  stacks(): Promise<readonly BackendStack[]>;
}

export interface BackendStack {
  readonly name: string;
  /** false: certainly nothing is deployed. */
  readonly hasResources: boolean;
}

export interface PulumiSettings {
  /** Default: `pulumi` on PATH. */
  readonly command?: string;
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Lines that are shown of a command that failed. */
const LAST_LINES = 30;
/** What `--expect-no-changes` says besides its exit code, and nothing else does. */
const CHANGES_FOUND = /no changes were expected|changes (were|are) (found|proposed)/i;

const LOCKED = /stack is currently locked by/;
const unlock = (stack: string) =>
  `Another run works on it, or one that was killed left its lock. Where none does: pulumi cancel --yes --stack ${stack}`;

export function pulumiIn({ command = 'pulumi', directory, environment = {} }: PulumiSettings): Pulumi {
  /** In a process group of its own, so that it gets no interrupt but those that are meant for it: it takes a second for the order to drop everything. */
  const run = async (args: readonly string[], stack?: string, signal?: AbortSignal) => {
    const common = [...(stack === undefined ? [] : ['--stack', stack]), '--non-interactive'];
    const child = execa(command, [...args, ...common, '--color', 'never'], {
      cwd: directory,
      env: { ...environment, PULUMI_SKIP_UPDATE_CHECK: 'true' },
      stdin: 'ignore',
      all: true,
      reject: false,
      detached: true,
      cleanup: false,
    });
    const interrupt = () => void child.kill('SIGINT');
    signal?.addEventListener('abort', interrupt);
    const result = await child;
    signal?.removeEventListener('abort', interrupt);
    if (result.code !== undefined)
      throw new EngineError(
        `${command} cannot be run: found ${result.code}. Expected: Pulumi on PATH (https://www.pulumi.com/docs/install/).`,
        { cause: result },
      );
    return {
      exitCode: result.exitCode,
      output: String(result.all),
      stdout: String(result.stdout),
      cause: result,
    };
  };
  const failure = (what: string, stack: string, output: string, cause: unknown) => {
    const lines = output.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
    const advice = LOCKED.test(output) ? `\n${unlock(stack)}` : '';
    return new EngineError(`${what} of ${stack} failed:\n${lines}${advice}`, { cause });
  };
  return {
    preview: async (stack, signal) => {
      const { exitCode, output, stdout, cause } = await run(
        ['preview', '--json', '--show-sames'],
        stack,
        signal,
      );
      if (exitCode !== 0) throw failure('the preview', stack, diagnosticsOf(stdout) ?? output, cause);
      return JSON.parse(stdout) as EnginePreview;
    },
    up: async (stack, signal) => {
      const args = ['up', '--yes', '--skip-preview', '--suppress-outputs', '--suppress-progress'];
      const { exitCode, output, cause } = await run(args, stack, signal);
      if (exitCode !== 0) throw failure('the up', stack, output, cause);
    },
    drift: async (stack) => {
      const args = ['refresh', '--preview-only', '--diff', '--expect-no-changes', '--suppress-progress'];
      const { exitCode, output, cause } = await run(args, stack);
      if (exitCode === 0) return undefined;
      if (CHANGES_FOUND.test(output)) return output;
      throw failure('the refresh', stack, output, cause);
    },
    stacks: async () => {
      const { exitCode, output, stdout, cause } = await run(['stack', 'ls', '--json']);
      if (exitCode !== 0) throw new EngineError(`the list of stacks failed:\n${output.trimEnd()}`, { cause });
      const found = JSON.parse(stdout) as { readonly name: string; readonly resourceCount?: number }[];
      // With its organisation before it where that is not the user's own.
      return found.map(({ name, resourceCount }) => ({
        name: name.split('/').at(-1) ?? name,
        hasResources: resourceCount !== 0,
      }));
    },
  };
}

/** The errors of `preview --json`; its other lines say nothing of why. */
function diagnosticsOf(stdout: string): string | undefined {
  try {
    const { diagnostics = [] } = JSON.parse(stdout) as {
      diagnostics?: readonly { readonly severity: string; readonly message: string }[];
    };
    const errors = diagnostics
      .filter(({ severity }) => severity === 'error')
      .map(({ message }) => message.trim());
    return errors.length > 0 ? errors.join('\n') : undefined;
  } catch {
    return undefined;
  }
}
