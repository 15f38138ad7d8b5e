import * as pulumi from '@pulumi/pulumi';
import { type AccessProblem, clusterAccess } from '../stacks/cluster-access.ts';
import { expectedError } from '../stacks/load.ts';
import { type Cluster, openCluster } from './cluster-client.ts';
import { hangingLogin } from './login-command.ts';
import { proxyFor } from './proxy.ts';
import { isSilent } from './silent-cluster.ts';

/**
 * The cluster as the hooks see it: with the kubeconfig and context that the Kubernetes provider of the stack uses, so
 * that a hook needs no network path and no credential of its own.
 */

export type { Cluster, ExecResult } from './cluster-client.ts';

/** Where the stack's settings lead. */
const givenAccess = () => ({
  kubeconfig: pulumi.runtime.getConfig('kubernetes:kubeconfig'),
  context: pulumi.runtime.getConfig('kubernetes:context'),
});

/**
 * Before the first object, since the provider waits for some of what is wrong without end, and for a silent cluster for
 * minutes. A preview needs no cluster: it is told.
 * @throws pulumi.RunError with what helps
 */
export async function refuseUnusableCluster(): Promise<void> {
  if (pulumi.runtime.getConfig('kubernetes:renderYamlToDirectory')) return;
  const { problem: found, address, login } = clusterAccess(givenAccess());
  const problem = found ?? (login && (await hangingLogin(login))) ?? (await silence(address));
  if (problem === undefined) return;
  if (problem.isEndless || !pulumi.runtime.isDryRun()) throw expectedError(problem.message);
  pulumi.log.warn(problem.message);
}

async function silence(address: string | undefined): Promise<AccessProblem | undefined> {
  if (address === undefined || !URL.canParse(address) || proxyFor(address, process.env) !== undefined)
    return undefined;
  if (!(await isSilent(address))) return undefined;
  const message = `The Kubernetes cluster at ${address} takes connections and does not answer. See what it says: kubectl cluster-info`;
  return { message, isEndless: false };
}

/** Reads the kubeconfig at the first use, so that a preview needs none. */
export const connect = (): Cluster => openCluster(givenAccess());
