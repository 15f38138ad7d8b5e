import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ensureEngine, stateEnvironment, withUsersOwn } from '../../automation/engine/index.ts';
import { replaceFile } from '../../automation/tools/replace-file.ts';
import { SettingsError } from '../../sidecar/src/front/settings-error.ts';
import { loadConfig } from './config.ts';
import { consoleLogger } from './logger.ts';
import { serveConsole } from './serve.ts';

/** `npm run console`: the console on the stacks of a project, as `npm run pulumi` has them. */

const ROOT = join(import.meta.dirname, '..', '..');

interface Arguments {
  readonly config: string;
  readonly project: string;
  readonly state: string;
  readonly host: string;
  readonly port: number;
  readonly defaults?: string;
  readonly web?: string;
  readonly engine?: string;
  readonly secretsProvider?: string;
}

async function serve(args: Arguments): Promise<void> {
  const logger = consoleLogger();
  const config = loadConfig(args.config);
  const state = resolve(args.state);
  if (args.defaults !== undefined) {
    await mkdir(resolve(args.project), { recursive: true, mode: 0o700 });
    await replaceFile(join(resolve(args.project), 'Pulumi.yaml'), await readFile(args.defaults, 'utf8'));
  }
  const engine = await ensureEngine(
    (line) => logger.info(line),
    args.engine === undefined ? {} : { cache: resolve(args.engine) },
  );
  const stacks = join(state, 'stacks');
  await serveConsole({
    config,
    engine,
    directory: resolve(args.project),
    environment: withUsersOwn(await stateEnvironment(engine, stacks)),
    records: join(stacks, 'operations'),
    state,
    host: args.host,
    port: args.port,
    logger,
    ...(args.web === undefined ? {} : { web: resolve(args.web) }),
    ...(args.secretsProvider === undefined ? {} : { secretsProvider: args.secretsProvider }),
  });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535.');
}

try {
  await new Command('npm run console --')
    .description('The console: instances in a browser, for whoever signs in.')
    .requiredOption('--config <file>', 'configuration, JSON: docs/console.md')
    .option('--project <folder>', 'folder of Pulumi.yaml', ROOT)
    .option(
      '--state <folder>',
      'audit log, records of operations, and the state of the stacks without a backend',
      '.local',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on', parsePort, 8090)
    .option('--defaults <file>', 'Pulumi.yaml that is put into the folder of --project at each start')
    .option('--web <folder>', 'pages that are built already')
    .option('--engine <folder>', 'where Pulumi and its plugins are or are put; the cache of this repository')
    .option(
      '--secrets-provider <address>',
      'key service for the secrets of new instances, in place of the passphrase',
    )
    .action(serve)
    .parseAsync();
} catch (error) {
  const isExpected = error instanceof SettingsError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(isExpected ? (error as Error).message : error);
  process.exitCode = 1;
}
