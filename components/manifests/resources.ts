import type { InstanceConfig } from '../../stacks/load.ts';
import { bytesQuantity, cpuQuantity, parseSizeBytes } from '../../stacks/units.ts';

/**
 * Shares of the three containers in what the stack asks for. The sums are exactly the stack's numbers, so that an
 * instance of 10 guaranteed and 14 limit CPUs takes these and no more of the quota.
 */

const MEBIBYTE = 2 ** 20;
/** Buffers of transfers and SQLite copies are bounded; the same for guarantee and limit, so that the node never evicts it first. */
const SYNC_MEMORY = 512 * MEBIBYTE;
/** Node.js with a scrypt hash of 16 MiB at a time. */
const GATEWAY_MEMORY = 256 * MEBIBYTE;
/** Of the broker, where there are jobs. */
const JOBS_MEMORY = 128 * MEBIBYTE;
const JOBS_CPU = { requests: 25, limits: 250 } as const;

const clamp = (value: number, least: number, most: number) =>
  Math.min(most, Math.max(least, Math.round(value)));

interface CpuShares {
  readonly sync: number;
  readonly gateway: number;
  readonly desktop: number;
}

/** A quarter for each helper, so that a login, a picture stream or a copy is not throttled; the desktop has the rest. */
function limitShares(total: number): CpuShares {
  const sync = clamp(total / 4, 100, 2000);
  const gateway = clamp(total / 4, 100, 1000);
  return { sync, gateway, desktop: total - sync - gateway };
}

/** Little for the helpers and the rest for the desktop, each up to its limit; what is left over goes to the helpers. */
function guaranteedShares(total: number, limits: CpuShares): CpuShares {
  const least = { sync: clamp(total / 10, 50, 250), gateway: 25 };
  const desktop = Math.min(total - least.sync - least.gateway, limits.desktop);
  const sync = Math.min(total - desktop - least.gateway, limits.sync);
  return { sync, gateway: total - desktop - sync, desktop };
}

/**
 * What a container may write besides its volumes: logs and its emptyDirs. None is asked for: a node that does not count
 * it offers none, and the pod would find no place.
 */
const NO_STORAGE = '0';

function requirements(requestMillis: number, limitMillis: number, memory: string, scratch: string) {
  return {
    requests: { cpu: cpuQuantity(requestMillis), memory, 'ephemeral-storage': NO_STORAGE },
    limits: { cpu: cpuQuantity(limitMillis), memory, 'ephemeral-storage': scratch },
  };
}

/** Bounds of the emptyDirs of the pod; what goes beyond ends the pod, so they are far above what is used. */
export const SCRATCH = { run: '64Mi', gateway: '256Mi', sync: '1Gi', jobs: '64Mi' } as const;
/** Beside the emptyDirs: the logs, of which the kubelet keeps a few files. */
const LOGS_BYTES = 256 * MEBIBYTE;

const withLogs = (size: string, directories = 1) =>
  bytesQuantity(directories * (parseSizeBytes(size) ?? 0) + LOGS_BYTES);

/** Kubernetes resource requirements of each container. */
export function containerResources(
  config: Pick<InstanceConfig, 'cpuGuaranteed' | 'cpuLimit' | 'memory' | 'scratchSize'> &
    Partial<Pick<InstanceConfig, 'jobs'>>,
) {
  const broker = config.jobs ? { ...JOBS_CPU, memory: JOBS_MEMORY } : { requests: 0, limits: 0, memory: 0 };
  const limits = limitShares(config.cpuLimit - broker.limits);
  const requests = guaranteedShares(config.cpuGuaranteed - broker.requests, limits);
  const desktopMemory = (parseSizeBytes(config.memory) ?? 0) - SYNC_MEMORY - GATEWAY_MEMORY - broker.memory;
  return {
    jobs: requirements(broker.requests, broker.limits, bytesQuantity(broker.memory), withLogs(SCRATCH.jobs)),
    sync: requirements(requests.sync, limits.sync, bytesQuantity(SYNC_MEMORY), withLogs(SCRATCH.sync)),
    gateway: requirements(
      requests.gateway,
      limits.gateway,
      bytesQuantity(GATEWAY_MEMORY),
      withLogs(SCRATCH.gateway),
    ),
    // Its home and its /tmp.
    desktop: requirements(
      requests.desktop,
      limits.desktop,
      bytesQuantity(desktopMemory),
      withLogs(config.scratchSize, 2),
    ),
  };
}
