import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import { connect, refuseUnusableCluster } from './cluster.ts';
import {
  changesOf,
  changesOfAll,
  type Identity,
  type IdentityChange,
  identityOf,
  refusalOf,
} from './identity-changes.ts';
import { refuseLivingInstance, refuseLostInstance } from './living-instance.ts';
import { HOOKS } from './names.ts';
import { knowsInstance, livingIdentity, readState, type StateResource } from './own-state.ts';

/**
 * What says whose work an instance holds never changes while the instance exists: namespace, spaces, storage class.
 * It is remembered in the stack's own state, so that the refusal needs no cluster and rests on no provider: a hook
 * runs before the remembered value changes, in a preview as in `up`. A removal changes no resource, so it is never
 * refused, whatever the configuration says by then.
 */

export interface IdentityGuardOptions {
  readonly readState?: () => Promise<readonly StateResource[] | undefined>;
  readonly connect?: typeof connect;
}

/** The hook before the remembered identity changes. @throws Error with the way back and the way on */
export async function refuseChangedIdentity(
  remembered: Identity | undefined,
  asked: Identity,
  stack: string,
  options: IdentityGuardOptions = {},
): Promise<void> {
  const state = await (options.readState ?? readState)();
  const living = state === undefined ? undefined : livingIdentity(state);
  // Something was begun under another identity, and nothing of it came to be.
  if (state !== undefined && living === undefined) return;
  const changes = remembered === undefined ? [] : changesOfAll({ ...remembered, ...sizesOf(living) }, asked);
  refuse(changes, living, asked, stack);
}

/** What the claims have: a storage class that cannot grow leaves them smaller than was asked for. */
const sizesOf = (living: Partial<Identity> = {}): Partial<Identity> =>
  Object.fromEntries(
    (['sourceVolumeSize', 'projectVolumeSize'] as const).flatMap((key) =>
      living[key] === undefined ? [] : [[key, living[key]]],
    ),
  );

/** A storage class counts by what the claims have: the default one may be written out later. */
function refuse(
  changes: readonly IdentityChange[],
  living: Partial<Identity> | undefined,
  { storageClass }: Identity,
  stack: string,
): void {
  const isSame = ({ key }: IdentityChange) =>
    key === 'storageClass' && storageClass !== undefined && storageClass === living?.storageClass;
  const real = changes.filter((change) => !isSame(change));
  if (real.length > 0) throw new Error(refusalOf(real, stack));
}

/** The hook before an identity is remembered for the first time. @throws Error where an instance lives that is not this state's */
export async function refuseUnknownInstance(
  asked: Identity,
  stack: string,
  options: IdentityGuardOptions = {},
): Promise<void> {
  const state = await (options.readState ?? readState)();
  const living = state === undefined ? undefined : livingIdentity(state);
  if (living !== undefined) {
    // Made by a release that remembered none; which class is the default is not known here.
    const changes = changesOf(living, asked).filter(({ asked: value }) => value !== undefined);
    refuse(changes, living, asked, stack);
    return;
  }
  await refuseLivingInstance(asked, stack, state !== undefined, options.connect ?? connect);
}

const rememberedIn = (inputs: Record<string, unknown> | undefined) => inputs?.input as Identity | undefined;

/** Resolves once the identity is accepted and remembered; register nothing else before. */
export async function guardIdentity(config: InstanceConfig): Promise<void> {
  const asked = identityOf(config);
  const state = await readState();
  if (state !== undefined) await refuseUnusableCluster(); // else no provider will use it: the program is recorded
  if (state !== undefined && !knowsInstance(state)) await refuseLostInstance(asked, config.stack, connect);
  const onDryRun = { onDryRun: true };
  const first = () => refuseUnknownInstance(asked, config.stack);
  const change = (args: pulumi.ResourceHookArgs) =>
    refuseChangedIdentity(rememberedIn(args.oldInputs), asked, config.stack);
  const hooks = {
    beforeCreate: [new pulumi.ResourceHook(HOOKS.refuseUnknownInstance, first, onDryRun)],
    beforeUpdate: [new pulumi.ResourceHook(HOOKS.refuseChangedIdentity, change, onDryRun)],
  };
  const memory = new pulumi.Stash('scipion-identity', { input: asked }, { hooks });
  await new Promise<void>((resolve) => memory.urn.apply(() => resolve()));
}
