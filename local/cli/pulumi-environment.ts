import {
  type Environment,
  ensureEngine,
  stateEnvironment,
  withUsersOwn,
} from '../../automation/engine/index.ts';
import { otherStacks, ROOT, readInstance, STACK, STACK_STATE } from './machine.ts';
import { runningTarget } from './up.ts';

/** Where Pulumi runs for a user of this repository, and with what. */
export interface PulumiPlace {
  readonly engine: Awaited<ReturnType<typeof ensureEngine>>;
  readonly directory: string;
  readonly environment: Environment;
}

/**
 * For the stack `demo` the instance of `npm run local`, with its configuration and its cluster, and for those of its
 * console the same; else the stacks of this repository. What the user's environment says of backend and passphrase is left as it is; without that, states are in
 * the folder of local state.
 */
export async function pulumiPlace(stack: string | undefined): Promise<PulumiPlace> {
  const engine = await ensureEngine((line) => process.stderr.write(process.stderr.isTTY ? `${line}\n` : ''));
  const own = await stateEnvironment(engine, STACK_STATE);
  const isFirst = stack === STACK && (await readInstance()) !== undefined;
  if (isFirst || (stack !== undefined && (await otherStacks()).includes(stack))) {
    const environment = { ...own, KUBECONFIG: (await runningTarget()).kubeconfig };
    return { engine, directory: STACK_STATE, environment };
  }
  return { engine, directory: ROOT, environment: withUsersOwn(own) };
}
