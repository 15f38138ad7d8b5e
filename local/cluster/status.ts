import { type Cluster, clusterOf } from './cluster.ts';
import { layoutOf } from './layout.ts';
import { isRunning } from './process.ts';
import { everythingElse, foundation } from './programs.ts';
import { readRecord } from './record.ts';
import { runningPrograms } from './supervisor.ts';

export type ClusterStatus =
  | { readonly state: 'stopped' }
  /** It is being started, or that was interrupted; a start waits for the first and repairs the second. */
  | { readonly state: 'starting' }
  /** It ran and ended without being stopped, by a crash or a reboot; a start takes its state up again. */
  | { readonly state: 'died' }
  | {
      readonly state: 'running';
      readonly cluster: Cluster;
      /** Programs that are down at this moment; the supervisor keeps trying to start them. */
      readonly down: readonly string[];
    };

/** The running cluster, or null when none runs. Starts and changes nothing. */
export async function attachCluster(stateDirectory: string): Promise<Cluster | null> {
  const status = await clusterStatus(stateDirectory);
  return status.state === 'running' ? status.cluster : null;
}

export async function clusterStatus(stateDirectory: string): Promise<ClusterStatus> {
  const layout = layoutOf(stateDirectory);
  const record = readRecord(layout);
  if (!record) return { state: 'stopped' };
  if (!isRunning(record.supervisor)) return { state: 'died' };
  if (!record.complete) return { state: 'starting' };
  const ports = { https: record.httpsPort, api: record.apiPort };
  const names = [...foundation(ports), ...everythingElse(ports)].map(({ name }) => name);
  const running = await runningPrograms(layout, names);
  const down = names.filter((name) => !running.get(name));
  return { state: 'running', cluster: clusterOf(layout, record), down };
}
