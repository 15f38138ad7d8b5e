import { randomBytes } from 'node:crypto';
import { access, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import type { Report } from '../progress.ts';
import type { Deployer, Deployment } from './deployer.ts';

/**
 * The stack through the Pulumi CLI on PATH, with a file backend and a passphrase of its own in the state directory.
 * The stack's file in the repository is copied there and completed, so that the work tree never holds secrets.
 */
export function pulumiCli(deployment: Deployment): Deployer {
  const { stateDirectory, stack, programDirectory } = deployment;
  const passphraseFile = join(stateDirectory, 'passphrase');
  const configFile = join(stateDirectory, `Pulumi.${stack}.yaml`);

  const run = (args: readonly string[], input?: string, environment: Readonly<Record<string, string>> = {}) =>
    execa('pulumi', [...args, '--non-interactive', '--color', 'never'], {
      cwd: programDirectory,
      ...(input === undefined ? {} : { input }),
      env: {
        PULUMI_BACKEND_URL: `file://${stateDirectory}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile,
        PULUMI_SKIP_UPDATE_CHECK: 'true',
        KUBECONFIG: deployment.kubeconfig,
        ...environment,
      },
      preferLocal: true,
      localDir: programDirectory,
    });

  const prepare = async () => {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    if (!(await exists(passphraseFile))) {
      await writeFile(passphraseFile, randomBytes(24).toString('base64'), { mode: 0o600 });
    }
    await refreshConfigFile(join(programDirectory, 'stacks', `Pulumi.${stack}.yaml`), configFile);
    await run(['stack', 'select', stack, '--create', '--secrets-provider', 'passphrase']);
    const withFile = ['--stack', stack, '--config-file', configFile];
    const context: Record<string, string> =
      deployment.context === undefined ? {} : { 'kubernetes:context': deployment.context };
    for (const [key, value] of Object.entries({ ...deployment.overrides.plain, ...context })) {
      await run(['config', 'set', key, value, ...withFile]);
    }
    for (const [key, value] of Object.entries(deployment.overrides.secret)) {
      await run(['config', 'set', key, '--secret', ...withFile], value);
    }
  };

  const act = async (
    command: readonly string[],
    report: Report,
    environment: Readonly<Record<string, string>> = {},
  ) => {
    await prepare();
    try {
      const args = [...command, '--stack', stack, '--config-file', configFile];
      const lines = run(args, undefined, environment).iterable();
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
      if (!(await exists(passphraseFile))) return {};
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

/** Takes the repository's stack file as it is now, keeping the key that earlier secrets were encrypted with. */
async function refreshConfigFile(from: string, to: string): Promise<void> {
  if (!(await exists(to))) return copyFile(from, to);
  const fresh = parse(await readFile(from, 'utf8')) as Record<string, unknown>;
  const kept = parse(await readFile(to, 'utf8')) as Record<string, unknown>;
  await writeFile(to, stringify({ ...fresh, encryptionsalt: kept.encryptionsalt }), { mode: 0o600 });
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
