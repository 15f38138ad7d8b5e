import { parseArgs } from 'node:util';
import {
  CommandFailure,
  describeFailure,
  type RunOnStack,
  runCommand,
  takeOver,
} from '../../automation/engine/index.ts';
import { interruptible } from '../../automation/tools/interrupt.ts';
import { drawnOf } from '../../stacks/drawn-credentials.ts';
import { CLI } from './instance.ts';
import { STACK_STATE } from './machine.ts';
import { pulumiPlace } from './pulumi-environment.ts';

/** `npm run take-over -- --stack NAME`: a living instance whose state was lost comes into a new state as it is. */

const USAGE = 'npm run take-over -- --stack NAME';
const STOPPED = `Stopped; the state is as it was. The same command takes over: ${USAGE}`;

async function main(): Promise<void> {
  const { stack } = parseArgs({ options: { stack: { type: 'string', short: 's' } } }).values;
  if (stack === undefined) throw new Error(`Which stack? ${USAGE}`);
  const { engine, directory, environment } = await pulumiPlace(stack);
  const place = {
    stack,
    cli: CLI,
    passphraseFile: environment.PULUMI_CONFIG_PASSPHRASE_FILE ?? 'PULUMI_CONFIG_PASSPHRASE_FILE',
    stateDirectory: environment.PULUMI_BACKEND_URL ?? STACK_STATE,
    engineVersion: engine.version,
  };
  try {
    const say = (line: string) => console.log(line);
    const { outcome } = await interruptible((signal) => {
      const run: RunOnStack = (args, { input, isTakingOver } = {}) => {
        // Stopped in the middle it puts the state back, as after any failure, and that is not stopped.
        const isWrite = args[1] === 'import';
        if (signal.aborted && !isWrite) throw new Error(STOPPED);
        return runCommand(engine, [...args, '--stack', stack], {
          directory,
          environment: { ...environment, ...(isTakingOver ? { SCIPION_TAKING_OVER: 'true' } : {}) },
          ...(isWrite ? {} : { signal }),
          ...(input === undefined ? {} : { input }),
        }).catch((error: Error) => {
          throw signal.aborted && !isWrite ? new Error(STOPPED) : error;
        });
      };
      return takeOver(run, say, drawnOf);
    }, say);
    if (outcome.status === 'rejected') throw outcome.reason;
    const { objects, changes } = outcome.value;
    const counts = Object.entries(changes).map(([op, count]) => `${count} to ${op}`);
    console.log(
      `The state of stack ${stack} knows the ${objects.length} objects of its instance again; none was changed. ` +
        `Next: pulumi up --stack ${stack} (${counts.join(', ') || 'nothing to change'}; nothing is replaced). ` +
        'The desktop keeps its password, unless the configuration has another: only its user knows it, the cluster has its hash.',
    );
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new Error(describeFailure([error.end.stderr || error.end.stdout], place));
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
