import { chmod, readFile, rm } from 'node:fs/promises';
import { Command } from 'commander';
import fastify from 'fastify';
import { pino } from 'pino';
import * as z from 'zod';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { type JobsConfig, jobsConfigSchema } from '../../contract/jobs.ts';
import { CLUSTER_ACCESS_DIRECTORY, CONFIG_FILES, PORTS, RUN_FILES } from '../../contract/paths.ts';
import { systemClock } from '../clock.ts';
import { ApiServer } from './api-server.ts';
import { Broker } from './broker.ts';
import { jobsApi } from './jobs-api.ts';

/** The broker's process. The kubelet tells every container where the API server is. */

class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

interface Arguments {
  readonly config: string;
  readonly cluster: string;
  readonly server: string;
  readonly socket: string;
  readonly state: string;
  readonly probesPort: string;
  readonly lookEvery: string;
  readonly heldFor: string;
}

const log = pino({
  base: { component: 'jobs' },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
});

async function readConfig(file: string): Promise<JobsConfig> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new SettingsError(
      `The configuration of the jobs ${file} cannot be read: ${(cause as Error).message}`,
      { cause },
    );
  }
  const parsed = jobsConfigSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new SettingsError(`The configuration of the jobs, ${file}:\n${z.prettifyError(parsed.error)}`);
}

function serverAddress({
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
}: NodeJS.ProcessEnv): string {
  if (host === undefined || port === undefined) return '';
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function serve(args: Arguments): Promise<void> {
  const config = await readConfig(args.config);
  if (args.server === '')
    throw new SettingsError(
      'The API server is not known: found no KUBERNETES_SERVICE_HOST in the environment, expected the one that Kubernetes sets in every container.',
    );
  const api = new ApiServer({ url: args.server, namespace: config.namespace, directory: args.cluster });
  const broker = new Broker({
    config,
    api,
    clock: systemClock,
    log,
    stateDirectory: args.state,
    lookEveryMs: Number(args.lookEvery) * 1000,
    heldForMs: Number(args.heldFor) * 1000,
  });
  const app = await jobsApi(broker, { classes: config.classes, log });
  // A socket of a container that was killed is in the way.
  await rm(args.socket, { force: true });
  await app.listen({ path: args.socket });
  await chmod(args.socket, 0o660);
  const probes = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 1 });
  probes.get('/livez', () => 'ok\n');
  const { registry } = broker.metrics;
  probes.get('/metrics', async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  );
  if (args.probesPort !== '') await probes.listen({ host: '0.0.0.0', port: Number(args.probesPort) });
  const over = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => over.abort());
  log.info({ classes: config.classes.map(({ name }) => name) }, 'jobs are taken');
  await broker.run(over.signal);
  await Promise.all([app.close(), probes.close()]);
  await api.close();
  await rm(args.socket, { force: true });
}

await new Command('jobs')
  .description('The broker of an instance: turns requests of the desktop into Jobs of Kubernetes.')
  .option('--config <file>', 'configuration, JSON', CONFIG_FILES.jobs)
  .option('--cluster <directory>', 'token and authorities of the API server', CLUSTER_ACCESS_DIRECTORY)
  .option('--server <url>', 'the API server', serverAddress(process.env))
  .option('--socket <path>', 'socket for the desktop', RUN_FILES.jobsSocket)
  .option('--state <directory>', 'where it is noted which jobs are accounted for', '/tmp')
  .option('--probes-port <number>', 'port of the probes; empty: none', String(PORTS.jobsProbes))
  .option('--look-every <seconds>', 'between two looks at the cluster', '2')
  .option('--held-for <seconds>', 'how long a held job continues when it is not waited for any more', '120')
  .action(async (_options, command: Command) => {
    try {
      await serve(command.opts<Arguments>());
      process.exit(EXIT_CODES.done);
    } catch (error) {
      process.stderr.write(
        `jobs: ${error instanceof SettingsError ? error.message : (error as Error).stack}\n`,
      );
      process.exit(EXIT_CODES.failed);
    }
  })
  .parseAsync();
