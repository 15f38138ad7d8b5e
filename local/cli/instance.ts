import { join } from 'node:path';
import type { Deployer, Deployment } from '../deploy/deployer.ts';
import { embeddedEngine } from '../deploy/embedded.ts';
import { hasPulumiCli, pulumiCli } from '../deploy/pulumi-cli.ts';
import type { StandInCredentials } from '../onedata/remote.ts';
import { type InstanceRecord, ROOT, STACK, STATE } from './machine.ts';
import type { Target } from './target.ts';

/** Configuration of an instance that uses this stand-in; `own` comes last. */
export function overridesFor(
  onedata: StandInCredentials,
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

export function secretsFor(onedata: StandInCredentials): Record<string, string> {
  return { 'scipion:sourceToken': onedata.sourceToken, 'scipion:projectToken': onedata.projectToken };
}

/** The engine that a new instance is made with: the Pulumi CLI where there is one. */
export async function preferredEngine(): Promise<InstanceRecord['engine']> {
  return (await hasPulumiCli()) ? 'pulumi' : 'embedded';
}

/** What creates, shows and removes the instance of this record. */
export function deployerOf(
  record: InstanceRecord,
  target: Target,
  secret: Readonly<Record<string, string>>,
): Deployer {
  const deployment: Deployment = {
    programDirectory: ROOT,
    stack: STACK,
    overrides: { plain: record.overrides, secret },
    kubeconfig: target.kubeconfig,
    ...(target.context === undefined ? {} : { context: target.context }),
    kubectl: target.kubectl,
    removalEnvironment: { SCIPION_REMOVING: 'true' },
    stateDirectory: join(STATE, 'stacks', record.engine),
  };
  return record.engine === 'pulumi' ? pulumiCli(deployment) : embeddedEngine(deployment);
}
