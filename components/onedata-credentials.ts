import * as pulumi from '@pulumi/pulumi';
import { ONEDATA_SECRET_KEYS } from '../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { metadata } from './manifests/metadata.ts';
import { isInOwnSecret, SIDES, type Side } from './manifests/onedata-access.ts';
import { NAMES } from './names.ts';

/**
 * The Secret with the Onedata tokens that the stack holds, for `sync` alone. Mounted as a directory: a new token arrives without a restart.
 * Nothing is created where the stack names Secrets that exist, or volumes that show the spaces.
 */

const SECRET_KEY = {
  source: ONEDATA_SECRET_KEYS.sourceToken,
  project: ONEDATA_SECRET_KEYS.projectToken,
} as const;

export interface OnedataCredentialsArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class OnedataCredentials extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: OnedataCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:OnedataCredentials', name, {}, opts);
    const sides = SIDES.filter((side) => isInOwnSecret(args.config, side));
    this.resources = sides.length > 0 ? [this.createSecret(name, args, sides)] : [];
    this.registerOutputs();
  }

  private createSecret(
    name: string,
    { config, dependsOn }: OnedataCredentialsArgs,
    sides: readonly Side[],
  ): pulumi.Resource {
    const tokens = { source: config.sourceToken, project: config.projectToken };
    const entries = sides.map((side) => {
      const token = tokens[side];
      if (!token) throw new Error(`The ${side} token is needed: stacks/load.ts lets no other stack pass.`);
      return [SECRET_KEY[side], token] as const;
    });
    const manifest = {
      metadata: metadata(config, NAMES.onedataSecret, 'sync'),
      type: 'Opaque',
      stringData: Object.fromEntries(entries),
    };
    return new k8s.Secret(name, manifest, { parent: this, dependsOn: [...dependsOn] });
  }
}
