import type { Readable } from 'node:stream';
import { execa } from 'execa';

/** A Kubernetes cluster as the command line reaches it. */
export interface Target {
  readonly kubectl: string;
  /** As in KUBECONFIG: one file, or several with `:` between them. */
  readonly kubeconfig: string;
  /** Context in the kubeconfig; its current one where absent. */
  readonly context?: string;
}

export interface KubectlOptions {
  readonly input?: string | Readable;
}

/**
 * Runs kubectl and answers its standard output.
 * @throws Error with what kubectl said.
 */
export async function kubectl(
  target: Target,
  args: readonly string[],
  { input }: KubectlOptions = {},
): Promise<string> {
  const result = await execa(target.kubectl, [...connection(target), ...args], {
    env: { KUBECONFIG: target.kubeconfig },
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
    reject: false,
    stripFinalNewline: false,
  });
  if (result.code === 'ENOENT')
    throw new Error(
      `\`${target.kubectl}\` is not on PATH. Install it: https://kubernetes.io/docs/tasks/tools/#kubectl`,
    );
  if (result.failed) {
    const said = String(result.stderr).trim() || result.shortMessage;
    throw new Error(`kubectl ${args.slice(0, 3).join(' ')} failed: ${said}`);
  }
  return String(result.stdout);
}

/** Runs kubectl with the terminal's own input and output; answers its exit code. */
export async function kubectlInteractive(target: Target, args: readonly string[]): Promise<number> {
  const result = await execa(target.kubectl, [...connection(target), ...args], {
    env: { KUBECONFIG: target.kubeconfig },
    stdio: 'inherit',
    reject: false,
  });
  return result.exitCode ?? 1;
}

/** Creates or changes objects and waits for nothing. */
export async function apply(target: Target, objects: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const args = ['apply', '--server-side', '--field-manager=scipion-local', '--force-conflicts', '-f', '-'];
  await kubectl(target, args, { input: list });
}

function connection({ context }: Target): string[] {
  return context === undefined ? [] : [`--context=${context}`];
}
