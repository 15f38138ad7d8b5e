import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { projectClaimManifest, sourceClaimManifest } from './manifests/volumes.ts';

/**
 * Both volumes. They go with the instance: a removal gets this far only after the drain has put all work into the
 * project space, from which the next `pulumi up` restores it. To keep the volumes without a pod, pause the instance.
 */

export interface VolumesArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
  /** Runs before a claim is deleted and refuses while the instance is there. */
  readonly inUseHook: pulumi.ResourceHook;
}

export class Volumes extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: VolumesArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:Volumes', name, {}, opts);
    const options: pulumi.CustomResourceOptions = {
      parent: this,
      dependsOn: [...args.dependsOn],
      hooks: { beforeDelete: [args.inUseHook] },
      // Because a change of these would replace the claim, and with it delete what is on the volume.
      ignoreChanges: ['spec.storageClassName', 'spec.accessModes'],
    };
    this.resources = [
      new k8s.PersistentVolumeClaim(`${name}-source`, sourceClaimManifest(args.config), options),
      new k8s.PersistentVolumeClaim(`${name}-project`, projectClaimManifest(args.config), options),
    ];
    this.registerOutputs();
  }
}
