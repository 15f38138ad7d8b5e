import { largest } from '../../stacks/job-fields.ts';
import type { InstanceConfig } from '../../stacks/load.ts';
import { bytesQuantity, cpuQuantity, parseSizeBytes } from '../../stacks/units.ts';
import { NAMES } from '../names.ts';
import { labels, metadata, STACK_ANNOTATION } from './metadata.ts';
import { CSI_SIZE, isByCsi, SIDES } from './onedata-access.ts';

/** Namespace, its quota and the limits of containers that say none. */

export const POD_SECURITY = 'restricted';

export const podSecurityLabels = (): Record<string, string> =>
  Object.fromEntries(
    ['enforce', 'audit', 'warn'].flatMap((mode) => [
      [`pod-security.kubernetes.io/${mode}`, POD_SECURITY],
      [`pod-security.kubernetes.io/${mode}-version`, 'latest'],
    ]),
  );

export function namespaceManifest(config: InstanceConfig) {
  return {
    metadata: {
      name: config.namespace,
      annotations: { [STACK_ANNOTATION]: config.stack },
      labels: { ...labels(config, 'namespace'), ...podSecurityLabels() },
    },
  };
}

/** For the pods of others in the namespace, e.g. those with which cert-manager proves who has the host name. */
const HELPERS_MEMORY = 2 ** 31;

const bytesOf = (size: string) => parseSizeBytes(size) ?? 0;

const MEBIBYTE = 2 ** 20;
const jobsMemory = ({ jobs, jobMemory, jobClasses }: InstanceConfig) =>
  !jobs ? 0 : jobMemory === undefined ? largest(jobClasses, 'memory') : bytesOf(jobMemory);
const memoryQuota = (config: InstanceConfig) =>
  bytesQuantity(bytesOf(config.memory) + HELPERS_MEMORY + jobsMemory(config));

/** Of all claims that the instance makes. */
const claimSizes = (config: InstanceConfig) => [
  config.sourceVolumeSize,
  config.projectVolumeSize,
  ...SIDES.filter((side) => isByCsi(config, side)).map(() => CSI_SIZE),
];

const storageQuota = (config: InstanceConfig) =>
  bytesQuantity(claimSizes(config).reduce((sum, size) => sum + bytesOf(size), 0) + MEBIBYTE - 1);

export function quotaManifest(config: InstanceConfig) {
  return {
    metadata: metadata(config, NAMES.quota, 'namespace'),
    spec: {
      hard: {
        'requests.cpu': cpuQuantity(config.quotaCpuGuaranteed),
        'limits.cpu': cpuQuantity(config.quotaCpuLimit),
        'requests.memory': memoryQuota(config),
        'limits.memory': memoryQuota(config),
        'requests.storage': storageQuota(config),
        persistentvolumeclaims: String(claimSizes(config).length),
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
          default: { cpu: '500m', memory: '256Mi', 'ephemeral-storage': '1Gi' },
          defaultRequest: { cpu: '50m', memory: '64Mi', 'ephemeral-storage': '0' },
        },
      ],
    },
  };
}
