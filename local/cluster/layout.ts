import { createHash } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';

/**
 * The addresses of the cluster. They exist only inside its own network namespace, so that they can be the
 * same for every cluster on a machine and collide with nothing outside.
 */
export const network = {
  nodeName: 'scipion-local',
  nodeAddress: '10.87.0.1',
  podRange: '10.88.0.0/16',
  podGateway: '10.88.0.1',
  serviceRange: '10.89.0.0/16',
  kubernetesService: '10.89.0.1',
  clusterDomain: 'cluster.local',
  apiPort: 6443,
  etcdPort: 2379,
  ingressHttpsPort: 8443,
  ingressHttpPort: 8080,
  xdsPort: 8001,
  dnsReadyPort: 8181,
} as const;

/** Where the folders of a cluster appear inside its mount namespace: short, as Unix socket paths must be. */
export const inside = {
  state: '/run/cluster',
  binaries: '/run/cluster-bin',
  containerdSocket: '/run/containerd/containerd.sock',
} as const;

/** The parts of a cluster's state folder, as paths of the host. */
export interface Layout {
  readonly state: string;
  readonly pki: string;
  readonly config: string;
  readonly services: string;
  readonly logs: string;
  readonly sockets: string;
  readonly volumes: string;
  readonly kubeconfig: string;
  /** Process, ports and binaries of the running cluster (see `record.ts`). */
  readonly record: string;
  /** Folder that is locked while a cluster is started or stopped; it outlives the state. */
  readonly lock: string;
  /** Control group of every pod, relative to each hierarchy's root; its name is unique to the state folder. */
  readonly controlGroup: string;
}

export function layoutOf(stateDirectory: string): Layout {
  const state = resolve(stateDirectory);
  const identity = createHash('sha256').update(state).digest('hex').slice(0, 8);
  return {
    state,
    pki: join(state, 'pki'),
    config: join(state, 'config'),
    services: join(state, 'services'),
    logs: join(state, 'logs'),
    sockets: join(state, 'sockets'),
    volumes: join(state, 'volumes'),
    kubeconfig: join(state, 'kubeconfig'),
    record: join(state, 'cluster.json'),
    lock: dirname(state),
    controlGroup: `scipion-local-${identity}`,
  };
}
