import * as pulumi from '@pulumi/pulumi';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { configMapManifest } from './manifests/config-map.ts';
import {
  disruptionBudgetManifest,
  serviceAccountManifest,
  statefulSetManifest,
} from './manifests/workload.ts';

/**
 * The pod and what only it needs. The StatefulSet depends on everything else of the instance, so it is created last,
 * and deleted first and alone: while its hook saves, and while its pod ends, all else is in place.
 */

export interface WorkloadArgs {
  readonly config: InstanceConfig;
  /** The namespace, which ConfigMap, ServiceAccount and PodDisruptionBudget need. */
  readonly namespace: readonly pulumi.Resource[];
  /** Everything else of the instance. */
  readonly dependsOn: readonly pulumi.Resource[];
  /** Saves before the StatefulSet is deleted. */
  readonly drainHook: pulumi.ResourceHook;
  /** Ends jobs before a pause, where there may be any. */
  readonly closeJobsHook: pulumi.ResourceHook | undefined;
}

/** For the kubelet to clean up once the grace is over, and for the controllers to notice. */
const DELETE_MARGIN_SECONDS = 300;
const START_TIMEOUT = '30m';

export class Workload extends pulumi.ComponentResource {
  readonly statefulSet: k8s.StatefulSet;

  constructor(name: string, args: WorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:Workload', name, {}, opts);
    const { config, namespace } = args;
    const first = { parent: this, dependsOn: [...namespace] };
    const configMap = new k8s.ConfigMap(name, configMapManifest(config), first);
    const account = new k8s.ServiceAccount(name, serviceAccountManifest(config), first);
    const budget = new k8s.PodDisruptionBudget(name, disruptionBudgetManifest(config), first);
    this.statefulSet = new k8s.StatefulSet(name, statefulSetManifest(config), {
      parent: this,
      dependsOn: [...namespace, ...args.dependsOn, configMap, account, budget],
      hooks: {
        beforeDelete: [args.drainHook],
        ...(args.closeJobsHook === undefined ? {} : { beforeUpdate: [args.closeJobsHook] }),
      },
      customTimeouts: {
        // Because the first start on a node fetches images of gigabytes.
        create: START_TIMEOUT,
        update: START_TIMEOUT,
        // Because a delete that is given up while the pod still saves ends a removal half-way.
        delete: `${config.finalSaveGrace + DELETE_MARGIN_SECONDS}s`,
      },
    });
    this.registerOutputs();
  }
}
