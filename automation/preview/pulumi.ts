import { execa } from 'execa';
import type { EnginePreview } from '../meaning/changes.ts';
import { EngineError } from '../recording/protocol.ts';

/** Pulumi itself, as a job runs it on the stacks of a repository, with the backend and the cluster of its environment. */
export interface Pulumi {
  /** @throws EngineError with what the program or the cluster refuses */
  preview(stack: string): Promise<EnginePreview>;
  up(stack: string): Promise<void>;
  /** What in the cluster is not as the state says; undefined where nothing is. Writes no state. */
  drift(stack: string): Promise<string | undefined>;
}

export interface PulumiSettings {
  /** Default: `pulumi` on PATH. */
  readonly command?: string;
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Lines that are shown of a command that failed. */
const LAST_LINES = 30;
/** What `--expect-no-changes` says besides its exit code, and nothing else does. */
const CHANGES_FOUND = /no changes were expected|changes (were|are) (found|proposed)/i;

export function pulumiIn({ command = 'pulumi', directory, environment = {} }: PulumiSettings): Pulumi {
  const run = async (args: readonly string[], stack: string) => {
    const common = ['--stack', stack, '--non-interactive', '--color', 'never'];
    const result = await execa(command, [...args, ...common], {
      cwd: directory,
      env: { ...environment, PULUMI_SKIP_UPDATE_CHECK: 'true' },
      stdin: 'ignore',
      all: true,
      reject: false,
    });
    return {
      exitCode: result.exitCode,
      output: String(result.all),
      stdout: String(result.stdout),
      cause: result,
    };
  };
  const failure = (what: string, stack: string, output: string, cause: unknown) => {
    const lines = output.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
    return new EngineError(`${what} of ${stack} failed:\n${lines}`, { cause });
  };
  return {
    preview: async (stack) => {
      const { exitCode, output, stdout, cause } = await run(['preview', '--json'], stack);
      if (exitCode !== 0) throw failure('the preview', stack, diagnosticsOf(stdout) ?? output, cause);
      return JSON.parse(stdout) as EnginePreview;
    },
    up: async (stack) => {
      const args = ['up', '--yes', '--skip-preview', '--suppress-outputs', '--suppress-progress'];
      const { exitCode, output, cause } = await run(args, stack);
      if (exitCode !== 0) throw failure('the up', stack, output, cause);
    },
    drift: async (stack) => {
      const args = ['refresh', '--preview-only', '--diff', '--expect-no-changes', '--suppress-progress'];
      const { exitCode, output, cause } = await run(args, stack);
      if (exitCode === 0) return undefined;
      if (CHANGES_FOUND.test(output)) return output;
      throw failure('the refresh', stack, output, cause);
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
