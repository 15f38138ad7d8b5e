import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { knownVersions } from '../../stacks/versions.ts';
import { isBug, parsePair } from '../command-line.ts';
import { DEMO_USER } from '../console/files.ts';
import { down, logs, open, password, remove, status, tokens } from './commands.ts';
import { StepError } from './steps.ts';
import { type Brought, type UpOptions, up } from './up.ts';

interface UpArguments extends Omit<UpOptions, 'ownCluster' | 'version'> {
  readonly scipionVersion?: string;
  readonly context?: string;
  readonly imageRepository?: string;
}

/** `npm run local`: an instance with everything it needs, on this machine. */

const program = new Command('npm run local --')
  .description(
    'A running Scipion instance on this machine: real Kubernetes, real Scipion, an emulator for Onedata.',
  )
  .showHelpAfterError();

program
  .command('up', { isDefault: true })
  .description('bring everything up; what is there already is left as it is')
  .addOption(
    new Option('--scipion-version <version>', 'Scipion release (default: the newest)').choices(
      knownVersions(),
    ),
  )
  .option('--https-port <port>', 'port on 127.0.0.1 for the browser (default 8443)', parsePort)
  .option('--context <name>', 'use the cluster of this context of your kubeconfig, not the embedded one')
  .option('--image-repository <name>', 'where that cluster pulls desktop, sidecar and onedata from')
  .option(
    '--config <key=value...>',
    "values of the stack's configuration, e.g. scipion:memory=4Gi",
    parsePair('scipion:memory=4Gi'),
  )
  .option('--jobs', 'protocols of Scipion may run as jobs beside the desktop (docs/jobs.md)', false)
  .option('--no-console', 'without the console, which makes more instances in a browser')
  .action(async (given: UpArguments) => {
    const { scipionVersion, context, imageRepository, ...options } = given;
    if ((context === undefined) !== (imageRepository === undefined)) {
      throw new Error(
        '--context and --image-repository go together: a cluster, and where it pulls the images from.',
      );
    }
    const version = scipionVersion === undefined ? {} : { version: scipionVersion };
    const ownCluster = context && imageRepository ? { ownCluster: { context, imageRepository } } : {};
    console.log(welcome(await up({ ...options, ...version, ...ownCluster }), context === undefined));
  });

program
  .command('status')
  .description('what runs, what is copied, what is saved, what is wrong')
  .action(status);
program
  .command('password')
  .description('show the password of the desktop, or of the console')
  .addArgument(new Argument('[of]').choices(['desktop', 'console']).default('desktop'))
  .action(password);
program
  .command('tokens')
  .description('show the tokens of the sample spaces, to be pasted in the console')
  .action(tokens);
program.command('open').description('open the desktop in the browser').action(open);
program
  .command('logs')
  .description('show the last lines of a container')
  .argument('[container]', 'sync, gateway or desktop', 'sync')
  .option('-f, --follow', 'keep showing new lines', false)
  .action(async (container: string, options: { follow: boolean }) => {
    process.exitCode = await logs(container, options.follow);
  });
program
  .command('remove')
  .description('save the project and remove the instance; cluster and spaces stay')
  .option('--discard-unsaved-changes', 'remove it although its last work could not be saved', false)
  .action((options: { discardUnsavedChanges: boolean }) => remove(options.discardUnsavedChanges));
program
  .command('down')
  .description('save the project, remove the instance, stop the cluster; the spaces stay')
  .option(
    '--purge',
    'remove the spaces and all else that was made here too; states of your own stacks stay',
    false,
  )
  .option('--discard-unsaved-changes', 'remove the instance although its last work could not be saved', false)
  .action(down);

const [first] = process.argv.slice(2);
const names = ['help', ...program.commands.map((each) => each.name())];
// The default command would take it for one argument too many of its own.
if (first !== undefined && !first.startsWith('-') && !names.includes(first))
  program.error(`error: there is no command '${first}'. There are: ${names.join(', ')}.`);

try {
  await program.parseAsync();
} catch (error) {
  const isExpected = error instanceof StepError || (error instanceof Error && !isBug(error));
  console.error(isExpected ? `\n${(error as Error).message}` : error);
  process.exitCode = 1;
}

function welcome({ url, console: address }: Brought, isEmbedded: boolean): string {
  const certificate =
    "The certificate is of this machine's own authority, so the browser asks once whether to trust it.";
  return [
    '',
    'Scipion is running.',
    '',
    `  Address    ${url}`,
    '  Password   npm run local -- password',
    '  Status     npm run local -- status',
    ...(address === undefined
      ? []
      : [
          `  Console    ${address}        (makes more; user ${DEMO_USER}, password: npm run local -- password console)`,
        ]),
    '  Stop       npm run local -- down        (saves the project first)',
    ...(isEmbedded ? ['', certificate] : []),
  ].join('\n');
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidArgumentError('expected a port from 1 to 65535.');
}
