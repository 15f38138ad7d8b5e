import { execa } from 'execa';
import { ensureEngine, stateEnvironment } from '../../automation/engine/index.ts';
import { CLI } from './instance.ts';
import { ROOT, readInstance, STACK, STACK_STATE } from './machine.ts';
import { runningTarget } from './up.ts';

/**
 * `npm run pulumi -- …`: Pulumi itself. With `--stack demo` it works on the instance of `npm run local`, with its
 * configuration and its cluster; else on the stacks of this repository. What the user's environment says of backend
 * and passphrase is left as it is; without that, states are in the folder of local state.
 */

const args = process.argv.slice(2);

function stackOfArguments(): string | undefined {
  for (const [index, argument] of args.entries()) {
    if (argument === '--stack' || argument === '-s') return args[index + 1];
    const given = /^(?:--stack|-s)=(.*)$/.exec(argument)?.[1];
    if (given !== undefined) return given;
  }
  return undefined;
}

async function environmentOf(isDemo: boolean): Promise<Record<string, string>> {
  const engine = await ensureEngine((line) => process.stderr.write(process.stderr.isTTY ? `${line}\n` : ''));
  const own = await stateEnvironment(engine, STACK_STATE);
  if (isDemo) return { ...own, KUBECONFIG: (await runningTarget()).kubeconfig };
  const { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE } = process.env;
  const { PULUMI_BACKEND_URL: backend, PULUMI_CONFIG_PASSPHRASE_FILE: passphrase, ...others } = own;
  return {
    ...others,
    ...(process.env.PULUMI_HOME === undefined ? {} : { PULUMI_HOME: process.env.PULUMI_HOME }),
    ...(PULUMI_BACKEND_URL === undefined && backend ? { PULUMI_BACKEND_URL: backend } : {}),
    ...(PULUMI_BACKEND_URL === undefined &&
    PULUMI_CONFIG_PASSPHRASE === undefined &&
    PULUMI_CONFIG_PASSPHRASE_FILE === undefined &&
    passphrase
      ? { PULUMI_CONFIG_PASSPHRASE_FILE: passphrase }
      : {}),
  };
}

try {
  const isDemo = stackOfArguments() === STACK && (await readInstance()) !== undefined;
  // The command is in front of the terminal and gets its Ctrl-C itself.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  const { exitCode } = await execa('pulumi', args, {
    cwd: isDemo ? STACK_STATE : ROOT,
    env: await environmentOf(isDemo),
    stdio: 'inherit',
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
} catch (error) {
  process.stderr.write(`${CLI} failed: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
