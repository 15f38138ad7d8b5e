import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { type Notice, noticeSchema } from '../../contract/activity.ts';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { type JobsAtEnd, jobsAtEndSchema } from '../../contract/jobs.ts';
import { systemClock } from '../clock.ts';
import type { RetryPolicy } from '../spaces/retry.ts';
import type { Counted } from './save/confirmations.ts';
import * as commands from './service/commands.ts';
import { ConfigError, readConfig } from './service/config.ts';
import { followConfig, LiveSettings } from './service/live-settings.ts';
import { onedataSpaces } from './service/open-space.ts';
import { printable, sentence } from './service/printable.ts';
import { applyPriority } from './service/priority.ts';
import { type ServiceOptions, startService } from './service/service.ts';
import { CONTAINER_PATHS, type SyncPaths } from './service/sync-paths.ts';
import { prepareVolume } from './volume/volume.ts';

const log = pino({
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
});

async function run(paths: SyncPaths, probes: ServiceOptions['probes']): Promise<number> {
  const config = await readConfig(paths.config);
  applyPriority(config.priority);
  const settings = new LiveSettings(config);
  const policy: Partial<RetryPolicy> = {
    onRetry: (error, operation) => log.debug({ operation, code: error.code }, 'a request is tried again'),
  };
  const { runner, done } = await startService({
    config,
    settings,
    paths,
    spaces: onedataSpaces(config, paths, policy, undefined, settings),
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
  // From a removal that gives unsaved work up, to a pod that is ending already.
  process.on('SIGUSR2', () => {
    log.warn({ phase: runner.board.phase }, 'told to end without a last save');
    process.exit(EXIT_CODES.failed);
  });
  const over = new AbortController();
  void followConfig(
    { settings, file: paths.config, board: runner.board, clock: systemClock, log },
    over.signal,
  );
  await done.finally(() => over.abort());
  log.info('ended');
  return EXIT_CODES.done;
}

async function prepare(paths: SyncPaths): Promise<number> {
  for (const root of [paths.sourceVolume, paths.projectVolume]) await prepareVolume(root);
  return EXIT_CODES.done;
}

const withJobs = (command: Command): Command =>
  command
    .addOption(
      new Option('--jobs <choice>', 'what is done with jobs that have not ended')
        .choices(jobsAtEndSchema.shape.choice.options)
        .default('refuse'),
    )
    .option('--jobs-wait <seconds>', 'how long they are waited for', wholeNumber, 3_600);

function jobsOf(command: Command): JobsAtEnd {
  const { jobs: choice, jobsWait: waitSeconds } = command.opts<{
    jobs: JobsAtEnd['choice'];
    jobsWait: number;
  }>();
  return { choice, waitSeconds };
}

/** @param probes where probes are answered, if not at the port of the container; null: nowhere */
export function program(
  paths: SyncPaths,
  finish: (code: number) => void,
  probes?: ServiceOptions['probes'],
): Command {
  const output = {
    socket: paths.syncSocket,
    out: (line: string) => void process.stdout.write(`${printable(line)}\n`),
    err: (line: string) => void process.stderr.write(`${sentence(line)}\n`),
  };
  const root = new Command('sync')
    .description('Copies data between Onedata spaces and the volumes of an instance.')
    .configureOutput({ outputError: (text, write) => write(`${sentence(onOneLine(text))}\n`) })
    .exitOverride((error) => finish(error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage));
  const act = (command: Command, work: (context: commands.CommandContext) => Promise<number>): void => {
    command.action(async () => {
      const context = { ...output, json: command.opts().json === true };
      finish(await commands.guarded(context, () => work(context)));
    });
  };
  /** A command that asks the running `sync`. */
  const asking = (name: string, description: string): Command =>
    root.command(name).description(description).option('--json', 'print the outcome as JSON');
  act(root.command('run').description('the container: copy, open the desktop, save'), () =>
    run(paths, probes),
  );
  act(root.command('prepare').description('make the folders of both volumes'), () => prepare(paths));
  act(asking('status', 'what sync does now'), commands.status);
  act(asking('save', 'save now and wait for it'), commands.saveNow);
  act(asking('plan', 'what the next save would do; changes nothing'), commands.plan);
  const drain = withJobs(asking('drain', 'close the desktop, save everything, stay closed')).option(
    '--timeout <seconds>',
    'how long to wait for the save',
    positive,
    86_400,
  );
  act(drain, (context) => {
    const jobs = jobsOf(drain);
    const forJobs = jobs.choice === 'refuse' ? 0 : jobs.waitSeconds;
    return commands.drain(context, (drain.opts().timeout as number) + forJobs, jobs);
  });
  const closeJobs = withJobs(asking('close-jobs', 'before a pause: no job is left, and none is taken'));
  act(closeJobs, (context) => commands.closeJobs(context, jobsOf(closeJobs)));
  act(asking('saves', 'which saves can be brought back, and what they cost'), commands.saves);
  const restore = asking('restore', 'copy a save, or a part of it, into a new folder of the project')
    .option('--of <save>', 'number or id of the save; without it the last one')
    .option('--path <path>', 'a file or folder of the project; without it everything')
    .option('--to <folder>', 'name of the new folder; without it restored-<time>');
  act(restore, (context) => commands.restore(context, restore.opts()));
  const trash = asking('trash', 'what was removed or replaced, with dates and sizes')
    .option('--restore <path>', 'bring back the newest version of a file, or of everything in a folder')
    .option('--of <save>', 'with --restore: the version that this save put into the trash');
  act(trash, (context) => {
    const given = trash.opts<{ restore?: string; of?: string }>();
    if (given.of !== undefined && given.restore === undefined)
      trash.error('--of says which version --restore brings back, and is nothing without it');
    return commands.trash(context, given);
  });
  act(asking('refresh-source', 'copy what is new in the source space'), commands.refreshSource);
  const verify = asking('verify', 'check the whole project space against its manifest').option(
    '--rate <bytes>',
    'bytes a second that are read at most; without it as many as the line gives',
    wholeNumber,
  );
  act(verify, (context) => commands.verify(context, verify.opts()));
  act(asking('repair', 'mend what the last check of the project space found'), commands.repair);
  const notice = asking('notice', 'what the page says of a pause to come')
    .option('--pauses-at <time>', 'when, as ISO 8601 in UTC; without it nothing is announced')
    .addOption(new Option('--why <why>', 'why').choices(['idle', 'expiry']).default('expiry'));
  act(notice, (context) => {
    const { pausesAt: at, why } = notice.opts<{ pausesAt?: string; why: Notice['why'] }>();
    const found = noticeSchema.safeParse({ why, at });
    if (at !== undefined && !found.success)
      notice.error(`--pauses-at: found ${at}, expected a time such as 2027-01-31T12:00:00Z`);
    return commands.announce(context, found.data ?? null);
  });
  const lease = asking('lease', 'who may write the project space').option('--take-over', 'take it');
  act(lease, (context) => commands.lease(context, lease.opts().takeOver === true));
  const confirm = asking('confirm', 'agree to what was held back')
    .addArgument(
      new Argument('<what>', 'what to agree to').choices(['deletions', 'missing', 'unsaved', 'merge']),
    )
    .addArgument(
      new Argument('[count]', 'of deletions, missing and unsaved files: their number, as told').argParser(
        wholeNumber,
      ),
    );
  act(confirm, async (context) => {
    const [what, count] = confirm.processedArgs as [Counted | 'merge', number | undefined];
    if ((what !== 'merge') === (count === undefined))
      confirm.error(what === 'merge' ? NO_COUNT : countMissing(what));
    return commands.confirm(
      context,
      what === 'merge' || count === undefined ? { what: 'merge' } : { what, count },
    );
  });
  return root;
}

/** Commander puts what it guesses on a line of its own. */
const onOneLine = (text: string): string => text.trimEnd().replace(/\n(\(Did you mean [^\n]+)$/, ' $1');

function positive(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0)) throw new InvalidArgumentError('a number of seconds above 0 is expected');
  return seconds;
}

const COUNTS: Record<Counted, string> = {
  deletions: 'the number of removals, as sync save and sync status tell it: sync confirm deletions 1234',
  missing: 'the number of missing files, as sync status tells it: sync confirm missing 3',
  unsaved: 'the number of files that cannot be saved, as sync drain tells it: sync confirm unsaved 3',
};
const countMissing = (what: Counted): string => `confirm ${what} needs ${COUNTS[what]}`;
const NO_COUNT = 'confirm merge takes no number';

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is expected');
  return Number(text);
}

if (import.meta.main) {
  try {
    await program(CONTAINER_PATHS, (code) => process.exit(code)).parseAsync();
  } catch (error) {
    const expected = error instanceof ConfigError;
    process.stderr.write(
      `${expected ? sentence(error.message) : ((error as Error).stack ?? String(error))}\n`,
    );
    process.exit(EXIT_CODES.failed);
  }
}
