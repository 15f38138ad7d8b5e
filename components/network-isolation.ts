import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import {
  certificateSolverPolicyManifest,
  defaultDenyManifest,
  instancePolicyManifest,
  jobPolicyManifest,
} from './manifests/network.ts';

/**
 * What may reach the pod and what the pod may reach. In an existing namespace only the instance's own pod is closed,
 * since the others belong to somebody else.
 */

export interface NetworkIsolationArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class NetworkIsolation extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: NetworkIsolationArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:NetworkIsolation', name, {}, opts);
    this.resources = args.config.networkIsolation ? this.createPolicies(name, args) : [];
    this.registerOutputs();
  }

  private createPolicies(name: string, { config, dependsOn }: NetworkIsolationArgs): pulumi.Resource[] {
    const options = { parent: this, dependsOn: [...dependsOn] };
    const policies = [new k8s.NetworkPolicy(name, instancePolicyManifest(config), options)];
    if (config.jobs) policies.push(new k8s.NetworkPolicy(`${name}-job`, jobPolicyManifest(config), options));
    if (!config.createNamespace) return policies;
    policies.push(new k8s.NetworkPolicy(`${name}-default-deny`, defaultDenyManifest(config), options));
    if (config.tlsIssuer !== undefined) {
      policies.push(
        new k8s.NetworkPolicy(`${name}-certificate-solver`, certificateSolverPolicyManifest(config), options),
      );
    }
    return policies;
  }
}
