import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import tab from '@bomb.sh/tab/commander';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { FORM_KEYS } from '../../automation/fleet/index.ts';
import { DEFAULT_VERSION, knownVersions } from '../../stacks/versions.ts';
import { ROOT } from '../cli/machine.ts';
import { isBug, parsePair } from '../command-line.ts';
import { FLAGS, refuseSecretArguments } from './answers.ts';
import * as commands from './commands.ts';
import { printJson, ToldError } from './show.ts';
import { upgrade } from './upgrade.ts';

/** `npm run instance`: instances of a site, made, looked at, changed and removed. */

const program = new Command('instance')
  .usage('COMMAND [options]   (npm run instance -- COMMAND …)')
  .description('Instances: one Scipion desktop each, beside the data of two Onedata spaces.')
  .showHelpAfterError('(npm run instance -- COMMAND --help shows the options)')
  .enablePositionalOptions();

const MAX_WAVE = 100;
function waveSize(text: string): number {
  const wave = Number(text);
  if (Number.isInteger(wave) && wave > 0 && wave <= MAX_WAVE) return wave;
  throw new InvalidArgumentError(`expected a number from 1 to ${MAX_WAVE}.`);
}

const nameArgument = () => new Argument('<name>', 'of the instance');

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'print JSON, one object a line, and ask nothing')
    .addOption(
      new Option('--project <folder>', 'folder of another Pulumi.yaml that runs this program').hideHelp(),
    );
}

function withAnswers(target: Command, what: readonly ('settings' | 'secrets')[]): Command {
  if (what.includes('secrets'))
    target
      .option('--source-token-file <file>', 'token that reads the raw data; - is standard input')
      .option('--project-token-file <file>', 'token that reads and writes your work; - is standard input');
  if (!what.includes('settings')) return target;
  for (const key of FORM_KEYS) {
    const option = new Option(FLAGS[key][0], FLAGS[key][1]);
    target.addOption(key === 'version' ? option.choices(knownVersions()) : option);
  }
  return target
    .option('--password-file <file>', 'password of the desktop (default: one is generated)')
    .option(
      '--set <key=value...>',
      'any other setting of docs/config-reference.md',
      parsePair('autosaveInterval="10 minutes"'),
    )
    .option('--answers <file>', 'settings and tokens as one JSON or YAML object; - is standard input');
}

withAnswers(command('new', 'make an instance; asks for what is not given'), ['settings', 'secrets'])
  .argument('[name]', 'of the instance')
  .option('--yes', 'ask nothing')
  .action(commands.create);
command('list', 'all instances and what they do').action(commands.list);
command('status', 'one instance: what is copied, what is saved, what is wrong, what was left undone')
  .addArgument(nameArgument())
  .action(commands.status);
command('open', 'show address and password, and open the desktop in the browser')
  .addArgument(nameArgument())
  .action(commands.open);
command('save', 'save the work now').addArgument(nameArgument()).action(commands.save);
command('pause', 'save, then stop the pod; both volumes stay')
  .addArgument(nameArgument())
  .action(commands.pause);
command('resume', 'continue after a pause, or with what was killed or failed')
  .addArgument(nameArgument())
  .option('--give-up', 'forget what was killed or failed, and leave everything as it is')
  .action(commands.resume);
command('restart', 'save, then start the pod again with what has changed')
  .addArgument(nameArgument())
  .option('--yes', 'ask nothing')
  .action(commands.restart);
command('upgrade', 'bring instances to another Scipion release: one first, then in waves')
  .argument('[names...]', 'instances (default: all that have another release)')
  .addOption(
    new Option('--scipion-version <version>', 'release (default: the newest)')
      .choices(knownVersions())
      .default(DEFAULT_VERSION),
  )
  .option('--wave <number>', 'instances at a time, after the first one', waveSize, 5)
  .option('--yes', 'ask nothing')
  .action(upgrade);
withAnswers(command('change', 'change settings'), ['settings', 'secrets'])
  .addArgument(nameArgument())
  .option('--yes', 'ask nothing')
  .action(commands.change);
withAnswers(command('token', 'set new tokens, without a restart'), ['secrets'])
  .addArgument(nameArgument())
  .option('--yes', 'ask nothing')
  .action(commands.token);
command('logs', 'the last lines of a container')
  .addArgument(nameArgument())
  .addArgument(
    new Argument('[container]', 'part of the pod').choices(['sync', 'gateway', 'desktop']).default('sync'),
  )
  .option('-f, --follow', 'keep showing new lines')
  .option('-n, --lines <number>', 'how many', '200')
  .action(commands.logs);
command(
  'remove',
  'save the work to its space, then remove the instance; nothing is removed if the save fails',
)
  .addArgument(nameArgument())
  .option('--yes', 'ask nothing')
  .option('--keep-settings', 'keep settings and tokens, so that resume brings the instance back')
  .option('--discard-unsaved-changes <name>', 'LOSE what cannot be saved; takes the name of the instance')
  .action(commands.remove);

/** Of the stacks that have a file; asks no engine, since somebody waits at a key. */
function knownNames(): string[] {
  try {
    const files = readdirSync(join(ROOT, 'stacks'));
    return files.flatMap((file) => /^Pulumi\.([a-z0-9-]+)\.yaml$/.exec(file)?.[1] ?? []);
  } catch {
    return [];
  }
}

const completion = tab(program, { completionCommandName: 'completion' });
for (const { arguments: args } of completion.commands.values()) {
  const name = args.get('name');
  if (name !== undefined)
    name.handler = (complete) => {
      for (const known of knownNames()) complete(known, 'instance');
    };
}

try {
  refuseSecretArguments(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  const { name, message } = error as Error;
  const isLeft = name === 'ExitPromptError';
  const isJson = process.argv.includes('--json');
  if (isLeft) process.stderr.write('\nNothing was begun.\n');
  else if (isJson && !(error instanceof ToldError)) printJson({ event: 'failed', message });
  else if (!isJson) console.error(isBug(error as Error) ? error : message);
  process.exitCode = isLeft ? 130 : 1;
}
