import type { InstanceConfig } from '../../stacks/load.ts';
import { cpuQuantity } from '../../stacks/units.ts';
import { NAMES } from '../names.ts';
import { labels, metadata, STACK_ANNOTATION } from './metadata.ts';

/** Namespace, its quota and the limits of containers that say none. */

const POD_SECURITY = 'restricted';

export function namespaceManifest(config: InstanceConfig) {
  const security = ['enforce', 'audit', 'warn'].flatMap((mode) => [
    [`pod-security.kubernetes.io/${mode}`, POD_SECURITY],
    [`pod-security.kubernetes.io/${mode}-version`, 'latest'],
  ]);
  return {
    metadata: {
      name: config.namespace,
      annotations: { [STACK_ANNOTATION]: config.stack },
      labels: { ...labels(config, 'namespace'), ...Object.fromEntries(security) },
    },
  };
}

export function quotaManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.quota, 'namespace'),
    spec: {
      hard: {
        'requests.cpu': cpuQuantity(config.quotaCpuGuaranteed),
        'limits.cpu': cpuQuantity(config.quotaCpuLimit),
        // One instance a namespace: a second workload would write the same volumes.
        'count/statefulsets.apps': '1',
      },
    },
  };
}

/** For helpers of others in the namespace, e.g. the solver pods of cert-manager: the quota refuses pods without limits. */
export function limitsManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.limits, 'namespace'),
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m', memory: '256Mi' },
          defaultRequest: { cpu: '50m', memory: '64Mi' },
        },
      ],
    },
  };
}
