import * as pulumi from '@pulumi/pulumi';
import { type Cluster, connect } from './cluster.ts';
import { STACK_ANNOTATION } from './manifests/metadata.ts';
import { HOOKS } from './names.ts';

/** One namespace, one instance: who comes second is told so before anything is created. */

/**
 * @throws Error when the namespace exists and was not made by this stack. One that this stack made before an
 * interruption is left to the provider, which knows whether it can go on with it.
 */
export async function refuseTakenNamespace(
  namespace: string,
  stack: string,
  open: () => Cluster = connect,
): Promise<void> {
  const found = await open().namespace(namespace);
  const owner = found?.metadata?.annotations?.[STACK_ANNOTATION];
  if (found === undefined || owner === stack) return;
  const reason =
    owner === undefined ? 'was not made by this program' : `holds the instance of stack "${owner}"`;
  throw new Error(
    `Namespace ${namespace} exists already and ${reason}; one namespace holds one instance. ` +
      `Choose another one: pulumi config set scipion:namespace NAME --stack ${stack}. ` +
      `Where you may not create namespaces: pulumi config set scipion:createNamespace false --stack ${stack}`,
  );
}

export function claimHook(namespace: string, stack: string): pulumi.ResourceHook {
  return new pulumi.ResourceHook(HOOKS.claimNamespace, () => refuseTakenNamespace(namespace, stack));
}
