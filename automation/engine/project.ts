import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailure, runCommand } from './command.ts';
import { type Deployment, deploymentOf, wordsOf } from './deployment.ts';
import type { Environment } from './environment.ts';
import type { Engine } from './find.ts';
import type { Place } from './problems.ts';

/** The stacks of a project where they are: in its own folder and in any backend that Pulumi knows. */

export interface ProjectSettings {
  /** Folder of Pulumi.yaml; the files of the stacks are where that says. */
  readonly directory: string;
  /** On top of the process's own: backend, passphrase, what program and plugins need. */
  readonly environment: Environment;
  /** Key service that encrypts the secrets of new stacks, e.g. `awskms://…`; absent: the passphrase. */
  readonly secretsProvider?: string;
  /** How its user calls the command, for advice: `npm run pulumi --`. */
  readonly cli: string;
}

export interface ListedStack {
  readonly name: string;
  /** ISO 8601; absent: nothing was ever deployed. */
  readonly lastUpdate?: string;
  readonly resourceCount?: number;
}

export interface SetValues {
  /** By full key. An empty text is a value too. */
  readonly plain?: Readonly<Record<string, string>>;
  readonly secret?: Readonly<Record<string, string>>;
  /** Keys that are taken away. */
  readonly remove?: readonly string[];
}

/** Every method throws an `Error` whose message is fit for a person. */
export interface Project {
  list(): Promise<readonly ListedStack[]>;
  /** A stack without any resource. Nothing is selected. */
  create(stack: string): Promise<void>;
  set(stack: string, values: SetValues): Promise<void>;
  /** Secrets in clear: never print the whole of it. Empty before the first `up`. */
  outputs(stack: string): Promise<Readonly<Record<string, unknown>>>;
  deployment(stack: string): Deployment;
  /** Takes the lock away that a killed run has left. Only where none runs. */
  unlock(stack: string): Promise<void>;
  /** Forgets a stack without resources, with its settings. */
  forget(stack: string): Promise<void>;
}

interface StackListing {
  readonly name: string;
  readonly lastUpdate?: string;
  readonly resourceCount?: number;
}

/** Pulumi writes the file of a state in place, so that whoever reads it at this moment meets a part of it. */
const HALF_WRITTEN = /\bEOF\b|unexpected end of JSON input/;
const isHalfWritten = (error: unknown) => {
  const { cause } = error as Error;
  return cause instanceof CommandFailure && HALF_WRITTEN.test(cause.end.stderr);
};
const READ_ATTEMPTS = 5;
const READ_WAIT_MS = 200;

export function openProject(
  engine: Engine,
  { directory, environment, secretsProvider, cli }: ProjectSettings,
): Project {
  const { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile = 'PULUMI_CONFIG_PASSPHRASE_FILE' } = environment;
  const backend = environment.PULUMI_BACKEND_URL ?? process.env.PULUMI_BACKEND_URL ?? 'the Pulumi backend';
  const placeOf = (stack: string): Place => ({
    stack,
    cli,
    passphraseFile,
    stateDirectory: backend.replace(/^file:\/\//, ''),
    engineVersion: engine.version,
  });
  const run = async (args: readonly string[], stack: string, input?: string): Promise<string> => {
    const options = { directory, environment, ...(input === undefined ? {} : { input }) };
    const place = placeOf(stack);
    try {
      return (await runCommand(engine, args, options)).stdout;
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      throw new Error(wordsOf(error, place), { cause: error });
    }
  };
  const read = async <T>(args: readonly string[], stack: string): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return JSON.parse(await run([...args, '--json'], stack)) as T;
      } catch (error) {
        if (attempt === READ_ATTEMPTS || !isHalfWritten(error)) throw error;
        await sleep(READ_WAIT_MS);
      }
    }
  };

  return {
    list: async () => {
      const found = await read<readonly StackListing[]>(['stack', 'ls'], '');
      return found.map(({ name, lastUpdate, resourceCount }) => ({
        name: name.split('/').at(-1) ?? name,
        ...(lastUpdate ? { lastUpdate } : {}),
        ...(resourceCount === undefined ? {} : { resourceCount }),
      }));
    },
    create: async (stack) => {
      const provider = secretsProvider === undefined ? [] : ['--secrets-provider', secretsProvider];
      await run(['stack', 'init', stack, '--no-select', ...provider], stack);
    },
    set: async (stack, { plain = {}, secret = {}, remove = [] }) => {
      const pairs = Object.entries(plain).flatMap(([key, value]) => ['--plaintext', `${key}=${value}`]);
      if (pairs.length > 0) await run(['config', 'set-all', ...pairs, '--stack', stack], stack);
      const keys = remove.length > 0 ? ['config', 'rm-all', ...remove, '--stack', stack] : [];
      if (keys.length > 0) await run(keys, stack);
      for (const [key, value] of Object.entries(secret))
        await run(['config', 'set', key, '--secret', '--stack', stack], stack, value);
    },
    outputs: (stack) =>
      read<Record<string, unknown>>(['stack', 'output', '--show-secrets', '--stack', stack], stack),
    deployment: (stack) =>
      deploymentOf(engine, {
        directory,
        place: placeOf(stack),
        environment: async () => environment,
        prepare: async () => {},
      }),
    unlock: async (stack) => void (await run(['cancel', '--yes', '--stack', stack], stack)),
    forget: async (stack) => void (await run(['stack', 'rm', '--yes', '--stack', stack], stack)),
  };
}
