import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { ensureEngine, openProject, stateEnvironment, withUsersOwn } from '../../automation/engine/index.ts';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { openInstanceCluster } from '../../components/cluster-client.ts';
import { SettingsError } from '../../sidecar/src/front/settings-error.ts';
import { buildConsoleWeb } from '../web/build.ts';
import { loadConfig } from './config.ts';
import { createConsole } from './console.ts';

/** `npm run console`: the console on the stacks of a project, as `npm run pulumi` has them. */

const ROOT = join(import.meta.dirname, '..', '..');
/** Operations that are under way go on with their engine; the next console finds them. */
const CLOSE_WITHIN_MS = 3_000;

interface Arguments {
  readonly config: string;
  readonly project: string;
  readonly state: string;
  readonly host: string;
  readonly port: number;
}

async function serve(args: Arguments): Promise<void> {
  const logger = pino({
    base: { component: 'console' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  const config = loadConfig(args.config);
  const state = resolve(args.state);
  const directory = resolve(args.project);
  const webDirectory = join(state, 'web');
  await buildConsoleWeb(webDirectory);
  const engine = await ensureEngine((line) => logger.info(line));
  const environment = withUsersOwn(await stateEnvironment(engine, join(state, 'stacks')));
  const fleet = new Fleet({
    project: openProject(engine, { directory, environment, cli: 'npm run pulumi --' }),
    directory,
    records: new OperationRecords(join(state, 'stacks', 'operations')),
    openCluster: (address) => openInstanceCluster(address),
    atOnce: config.atOnce,
  });
  const console = await createConsole({ config, fleet, webDirectory, stateDirectory: state, logger });
  await console.listen({ host: args.host, port: args.port });
  logger.info({ origin: config.publicOrigin }, 'the console answers');
  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (isClosing) return;
      isClosing = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => process.exit(0), CLOSE_WITHIN_MS).unref();
      void console.close().finally(() => process.exit(0));
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
    .action(serve)
    .parseAsync();
} catch (error) {
  const isExpected = error instanceof SettingsError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(isExpected ? (error as Error).message : error);
  process.exitCode = 1;
}
