import * as k8s from '@pulumi/kubernetes';
import * as pulumi from '@pulumi/pulumi';
import { ONEDATA_SECRET_KEYS } from '../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import { metadata } from './manifests/metadata.ts';
import { NAMES } from './names.ts';

/**
 * The Secret with both Onedata tokens, for `sync` alone. Mounted as a directory: a new token arrives without a restart.
 * Nothing is created where the stack names a Secret that exists.
 */

export interface OnedataCredentialsArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class OnedataCredentials extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: OnedataCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:OnedataCredentials', name, {}, opts);
    this.resources = args.config.onedataSecret === undefined ? [this.createSecret(name, args)] : [];
    this.registerOutputs();
  }

  private createSecret(name: string, { config, dependsOn }: OnedataCredentialsArgs): pulumi.Resource {
    const { sourceToken, projectToken } = config;
    if (!sourceToken || !projectToken)
      throw new Error('Both tokens are needed: stacks/load.ts lets no other stack pass.');
    const manifest = {
      metadata: metadata(config, NAMES.onedataSecret, 'sync'),
      type: 'Opaque',
      stringData: {
        [ONEDATA_SECRET_KEYS.sourceToken]: sourceToken,
        [ONEDATA_SECRET_KEYS.projectToken]: projectToken,
      },
    };
    return new k8s.core.v1.Secret(name, manifest, { parent: this, dependsOn: [...dependsOn] });
  }
}
