import type { InstanceConfig } from '../../stacks/load.ts';
import { NAMES } from '../names.ts';
import { metadata } from './metadata.ts';

/** The two claims. One pod mounts them, on one node, so `ReadWriteOnce` is enough and every storage class has it. */

function claimManifest(config: InstanceConfig, name: string, component: string, storage: string) {
  return {
    metadata: metadata(config, name, component),
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage } },
      ...(config.storageClass === undefined ? {} : { storageClassName: config.storageClass }),
    },
  };
}

export const sourceClaimManifest = (config: InstanceConfig) =>
  claimManifest(config, NAMES.sourceVolume, 'source-volume', config.sourceVolumeSize);

export const projectClaimManifest = (config: InstanceConfig) =>
  claimManifest(config, NAMES.projectVolume, 'project-volume', config.projectVolumeSize);
