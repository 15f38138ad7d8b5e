import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
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

/** What is of this one instance; all else that its configuration says is right for others on the same machine. */
const OF_ONE_INSTANCE = [
  'scipion:sourceSpaceId',
  'scipion:projectSpaceId',
  'scipion:namespace',
  'scipion:version',
  'scipion:paused',
  'scipion:discardUnsavedChanges',
  OWNER_KEY,
];

/** Defaults for the instances that the console of this machine makes beside this one. */
async function defaultsFor(config: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  const file = parse(await readFile(join(ROOT, 'stacks', `Pulumi.${STACK}.yaml`), 'utf8')) as {
    readonly config: Readonly<Record<string, unknown>>;
  };
  const all = Object.entries({ ...file.config, ...config });
  return Object.fromEntries(all.filter(([key]) => !OF_ONE_INSTANCE.includes(key)));
}

/** The stack of the instance of this record. */
export async function stackOf(
  engine: Engine,
  record: InstanceRecord,
  target: Target,
  secrets: Readonly<Record<string, string>>,
): Promise<DeployedStack> {
  const context = target.context === undefined ? {} : { 'kubernetes:context': target.context };
  const config = { ...record.overrides, ...context };
  return openStack(engine, {
    program: ROOT,
    stack: STACK,
    stateDirectory: STACK_STATE,
    defaults: await defaultsFor(config),
    config,
    secrets,
    environment: { KUBECONFIG: target.kubeconfig },
    cli: CLI,
  });
}
