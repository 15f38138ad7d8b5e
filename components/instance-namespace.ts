import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { limitsManifest, namespaceManifest, quotaManifest } from './manifests/namespace.ts';

/**
 * The namespace of one instance with its quota, limits and Pod Security level. Its fixed name is the lock: a second
 * stack of the same namespace is refused. Where users may not create namespaces, an existing one is used as it is.
 */

export interface InstanceNamespaceArgs {
  readonly config: InstanceConfig;
  /** Runs before the namespace is created and says who has the name already. */
  readonly claimHook: pulumi.ResourceHook;
  /** Runs before the namespace is deleted and refuses while the instance is in it. */
  readonly inUseHook: pulumi.ResourceHook;
}

export class InstanceNamespace extends pulumi.ComponentResource {
  /** What everything else of the instance depends on; empty for an existing namespace. */
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: InstanceNamespaceArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:Namespace', name, {}, opts);
    this.resources = args.config.createNamespace ? this.createAll(name, args) : [];
    this.registerOutputs();
  }

  private createAll(
    name: string,
    { config, claimHook, inUseHook }: InstanceNamespaceArgs,
  ): pulumi.Resource[] {
    const namespace = new k8s.Namespace(name, namespaceManifest(config), {
      parent: this,
      hooks: { beforeCreate: [claimHook], beforeDelete: [inUseHook] },
      // It goes last and waits for every object in it, those of others too.
      customTimeouts: { delete: '30m' },
    });
    const inside = { parent: this, dependsOn: [namespace] };
    return [
      namespace,
      new k8s.ResourceQuota(`${name}-quota`, quotaManifest(config), inside),
      new k8s.LimitRange(`${name}-limits`, limitsManifest(config), inside),
    ];
  }
}
