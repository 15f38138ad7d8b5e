import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { replaceFile } from '../tools/replace-file.ts';
import { runCommand } from './command.ts';
import { type Deployment, deploymentOf, wordsOf } from './deployment.ts';
import { type Environment, engineEnvironment } from './environment.ts';
import type { Engine } from './find.ts';
import type { Place } from './problems.ts';
import { STATE_PACKINGS } from './state-files.ts';

/** A stack whose state is in a folder of this machine. */
export interface StackSettings {
  /** Folder of the program's Pulumi.yaml. */
  readonly program: string;
  readonly stack: string;
  /** Folder of the state, mode 0700: keep it as long as what was deployed lives. */
  readonly stateDirectory: string;
  /** Full keys that are of this stack alone: all else of its configuration is a default for others of that folder. */
  readonly ownKeys?: readonly string[];
  /** Over the stack's file and the program's defaults, by full key. */
  readonly config: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** Added to the environment of engine, plugins and program. */
  readonly environment: Readonly<Record<string, string>>;
  /** How its user calls the command, for advice: `npm run pulumi --`. */
  readonly cli: string;
}

export interface DeployedStack extends Deployment {
  /** Stack outputs by name, secrets in clear: never print the whole of it. Empty before the first `up`. */
  outputs(): Promise<Record<string, unknown>>;
}

const passphraseFile = (stateDirectory: string) => join(stateDirectory, 'passphrase');

/**
 * What the command must be told to find this state. The folder is made where there is none.
 * @returns the environment, to be set on top of the process's own
 */
export async function stateEnvironment(engine: Engine, stateDirectory: string): Promise<Environment> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const file = passphraseFile(stateDirectory);
  // A state whose passphrase was lost must not get a new one.
  if (!existsSync(file) && !existsSync(join(stateDirectory, '.pulumi'))) {
    await writeFile(file, randomBytes(24).toString('base64'), { mode: 0o600, flag: 'wx' });
  }
  // A copy from a backup is often open to all. What is missing or another's is told when it is read.
  await chmod(file, 0o600).catch(() => {});
  return {
    ...engineEnvironment(engine),
    PULUMI_BACKEND_URL: `file://${stateDirectory}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: file,
    PULUMI_CONFIG_PASSPHRASE: undefined, // it would win over the file
  };
}

/**
 * What the user's own environment says of backend and passphrase is left as it is, and where that backend is signed in to.
 * The folder of Pulumi is ours in any case: the plugins are there.
 */
export function withUsersOwn(own: Environment, users: Environment = process.env): Environment {
  const {
    PULUMI_BACKEND_URL: backend,
    PULUMI_CONFIG_PASSPHRASE_FILE: passphrase,
    PULUMI_CONFIG_PASSPHRASE: _,
    ...others
  } = own;
  if (users.PULUMI_BACKEND_URL !== undefined) {
    const signedIn = users.PULUMI_CREDENTIALS_PATH ?? users.PULUMI_HOME;
    return { ...others, ...(signedIn === undefined ? {} : { PULUMI_CREDENTIALS_PATH: signedIn }) };
  }
  const isTheirs =
    users.PULUMI_CONFIG_PASSPHRASE !== undefined || users.PULUMI_CONFIG_PASSPHRASE_FILE !== undefined;
  return {
    ...others,
    PULUMI_BACKEND_URL: backend,
    ...(isTheirs ? {} : { PULUMI_CONFIG_PASSPHRASE_FILE: passphrase }),
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
    const file = join(stateDirectory, '.pulumi', 'stacks', project, `${name}.json`);
    return STATE_PACKINGS.some((end) => existsSync(`${file}${end}`));
  };

  async function prepare(): Promise<void> {
    await environmentOf(); // makes the folder
    const { config: given } = await readStackFile(await stackFileOf(settings));
    const config = { ...given, ...settings.config };
    await writeProject(settings, config);
    if (!(await isThere())) await run(['stack', 'init', name, '--secrets-provider', 'passphrase']);
    await writeConfig(config);
  }

  /** The repository's stack file as it is now, what is set over it, and the secrets that are kept encrypted. */
  async function writeConfig(plain: Readonly<Record<string, unknown>>): Promise<void> {
    const file = join(stateDirectory, `Pulumi.${name}.yaml`);
    const own = await readStackFile(file);
    const secure = Object.entries(own.config ?? {}).filter(([key]) => key in settings.secrets);
    const config = { ...plain, ...Object.fromEntries(secure) };
    await replaceFile(file, stringify({ config, encryptionsalt: own.encryptionsalt }));
    const missing = Object.entries(settings.secrets);
    if (missing.length === 0) return;
    const { stdout } = await run(['config', '--show-secrets', '--json', '--stack', name]);
    const known = JSON.parse(stdout) as Record<string, { value?: string } | undefined>;
    for (const [key, value] of missing) {
      if (known[key]?.value !== value) await run(['config', 'set', key, '--secret', '--stack', name], value);
    }
  }

  return {
    ...deploymentOf(engine, { directory: stateDirectory, place, environment: environmentOf, prepare }),
    outputs: async () => {
      if (!(await isThere())) return {};
      try {
        const { stdout } = await run(['stack', 'output', '--json', '--show-secrets', '--stack', name]);
        return JSON.parse(stdout) as Record<string, unknown>;
      } catch (error) {
        throw new Error(wordsOf(error, place));
      }
    },
  };
}

interface ProjectFile {
  readonly name: string;
  readonly runtime: unknown;
  readonly stackConfigDir?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

const projectOf = async (program: string) =>
  parse(await readFile(join(program, 'Pulumi.yaml'), 'utf8')) as ProjectFile;

/** A project beside the state that runs the program where it is. */
async function writeProject(
  { program, stateDirectory, ownKeys }: StackSettings,
  ofStack: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { name, runtime, config = {} } = await projectOf(program);
  const shared = Object.entries(ofStack).filter(([key]) => ownKeys?.includes(key) === false);
  // An object is a value only where it says so.
  const given = shared.map(([key, value]) => [key, typeof value === 'object' ? { value } : value]);
  const own = { name, runtime, main: program, config: { ...config, ...Object.fromEntries(given) } };
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
  const text = await readFile(path, 'utf8');
  try {
    return (parse(text) ?? {}) as StackFile;
  } catch (error) {
    throw new Error(
      `${path} is no YAML: ${(error as Error).message.split('\n')[0]} Expected: what Pulumi or an editor wrote last. Put it back, or correct that line; its secrets are encrypted in it.`,
    );
  }
}
