import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { adviceFor, DAMAGED_SECRET, errorsOfLog, stepsOfLog } from '../../automation/engine/index.ts';
import { onInterrupts } from '../../automation/tools/interrupt.ts';
import { CLI } from './instance.ts';
import { STACK_STATE } from './machine.ts';
import { meaningLines } from './meaning.ts';
import { type PulumiPlace, pulumiPlace } from './pulumi-environment.ts';

/** `npm run pulumi -- …`: Pulumi itself; on a terminal, what a preview or an `up` means for the user comes after its words. */

const args = process.argv.slice(2);

/** Value of an option by one of its names. */
function argument(...names: readonly string[]): string | undefined {
  for (const [index, given] of args.entries()) {
    if (names.includes(given)) return args[index + 1];
    const name = names.find((each) => given.startsWith(`${each}=`));
    if (name !== undefined) return given.slice(name.length + 1);
  }
  return undefined;
}

const stackOfArguments = () => argument('--stack', '-s');

/** Of the commands that say it; undefined for others, and where a program reads the output. */
function titleOf(command: string | undefined): string | undefined {
  const isOwn = args.some((argument) => /^(--json|-j|--help|-h|--event-log)(=|$)/.test(argument));
  if (isOwn || process.stdout.isTTY !== true) return undefined;
  if (command === 'preview' || command === 'pre') return 'An `up`';
  return command === 'up' || command === 'update' ? 'This `up`' : undefined;
}

/** Of what Pulumi says last on standard error; its words on a state are short. */
const KEPT_CHARACTERS = 20_000;

async function run(more: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
  const place = await pulumiPlace(stackOfArguments());
  // Who answers its questions has it in front of the terminal, where it gets Ctrl-C itself; else only we tell it.
  const isAsked = process.stdin.isTTY === true;
  const child = execa('sh', ['-c', START, 'pulumi', ...args, ...more], {
    cwd: place.directory,
    env: { ...place.environment, ...environment },
    stdio: ['inherit', 'inherit', 'pipe'],
    buffer: false,
    reject: false,
    detached: !isAsked,
    cleanup: false,
  });
  let said = '';
  process.stderr.on('error', () => {}); // a terminal that went; the engine still has to end in order
  child.stderr.on('data', (text: Buffer) => {
    process.stderr.write(text);
    said = `${said}${text}`.slice(-KEPT_CHARACTERS);
  });
  const release = onStop(isAsked, () => child.kill('SIGINT'));
  const { exitCode, signal } = await child.finally(release);
  process.exitCode = exitCode ?? 1;
  if (signal !== undefined)
    process.stderr.write(`${CLI} failed: ${place.engine.command} was ended by ${signal}\n`);
  return { place, said };
}

/** What helps, after Pulumi's own words. */
async function advise({ place, said }: Ended, errors: readonly string[] = []): Promise<void> {
  if (process.exitCode === 0) return;
  const { environment, engine, directory } = place;
  const own = { ...process.env, ...environment };
  const cwd = resolve(directory, argument('--cwd', '-C') ?? '.');
  const ask: Ask = async (...asked) => {
    const { stdout, failed } = await execa('pulumi', [...asked, '--non-interactive'], {
      cwd,
      env: environment,
      reject: false,
    });
    return failed ? undefined : stdout;
  };
  const all = [said, ...errors].join('\n');
  const stack = stackOfArguments() ?? ((await ask('stack', '--show-name')) || 'NAME');
  const words = adviceFor(all, {
    stack,
    cli: CLI,
    ...(DAMAGED_SECRET.test(all) ? { damagedSecrets: await damagedSecrets(ask, stack) } : {}),
    passphraseFile:
      own.PULUMI_CONFIG_PASSPHRASE === undefined
        ? (own.PULUMI_CONFIG_PASSPHRASE_FILE ?? 'PULUMI_CONFIG_PASSPHRASE_FILE')
        : 'PULUMI_CONFIG_PASSPHRASE (a variable of your shell)',
    stateDirectory: (own.PULUMI_BACKEND_URL ?? STACK_STATE).replace(/^file:\/\//, ''),
    engineVersion: engine.version,
    ...(engine.source === 'on PATH' ? {} : { engineDirectory: dirname(dirname(engine.command)) }),
  });
  if (words !== undefined) process.stderr.write(`\n${words}\n`);
}

/** Standard output of Pulumi; undefined where it fails. */
type Ask = (...args: string[]) => Promise<string | undefined>;

async function damagedSecrets(ask: Ask, stack: string): Promise<string[]> {
  const settings = JSON.parse((await ask('config', '--json', '--stack', stack)) ?? '{}') as Record<
    string,
    { secret: boolean }
  >;
  const damaged: string[] = [];
  for (const [key, { secret }] of Object.entries(settings))
    if (secret && (await ask('config', 'get', key, '--stack', stack)) === undefined) damaged.push(key);
  return damaged;
}

interface Ended {
  readonly place: PulumiPlace;
  readonly said: string;
}

/** A terminal that goes tells all in front of it; the engine would end at once and leave its state locked. */
const START = 'trap "" HUP; exec "$0" "$@"';
const NPM_POLL_MS = 500;

/** Asks for an end in order: what tells us to end, and npm's own end, which nobody would see the engine go on behind. */
function onStop(isAsked: boolean, stop: () => void): () => void {
  let isTold = false;
  const end = () => {
    isTold = true;
    stop();
  };
  if (isAsked) process.on('SIGINT', () => {});
  const release = onInterrupts(end, isAsked ? ['SIGTERM', 'SIGHUP'] : undefined);
  const npm = process.env.npm_lifecycle_event === undefined ? undefined : process.ppid;
  const poll = setInterval(() => {
    if (!isTold && npm !== undefined && process.ppid !== npm) end();
  }, NPM_POLL_MS).unref();
  return () => {
    clearInterval(poll);
    release();
  };
}

/** The engine's own record of what it does is an option that Pulumi shows to those who look for faults. */
async function runAndSay(title: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pulumi-events-'));
  try {
    const log = join(folder, 'events');
    const ended = await run(['--event-log', log], { PULUMI_DEBUG_COMMANDS: 'true' });
    const events = await readFile(log, 'utf8').catch(() => '');
    if (process.exitCode !== 0) return await advise(ended, errorsOfLog(events));
    const steps = stepsOfLog(events);
    for (const line of meaningLines(title, steps)) console.log(line);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  const title = titleOf(args[0]);
  if (title === undefined) await advise(await run());
  else await runAndSay(title);
} catch (error) {
  process.stderr.write(`${CLI} failed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
