import * as pulumi from '@pulumi/pulumi';
import { type Cluster, connect } from './cluster.ts';
import { HOOKS } from './names.ts';

/** One namespace, one instance: who comes second is told so before anything is created. */

/** @throws Error when the namespace exists, whoever made it. */
export async function refuseTakenNamespace(namespace: string, open: () => Cluster = connect): Promise<void> {
  const found = await open().namespace(namespace);
  if (found === undefined) return;
  const labels = found.metadata?.labels ?? {};
  const isInstance = labels['app.kubernetes.io/part-of'] === 'scipion-instances';
  const owner = isInstance ? 'it holds the instance of another stack' : 'it was not made by this stack';
  throw new Error(
    `Namespace ${namespace} exists already and ${owner}; one namespace holds one instance. ` +
      'Choose another one: pulumi config set scipion:namespace NAME. ' +
      'Where you may not create namespaces: pulumi config set scipion:createNamespace false',
  );
}

export function claimHook(namespace: string, open: () => Cluster = connect): pulumi.ResourceHook {
  return new pulumi.ResourceHook(HOOKS.claimNamespace, () => refuseTakenNamespace(namespace, open));
}
