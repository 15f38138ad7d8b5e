import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Engine, type Environment, openProject } from '../../automation/engine/index.ts';
import { Fleet, OperationRecords } from '../../automation/fleet/index.ts';
import { openInstanceCluster } from '../../components/cluster-client.ts';
import type { Ask } from '../../components/onedata-request.ts';
import type { ConsoleConfig } from './config.ts';
import { type Console, createConsole } from './console.ts';
import { compareWith } from './site/compare.ts';

export interface ServeOptions {
  readonly config: ConsoleConfig;
  readonly engine: Engine;
  /** Folder of Pulumi.yaml. */
  readonly directory: string;
  /** Backend, passphrase, and what program and plugins need; on top of the process's own, whose cluster it is. */
  readonly environment: Environment;
  /** Folder of the records of operations, which all that change these stacks share. */
  readonly records: string;
  /** Folder of pages and audit log. */
  readonly state: string;
  /** Folder of pages that are built already. */
  readonly web?: string;
  /** Key service that encrypts the secrets of new instances; absent: the passphrase. */
  readonly secretsProvider?: string;
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  /** How Onedata is asked; absent: by its host names. */
  readonly ask?: Ask;
}

/** Operations that are under way go on with their engine; the next console finds them. */
const CLOSE_WITHIN_MS = 3_000;

export const webDirectoryOf = (state: string): string => join(state, 'web');

/** A console that answers, on the stacks of a project, until a signal ends the process. @throws where it cannot listen */
export async function serveConsole(options: ServeOptions): Promise<Console> {
  const { config, directory, environment, state, logger, ask } = options;
  const webDirectory = options.web ?? webDirectoryOf(state);
  if (options.web === undefined) {
    // An image has its pages, and nothing to build them with.
    const { buildConsoleWeb } = await import('../web/build.ts');
    await buildConsoleWeb(webDirectory);
  }
  const fleet = new Fleet({
    project: openProject(options.engine, {
      ...{ directory, environment, cli: 'npm run pulumi --' },
      ...(options.secretsProvider === undefined ? {} : { secretsProvider: options.secretsProvider }),
    }),
    directory,
    records: new OperationRecords(options.records),
    openCluster: (address) => openInstanceCluster(address),
    atOnce: config.atOnce,
  });
  const console = await createConsole({
    config,
    fleet,
    webDirectory,
    stateDirectory: state,
    rulesDirectory: join(options.records, 'rules'),
    logger,
    compare: compareWith(options.engine, directory, environment),
    ...(ask === undefined ? {} : { ask }),
  });
  await console.listen({ host: options.host, port: options.port });
  logger.info({ origin: config.publicOrigin }, 'the console answers');
  endBySignal(console, logger);
  return console;
}

function endBySignal(console: Console, logger: Logger): void {
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
