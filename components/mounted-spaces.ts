import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import {
  csiClaimManifest,
  csiSecretManifest,
  csiVolumeManifest,
  hasOwnCsiSecret,
  isByCsi,
  SIDES,
  type Side,
} from './manifests/onedata-access.ts';

/**
 * Volume, claim and Secret for each space that csi-onedata mounts. They hold no data of their own: what a removal deletes
 * is the way to the space. Volumes belong to no namespace, so whoever runs this must be allowed to make them.
 */

export interface MountedSpacesArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class MountedSpaces extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: MountedSpacesArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:MountedSpaces', name, {}, opts);
    const sides = SIDES.filter((side) => isByCsi(args.config, side));
    this.resources = sides.flatMap((side) => this.createSpace(`${name}-${side}`, args, side));
    this.registerOutputs();
  }

  private createSpace(name: string, { config, dependsOn }: MountedSpacesArgs, side: Side): pulumi.Resource[] {
    const after = (...more: pulumi.Resource[]) => ({ parent: this, dependsOn: [...dependsOn, ...more] });
    const secrets: pulumi.Resource[] = [];
    if (hasOwnCsiSecret(config, side)) {
      const token = side === 'source' ? config.sourceToken : config.projectToken;
      if (!token) throw new Error('A token is needed: stacks/load.ts lets no other stack pass.');
      secrets.push(new k8s.Secret(name, csiSecretManifest(config, side, token), after()));
    }
    const volume = new k8s.PersistentVolume(name, csiVolumeManifest(config, side), after(...secrets));
    const claim = new k8s.PersistentVolumeClaim(name, csiClaimManifest(config, side), after(volume));
    return [...secrets, volume, claim];
  }
}
