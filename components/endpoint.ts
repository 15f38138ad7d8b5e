import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { httpRouteManifest, ingressManifest, serviceManifest } from './manifests/endpoint.ts';
import { publicOrigin } from './names.ts';

/**
 * The way from the browser to the gateway. It does not depend on the pod: it is there before, so that the progress
 * page shows, and stays until the final save is done.
 */

export interface EndpointArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

export class Endpoint extends pulumi.ComponentResource {
  readonly url: string;
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, { config, dependsOn }: EndpointArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:Endpoint', name, {}, opts);
    const service = new k8s.Service(name, serviceManifest(config), {
      parent: this,
      dependsOn: [...dependsOn],
    });
    const options = { parent: this, dependsOn: [...dependsOn, service] };
    const way =
      config.gateway === undefined
        ? new k8s.Ingress(name, ingressManifest(config), options)
        : new k8s.CustomResource(name, httpRouteManifest(config, config.gateway), options);
    this.url = `${publicOrigin(config.namespace, config.domain, config.publicPort)}/`;
    this.resources = [service, way];
    this.registerOutputs({ url: this.url });
  }
}
