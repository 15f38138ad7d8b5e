import { networkInterfaces } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { PasswordHashError } from '../../contract/password-hash.ts';
import {
  CONFIG_FILES,
  GATEWAY_PATHS,
  GATEWAY_SECRET_DIRECTORY,
  PORTS,
  RUN_FILES,
} from '../../contract/paths.ts';
import { SettingsError } from '../front/settings-error.ts';
import { createGateway } from './gateway.ts';
import { loadGatewayConfig, openSecretStore } from './settings.ts';

/** Where the image has the built pages. */
const WEB_DIRECTORY = '/opt/scipion/web';
/** Lives as long as the pod and is not shared with the desktop, whose programs could undo a logout. */
const STATE_DIRECTORY = '/tmp';
/** The pod's time to end is shared with the final save, so the gateway takes little of it. */
const CLOSE_WITHIN_MS = 3000;

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  }
  return port;
}

/** All addresses of the pod; `::` takes IPv4 too, but cannot be opened where the node has no IPv6. */
function everyAddress(): string {
  const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((a) => a.family === 'IPv6'));
  return hasIpv6 ? '::' : '0.0.0.0';
}

interface Arguments {
  readonly config: string;
  readonly secrets: string;
  readonly web: string;
  readonly host: string;
  readonly port: number;
  readonly probesPort: number;
  readonly syncSocket: string;
  readonly vncSocket: string;
  readonly jobsSocket: string;
  readonly readyFile: string;
  readonly state: string;
  readonly project: string;
  readonly uploads: string;
}

async function serve(args: Arguments): Promise<void> {
  const logger = pino({
    base: { component: 'gateway' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  const gateway = await createGateway({
    config: loadGatewayConfig(args.config),
    secrets: openSecretStore(args.secrets, (error) =>
      logger.error(`${error.message} The last good one stays in force.`),
    ),
    webDirectory: args.web,
    syncSocket: args.syncSocket,
    vncSocket: args.vncSocket,
    jobsSocket: args.jobsSocket,
    readyFile: args.readyFile,
    projectDirectory: args.project,
    uploadsDirectory: args.uploads,
    stateDirectory: args.state,
    logger,
  });
  await gateway.listen({ host: args.host, port: args.port, probesPort: args.probesPort });
  let isClosing = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isClosing) return;
      isClosing = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => process.exit(EXIT_CODES.done), CLOSE_WITHIN_MS).unref();
      void gateway.close().finally(() => process.exit(EXIT_CODES.done));
    });
  }
}

new Command('gateway')
  .description('The web front of an instance: login, progress page, desktop.')
  .option('--config <file>', 'configuration, JSON', CONFIG_FILES.gateway)
  .option('--secrets <directory>', 'mounted Secret', GATEWAY_SECRET_DIRECTORY)
  .option('--web <directory>', 'built pages', WEB_DIRECTORY)
  .option('--host <address>', 'address to listen on', everyAddress())
  .option('--port <number>', 'port of the pages', parsePort, PORTS.gateway)
  .option('--probes-port <number>', 'port of probes and metrics', parsePort, PORTS.gatewayProbes)
  .option('--sync-socket <path>', 'socket of the data service', RUN_FILES.syncSocket)
  .option('--vnc-socket <path>', 'socket of the desktop', RUN_FILES.vncSocket)
  .option('--jobs-socket <path>', 'socket of the broker of the jobs', RUN_FILES.jobsSocket)
  .option('--ready-file <path>', 'exists while the data is ready', RUN_FILES.ready)
  .option('--project <directory>', 'the project, for reading', GATEWAY_PATHS.project)
  .option('--uploads <directory>', 'what browsers send, until it is complete', GATEWAY_PATHS.uploads)
  .option('--state <directory>', 'where logouts and links outlive a restart', STATE_DIRECTORY)
  .action(async (_options, command: Command) => {
    try {
      await serve(command.opts<Arguments>());
    } catch (error) {
      const isExpected = error instanceof SettingsError || error instanceof PasswordHashError;
      process.stderr.write(`gateway: ${isExpected ? error.message : (error as Error).stack}\n`);
      process.exit(EXIT_CODES.failed);
    }
  })
  .parse();
