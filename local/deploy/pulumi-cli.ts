import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import type { Report } from '../progress.ts';
import type { Deployer, Deployment } from './deployer.ts';

interface RunOptions {
  readonly directory?: string;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * The stack through the Pulumi CLI on PATH, with a file backend and a passphrase of its own in the state directory.
 * The stack's file in the repository is copied there and completed, so that the work tree never holds secrets.
 */
export function pulumiCli(deployment: Deployment): Deployer {
  const { stateDirectory, stack, programDirectory } = deployment;
  const passphraseFile = join(stateDirectory, 'passphrase');
  const configFile = join(stateDirectory, `Pulumi.${stack}.yaml`);

  const run = (args: readonly string[], options: RunOptions = {}) =>
    execa('pulumi', [...args, '--non-interactive', '--color', 'never'], {
      cwd: options.directory ?? programDirectory,
      ...(options.input === undefined ? {} : { input: options.input }),
      env: {
        PULUMI_BACKEND_URL: `file://${stateDirectory}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile,
        PULUMI_SKIP_UPDATE_CHECK: 'true',
        KUBECONFIG: deployment.kubeconfig,
        ...options.environment,
      },
      preferLocal: true,
      localDir: programDirectory,
    });

  /**
   * `stack init` writes its salt into the stack's file beside Pulumi.yaml: a Pulumi.yaml in the state directory makes
   * that the file we mean.
   */
  const createStack = async () => {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    if (await exists(configFile)) return;
    await writeFile(passphraseFile, randomBytes(24).toString('base64'), { mode: 0o600 });
    const project = parse(await readFile(join(programDirectory, 'Pulumi.yaml'), 'utf8')) as { name: string };
    const standIn = stringify({ name: project.name, runtime: 'nodejs' });
    await writeFile(join(stateDirectory, 'Pulumi.yaml'), standIn);
    const init = ['stack', 'init', stack, '--secrets-provider', 'passphrase'];
    await run(init, { directory: stateDirectory });
  };

  /** The repository's stack file as it is now, the overrides, and the key that the secrets are encrypted with. */
  const writeConfig = async () => {
    const repository = await readConfig(join(programDirectory, 'stacks', `Pulumi.${stack}.yaml`));
    const { encryptionsalt } = await readConfig(configFile);
    const context = deployment.context === undefined ? {} : { 'kubernetes:context': deployment.context };
    const config = { ...repository.config, ...deployment.overrides.plain, ...context };
    await writeFile(configFile, stringify({ config, encryptionsalt }), { mode: 0o600 });
    for (const [key, value] of Object.entries(deployment.overrides.secret)) {
      const set = ['config', 'set', key, '--secret', '--stack', stack, '--config-file', configFile];
      await run(set, { input: value });
    }
  };

  const act = async (
    command: readonly string[],
    report: Report,
    environment: Readonly<Record<string, string>> = {},
  ) => {
    try {
      await createStack();
      await writeConfig();
      const args = [...command, '--stack', stack, '--config-file', configFile];
      const lines = run(args, { environment }).iterable();
      for await (const line of lines) {
        const text = String(line).trim();
        if (text !== '') report(text);
      }
    } catch (error) {
      throw new Error(`pulumi ${command[0]} failed for stack ${stack}:\n${outputOf(error)}`, {
        cause: error,
      });
    }
  };

  return {
    name: 'pulumi',
    up: (report) => act(['up', '--yes', '--skip-preview'], report),
    preview: (report) => act(['preview', '--diff'], report),
    destroy: (report) =>
      act(['destroy', '--yes', '--skip-preview', '--run-program'], report, deployment.removalEnvironment),
    outputs: async () => {
      if (!(await exists(configFile))) return {};
      const { stdout } = await run(['stack', 'output', '--json', '--show-secrets', '--stack', stack]);
      return JSON.parse(stdout) as Record<string, unknown>;
    },
  };
}

/** Whether a Pulumi CLI answers on PATH. */
export async function hasPulumiCli(): Promise<boolean> {
  const { failed } = await execa('pulumi', ['version'], { reject: false });
  return !failed;
}

interface StackFile {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly encryptionsalt?: string;
}

async function readConfig(path: string): Promise<StackFile> {
  return parse(await readFile(path, 'utf8')) as StackFile;
}

/** What the CLI printed, which already says what failed; the command line itself holds nothing for the user. */
function outputOf(error: unknown): string {
  const { stdout, stderr } = error as { stdout?: string; stderr?: string };
  return [stdout, stderr].filter((part) => part).join('\n') || String(error);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
