import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { metadata, SKIP_AWAIT } from './metadata.ts';

/**
 * The two claims. One pod mounts them, on one node, so `ReadWriteOnce` is enough and every storage class has it; with
 * `ReadWriteOncePod`, which only CSI drivers have, Kubernetes itself keeps a second pod away.
 * Nothing waits for them but the pod: where volumes are bound with their first pod, some versions of the provider take a
 * claim for ready only while it is pending, and would wait five minutes for one that is bound, then fail.
 */

function claimManifest(config: InstanceConfig, name: string, component: string, storage: string) {
  return {
    metadata: metadata(config, name, component, SKIP_AWAIT),
    spec: {
      accessModes: [config.volumeAccess],
      resources: { requests: { storage } },
      ...(config.storageClass === undefined ? {} : { storageClassName: config.storageClass }),
    },
  };
}

export const sourceClaimManifest = (config: InstanceConfig) =>
  claimManifest(config, NAMES.sourceVolume, 'source-volume', config.sourceVolumeSize);

export const projectClaimManifest = (config: InstanceConfig) =>
  claimManifest(config, NAMES.projectVolume, 'project-volume', config.projectVolumeSize);
