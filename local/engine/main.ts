#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { countLine, outputLines, outputObject, Progress, resultObject } from './display.ts';
import {
  destroy,
  EngineError,
  outputs,
  preview,
  previewDestroy,
  render,
  type StackOptions,
  type StackResult,
  up,
} from './index.ts';

const WHAT_IT_IS = [
  'Runs a Pulumi program (nodejs) without the Pulumi CLI: Kubernetes objects through kubectl, random values from the system, state in a file beside the program (mode 0600, secrets encrypted).',
  'For development, tests, previews without credentials and air-gapped trials. Not a second Pulumi: no other providers, no plugins, no services, no import, no refresh. A preview compares with the last inputs, not with the cluster. Where the Pulumi CLI is at hand, use it for everything that lasts.',
].join('\n\n');

interface Flags {
  readonly stack: string;
  readonly cwd: string;
  readonly yes?: boolean;
  readonly showSecrets?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly kubectl?: string;
  readonly json?: boolean;
  readonly state?: string;
  readonly config: Record<string, string>;
}

const stop = new AbortController();

function stackOptions(flags: Flags, progress?: Progress): StackOptions {
  return {
    directory: flags.cwd,
    stack: flags.stack,
    config: flags.config,
    signal: stop.signal,
    ...(flags.state === undefined ? {} : { stateDirectory: flags.state }),
    ...(progress ? { onEvent: progress.onEvent } : {}),
    kubectl: {
      ...(flags.kubectl === undefined ? {} : { path: flags.kubectl }),
      ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
      ...(flags.context === undefined ? {} : { context: flags.context }),
    },
  };
}

function newProgress(): Progress {
  return new Progress({
    isInteractive: process.stderr.isTTY,
    columns: process.stderr.columns ?? 100,
    write: (text) => process.stderr.write(text),
  });
}

/** Runs one operation and reports it. Progress goes to standard error, results to standard output. */
async function perform(
  flags: Flags,
  isPlan: boolean,
  operation: (options: StackOptions) => Promise<StackResult>,
): Promise<StackResult> {
  const progress = newProgress();
  const result = await operation(stackOptions(flags, flags.json ? undefined : progress)).finally(() =>
    progress.end(),
  );
  if (!flags.json) {
    for (const error of result.errors) process.stderr.write(`error: ${error}\n`);
    const isEmpty = result.steps.every((step) => step.step === 'same');
    if (result.ok || !isEmpty)
      process.stderr.write(`${countLine(result.counts, isPlan)}${result.ok ? '' : ', then it failed'}\n`);
  }
  if (!result.ok) process.exitCode = 1;
  return result;
}

function print(flags: Flags, result: StackResult): void {
  if (flags.json)
    process.stdout.write(`${JSON.stringify(resultObject(result, flags.showSecrets ?? false), null, 2)}\n`);
  else if (result.ok) {
    for (const line of outputLines(result.outputs, flags.showSecrets ?? false))
      process.stdout.write(`${line}\n`);
  }
}

/** Shows the plan and asks, unless `--yes`. */
async function confirmed(
  flags: Flags,
  plan: (options: StackOptions) => Promise<StackResult>,
): Promise<boolean> {
  if (flags.yes) return true;
  if (!process.stdin.isTTY) {
    throw new EngineError('this changes the cluster and nobody can be asked here. Say --yes to go on.');
  }
  const result = await perform(flags, true, plan);
  if (!result.ok) return false;
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await reader.question('Do this? (yes/no) ').finally(() => reader.close());
  return answer.trim() === 'yes';
}

async function runUp(flags: Flags): Promise<void> {
  if (await confirmed(flags, preview)) print(flags, await perform(flags, false, up));
}

async function runDestroy(flags: Flags): Promise<void> {
  if (!(await confirmed(flags, previewDestroy))) return;
  const result = await perform(flags, false, destroy);
  print(flags, { ...result, outputs: {} });
}

async function runPreview(flags: Flags): Promise<void> {
  print(
    flags,
    await perform(flags, true, (options) => preview({ ...options, undecryptable: 'placeholder' })),
  );
}

async function runOutputs(flags: Flags): Promise<void> {
  const found = await outputs(stackOptions(flags));
  const showSecrets = flags.showSecrets ?? false;
  process.stdout.write(
    flags.json
      ? `${JSON.stringify(outputObject(found, showSecrets), null, 2)}\n`
      : outputLines(found, showSecrets)
          .map((line) => `${line}\n`)
          .join(''),
  );
}

async function runRender(flags: Flags): Promise<void> {
  const result = await render({ directory: flags.cwd, stack: flags.stack, config: flags.config });
  for (const error of result.errors) process.stderr.write(`error: ${error}\n`);
  if (result.ok) process.stdout.write(result.yaml);
  else process.exitCode = 1;
}

function collectConfig(text: string, earlier: Record<string, string>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new EngineError(`--config ${text}: expected key=value`);
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}

function command(name: string, description: string, run: (flags: Flags) => Promise<void>): Command {
  return new Command(name)
    .description(description)
    .requiredOption('-s, --stack <name>', 'the stack, as in Pulumi.<name>.yaml')
    .option('-C, --cwd <folder>', 'folder of Pulumi.yaml', '.')
    .addOption(
      new Option(
        '-c, --config <key=value>',
        'a value over the stack file; not for secrets (arguments are public)',
      )
        .argParser(collectConfig)
        .default({}, 'none'),
    )
    .option('--state <folder>', 'folder of state, key and lock (default: .local/engine/<stack>)')
    .option('--json', 'result as JSON')
    .action(run);
}

function withCluster(target: Command): Command {
  return target
    .option('-y, --yes', 'do it without asking')
    .option('--show-secrets', 'outputs in clear')
    .option('--kubeconfig <file>', 'default: as kubectl finds it')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--kubectl <program>', 'default: kubectl of PATH');
}

const program = new Command('engine')
  .description(WHAT_IT_IS)
  .addCommand(withCluster(command('up', 'create and change what the program says', runUp)))
  .addCommand(
    command('preview', 'show what up would do', runPreview).option('--show-secrets', 'outputs in clear'),
  )
  .addCommand(
    withCluster(command('destroy', 'delete the stack, after its beforeDelete hooks passed', runDestroy)),
  )
  .addCommand(
    command('outputs', 'outputs of the last up', runOutputs).option('--show-secrets', 'outputs in clear'),
  )
  .addCommand(
    command('render', 'YAML of all Kubernetes objects, secrets masked; needs no cluster', runRender),
  );

process.on('SIGINT', () => {
  if (stop.signal.aborted) process.exit(130);
  process.stderr.write('\nstopping after what is under way; once more to stop at once\n');
  stop.abort();
});

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`error: ${error instanceof EngineError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
