#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { callAdmin } from './admin/command.ts';
import { configurationSchema, instanceDefaults, type StandInOptions, VERSIONS } from './configuration.ts';
import { startStandIn } from './stand-in.ts';

interface ServeOptions {
  readonly config?: string;
  readonly data: string;
  readonly port: string;
  readonly onedataVersion: string;
  readonly seed: string[];
}

const defaultData = resolve('.local/onedata/data');
const collect = (value: string, before: string[]) => [...before, value];

const program = new Command('onedata').description('A server that answers as Onedata does, for one machine.');

program
  .command('serve', { isDefault: true })
  .description('run zone and provider; prints one JSON line when they answer')
  .option('--config <file>', 'JSON configuration instead of the other options')
  .option('--data <directory>', 'where everything is kept', process.env.ONEDATA_DATA ?? defaultData)
  .option('--port <number>', 'TLS port on 127.0.0.1', '9443')
  .option('--onedata-version <version>', `release to behave as: ${VERSIONS.join(', ')}`, '21.02.8')
  .option('--seed <space=directory>', 'fill a new space from a directory', collect, [])
  .action(serve);

program
  .command('admin <method> <path> [json]')
  .description(
    'call the admin API, e.g. admin GET /spaces/source/tree; a body of "-" is read from the standard input',
  )
  .option(
    '--socket <file>',
    'socket of the admin API',
    process.env.ONEDATA_ADMIN ?? join(defaultData, 'admin.sock'),
  )
  .action(async (method: string, path: string, json: string | undefined, { socket }: { socket: string }) => {
    const input = json === '-' ? process.stdin : json;
    const output = process.stdout;
    const status = await callAdmin({
      socket,
      method,
      path,
      output,
      ...(input === undefined ? {} : { input }),
    });
    process.exitCode = status < 300 ? 0 : 1;
  });

function optionsOf(given: ServeOptions): StandInOptions {
  if (given.config !== undefined) {
    return configurationSchema.parse(JSON.parse(readFileSync(given.config, 'utf8')));
  }
  const seeds = new Map(given.seed.map((text) => text.split('=', 2) as [string, string]));
  const { spaces = [], tokens = [] } = instanceDefaults();
  return configurationSchema.parse({
    dataDirectory: given.data,
    listen: { port: Number(given.port) },
    version: given.onedataVersion,
    tokens,
    spaces: spaces.map((space) => {
      const directory = seeds.get(space.id);
      return directory === undefined ? space : { ...space, seedFrom: resolve(directory) };
    }),
  });
}

async function serve(given: ServeOptions): Promise<void> {
  const options = optionsOf(given);
  const standIn = await startStandIn(options).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(`port ${options.listen?.port} is in use: end what listens there or give another --port`);
  });
  const { context } = standIn;
  const line = {
    zone: standIn.zoneHost,
    provider: standIn.providerHost,
    version: context.configuration.version,
    authorityFile: standIn.authorityFile,
    adminSocket: standIn.adminSocket,
    spaces: context.spaces.list().map(({ id, name }) => ({ id, name })),
    tokenFiles: standIn.tokenFiles,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  const stop = () => {
    standIn.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`onedata: ${error.message}\n`);
  process.exitCode = 1;
});
