import { type DeployedStack, type Engine, openStack } from '../../automation/engine/index.ts';
import { OWNER_KEY } from '../../automation/fleet/instances.ts';
import type { EmulatorCredentials } from '../../emulators/onedata/remote.ts';
import { REMOVING_VARIABLE } from '../../stacks/environment.ts';
import { type InstanceRecord, ROOT, STACK, STACK_STATE } from './machine.ts';
import type { Target } from './target.ts';

/** How a user of this repository calls Pulumi. */
export const CLI = 'npm run pulumi --';
/** Set while a stack is removed: its configuration need not be right any more. */
export const REMOVING = { [REMOVING_VARIABLE]: 'true' };

/** Configuration of an instance that uses this emulator; `own` comes last. */
export function overridesFor(
  onedata: EmulatorCredentials,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    'scipion:onedataHost': onedata.providerHost,
    'scipion:onedataCertificateAuthorities': onedata.caPem,
    'scipion:sourceSpaceId': onedata.sourceSpaceId,
    'scipion:projectSpaceId': onedata.projectSpaceId,
    ...own,
  };
}

export function secretsFor(onedata: EmulatorCredentials): Record<string, string> {
  return { 'scipion:sourceToken': onedata.sourceToken, 'scipion:projectToken': onedata.projectToken };
}

/** What is of this one instance; all else is right for those that the console of this machine makes beside it. */
const OF_ONE_INSTANCE = [
  'scipion:sourceSpaceId',
  'scipion:projectSpaceId',
  'scipion:namespace',
  'scipion:version',
  'scipion:paused',
  'scipion:discardUnsavedChanges',
  OWNER_KEY,
];

/** The stack of the instance of this record. */
export function stackOf(
  engine: Engine,
  record: InstanceRecord,
  target: Target,
  secrets: Readonly<Record<string, string>>,
): DeployedStack {
  const context = target.context === undefined ? {} : { 'kubernetes:context': target.context };
  return openStack(engine, {
    program: ROOT,
    stack: STACK,
    stateDirectory: STACK_STATE,
    config: { ...record.overrides, ...context },
    ownKeys: OF_ONE_INSTANCE,
    secrets,
    environment: { KUBECONFIG: target.kubeconfig },
    cli: CLI,
  });
}
