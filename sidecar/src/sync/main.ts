import { Command } from 'commander';
import { pino } from 'pino';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { systemClock } from './clock.ts';
import * as commands from './commands.ts';
import { ConfigError, readConfig } from './config.ts';
import { onedataSpaces } from './open-space.ts';
import { type ServiceOptions, startService } from './service.ts';
import { CONTAINER_PATHS, type SyncPaths } from './sync-paths.ts';
import { prepareVolume } from './volume.ts';

const log = pino({
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
});

async function run(paths: SyncPaths, probes: ServiceOptions['probes']): Promise<number> {
  const config = await readConfig(paths.config);
  const { runner, done } = await startService({
    config,
    paths,
    spaces: onedataSpaces(config, paths, {
      onRetry: (error, operation) => log.debug({ operation, code: error.code }, 'a request is tried again'),
    }),
    clock: systemClock,
    log,
    ...(probes === undefined ? {} : { probes }),
  });
  // A kubelet that restarts sends it twice; it never means "quit now".
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info({ signal, phase: runner.board.phase }, 'asked to end');
      runner.stop();
    });
  }
  await done;
  log.info('ended');
  return EXIT_CODES.done;
}

async function prepare(paths: SyncPaths): Promise<number> {
  for (const root of [paths.sourceVolume, paths.projectVolume]) await prepareVolume(root);
  return EXIT_CODES.done;
}

/** @param probes where probes are answered, if not at the port of the container; null: nowhere */
export function program(
  paths: SyncPaths,
  finish: (code: number) => void,
  probes?: ServiceOptions['probes'],
): Command {
  const context: commands.CommandContext = {
    socket: paths.syncSocket,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  };
  const act = (command: () => Promise<number>) => async () =>
    finish(await commands.guarded(context, command));
  const root = new Command('sync')
    .description('Copies data between Onedata spaces and the volumes of an instance.')
    .exitOverride((error) => finish(error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage));
  root
    .command('run')
    .description('the container: copy, open the desktop, save')
    .action(act(() => run(paths, probes)));
  root
    .command('prepare')
    .description('make the folders of both volumes')
    .action(act(() => prepare(paths)));
  const status = root.command('status').description('what sync does now').option('--json', 'as JSON');
  status.action(act(() => commands.status(context, status.opts().json === true)));
  root
    .command('save')
    .description('save now and wait for it')
    .action(act(() => commands.saveNow(context)));
  const drain = root
    .command('drain')
    .description('close the desktop, save everything, stay closed')
    .option('--timeout <seconds>', 'how long to wait', '86400');
  drain.action(act(() => commands.drain(context, Number(drain.opts().timeout))));
  const plan = root.command('plan').description('what the next save would do').option('--json', 'as JSON');
  plan.action(act(() => commands.plan(context, plan.opts().json === true)));
  root
    .command('refresh-source')
    .description('copy what is new in the source space')
    .action(act(() => commands.refreshSource(context)));
  const lease = root
    .command('lease')
    .description('who may write the project space')
    .option('--take-over', 'take it');
  lease.action(act(() => commands.lease(context, lease.opts().takeOver === true)));
  const confirm = root
    .command('confirm')
    .description('agree to what was held back')
    .argument('<what>', 'deletions or merge');
  confirm.action(act(() => commands.confirm(context, String(confirm.args[0]))));
  return root;
}

if (import.meta.main) {
  try {
    await program(CONTAINER_PATHS, (code) => process.exit(code)).parseAsync();
  } catch (error) {
    const expected = error instanceof ConfigError;
    process.stderr.write(`${expected ? error.message : ((error as Error).stack ?? String(error))}\n`);
    process.exit(EXIT_CODES.failed);
  }
}
