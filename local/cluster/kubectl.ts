import { execa } from 'execa';

/** The embedded cluster's API, by the `kubectl` built for it. */
export interface Kubectl {
  readonly program: string;
  readonly kubeconfig: string;
}

/** Runs kubectl with `args` and returns its standard output. @throws Error with what kubectl said. */
export async function kubectl(
  { program, kubeconfig }: Kubectl,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const result = await execa(program, ['--kubeconfig', kubeconfig, ...args], {
    reject: false,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/' },
    extendEnv: false,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  });
  if (result.exitCode === 0) return result.stdout;
  throw new Error(
    `kubectl ${args.slice(0, 3).join(' ')} failed in the embedded cluster: ${result.stderr.trim()}`,
  );
}

/** Creates the objects or changes them to what is given (server-side apply). */
export async function apply(api: Kubectl, objects: readonly object[] | string): Promise<void> {
  const text =
    typeof objects === 'string' ? objects : objects.map((object) => JSON.stringify(object)).join('\n---\n');
  const options = ['--server-side', '--force-conflicts', '--field-manager=scipion-local'];
  await kubectl(api, ['apply', ...options, '--filename', '-'], text);
}
