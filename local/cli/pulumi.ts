import { execa } from 'execa';
import { CLI } from './instance.ts';
import { pulumiPlace } from './pulumi-environment.ts';

/** `npm run pulumi -- …`: Pulumi itself. */

const args = process.argv.slice(2);

function stackOfArguments(): string | undefined {
  for (const [index, argument] of args.entries()) {
    if (argument === '--stack' || argument === '-s') return args[index + 1];
    const given = /^(?:--stack|-s)=(.*)$/.exec(argument)?.[1];
    if (given !== undefined) return given;
  }
  return undefined;
}

try {
  const { directory, environment } = await pulumiPlace(stackOfArguments());
  // The command is in front of the terminal and gets its Ctrl-C itself.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  const { exitCode } = await execa('pulumi', args, {
    cwd: directory,
    env: environment,
    stdio: 'inherit',
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
} catch (error) {
  process.stderr.write(`${CLI} failed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
