import { spawn } from 'node:child_process';
import { EngineError } from '../protocol.ts';

export interface KubectlSettings {
  /** Program to run, default `kubectl` of PATH. */
  readonly path?: string;
  /** Path of the kubeconfig file; default as kubectl finds it. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one kubectl command. Objects go in on standard input only, so that no secret is in an argument. */
export function runKubectl(
  settings: KubectlSettings,
  args: readonly string[],
  input = '',
  signal?: AbortSignal,
): Promise<KubectlResult> {
  const common = [
    ...(settings.kubeconfig === undefined ? [] : [`--kubeconfig=${settings.kubeconfig}`]),
    ...(settings.context === undefined ? [] : [`--context=${settings.context}`]),
  ];
  const path = settings.path ?? 'kubectl';
  const { promise, resolve, reject } = Promise.withResolvers<KubectlResult>();
  const child = spawn(path, [...common, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...settings.environment },
    ...(signal ? { signal } : {}),
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  // A command that ends before it has read everything says why on its standard error.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  child.once('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') {
      reject(
        new EngineError(`"${path}" was not found. Expected: kubectl on PATH, or its path by --kubectl.`, {
          cause,
        }),
      );
    } else reject(cause);
  });
  child.once('close', (code) => resolve({ code: code ?? 1, ...output }));
  return promise;
}
