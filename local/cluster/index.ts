/**
 * The embedded cluster: a whole Kubernetes on this machine, in namespaces of its own, from Go modules and Debian
 * packages. Knows nothing of Scipion.
 */
export { type BinDir, buildBinaries } from './binaries.ts';
export type { Cluster } from './cluster.ts';
export { findLeftovers } from './leftovers.ts';
export type { KeyPair } from './pki.ts';
export { type ClusterOptions, startCluster } from './start.ts';
export { attachCluster, type ClusterStatus, clusterStatus } from './status.ts';
export { destroyCluster, stopCluster } from './stop.ts';
