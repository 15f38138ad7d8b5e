import * as pulumi from '@pulumi/pulumi';
import { expectedError } from '../stacks/load.ts';
import type { Cluster } from './cluster.ts';
import type { Identity } from './identity-changes.ts';
import { STACK_ANNOTATION } from './manifests/metadata.ts';
import { COMMANDS, CONTAINERS, NAMES } from './names.ts';

/** An instance in the cluster that the stack's state does not know: another stack's, or this one's after its state was lost. */

/** Set by `npm run take-over` for its preview, which alone looks past a living instance of the same stack. */
const TAKING_OVER_VARIABLE = 'SCIPION_TAKING_OVER';
const isTakingOver = () => process.env[TAKING_OVER_VARIABLE] === 'true' && pulumi.runtime.isDryRun();

const ANSWER_SECONDS = 10;

/** A cluster that cannot be asked says nothing here: a preview needs none, and `up` meets it at its next step. */
async function askCluster<T>(ask: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ANSWER_SECONDS * 1000);
  });
  try {
    return await Promise.race([ask(), patience]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

interface Living {
  /** Stack that made it, where that is known. */
  readonly owner: string | undefined;
}

async function findInstance(cluster: Cluster, namespace: string): Promise<Living | undefined> {
  const [statefulSet, claim] = await Promise.all([
    cluster.statefulSet(namespace, NAMES.statefulSet),
    cluster.claim(namespace, NAMES.projectVolume),
  ]);
  const found = statefulSet ?? claim;
  if (found === undefined) return undefined;
  const around = await cluster.namespace(namespace);
  const owners = [statefulSet, claim, around].map(
    (object) => object?.metadata?.annotations?.[STACK_ANNOTATION],
  );
  return { owner: owners.find((owner) => owner !== undefined) };
}

function lostStateMessage({ namespace, createNamespace }: Identity, stack: string): string {
  const kubectl = `kubectl --namespace ${namespace}`;
  const selector = `app.kubernetes.io/part-of=scipion-instances,app.kubernetes.io/instance=${namespace}`;
  const kinds =
    'statefulset,service,ingress,networkpolicy,configmap,secret,serviceaccount,persistentvolumeclaim';
  const remove =
    createNamespace === 'true'
      ? `kubectl delete namespace ${namespace}`
      : `${kubectl} delete ${kinds} --selector ${selector}`;
  return [
    `Namespace ${namespace} holds an instance of stack ${stack} that the state of this stack does not know. Nothing was changed.`,
    `If the state was lost, bring it back: pulumi stack import --stack ${stack} --file BACKUP`,
    `Without a backup take the instance over as it is: npm run take-over -- --stack ${stack}`,
    `Or save and remove it, then pulumi up --stack ${stack} creates it again with the work from its project space:`,
    `  ${kubectl} exec ${NAMES.pod} --container ${CONTAINERS.sync} -- ${COMMANDS.sync} drain`,
    `  ${remove}   (only once the line above ended without an error)`,
  ].join('\n');
}

/**
 * @param isStateKnown whether the state was read; else an instance of the same stack may well be in it
 * @throws Error where the namespace holds an instance that is not this state's
 */
export async function refuseLivingInstance(
  asked: Identity,
  stack: string,
  isStateKnown: boolean,
  open: () => Cluster,
): Promise<void> {
  const { namespace } = asked;
  const living = await askCluster(async () => findInstance(open(), namespace));
  if (living === undefined || (living.owner === stack && (!isStateKnown || isTakingOver()))) return;
  if (living.owner === stack) throw new Error(lostStateMessage(asked, stack));
  const whose =
    living.owner === undefined ? 'an instance of unknown origin' : `the instance of stack "${living.owner}"`;
  throw new Error(
    `Namespace ${namespace} holds ${whose}; one namespace holds one instance. Nothing was changed. ` +
      `Choose another one: pulumi config set scipion:namespace NAME --stack ${stack}`,
  );
}

/**
 * For a state that knows nothing. A removal from it creates nothing, so that no hook asks: it would end well and leave
 * the instance as it is.
 * @throws Error where the namespace holds an instance of this stack
 */
export async function refuseLostInstance(asked: Identity, stack: string, open: () => Cluster): Promise<void> {
  if (isTakingOver()) return;
  const living = await askCluster(async () => findInstance(open(), asked.namespace));
  if (living?.owner === stack) throw expectedError(lostStateMessage(asked, stack));
}
