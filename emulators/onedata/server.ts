#!/usr/bin/env node
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { callAdmin } from './admin/command.ts';
import type { ServeOptions } from './serve.ts';

const defaultData = resolve('.local/onedata/data');
const collect = (value: string, before: string[]) => [...before, value];

const program = new Command('onedata').description('A server that answers as Onedata does, for one machine.');

program
  .command('serve', { isDefault: true })
  .description('run zone and provider; prints one JSON line when they answer')
  .option('--config <file>', 'JSON configuration instead of the other options')
  .option('--data <directory>', 'where everything is kept', process.env.ONEDATA_DATA ?? defaultData)
  .option('--port <number>', 'TLS port on 127.0.0.1', '9443')
  .option('--onedata-version <version>', 'release to behave as, e.g. 21.02.4', '21.02.8')
  .option('--seed <space=directory>', 'fill a new space from a directory', collect, [])
  // Loaded only here: an `admin` call in a pod starts in a fraction of the time without it.
  .action(async (options: ServeOptions) => (await import('./serve.ts')).serve(options));

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

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`onedata: ${error.message}\n`);
  process.exitCode = 1;
});
