import { availableParallelism } from 'node:os';
import type { JobClassSetting } from '../../stacks/job-fields.ts';
import { kubectl, type Target } from './target.ts';

/** What `--jobs` sets for a machine like this one; any of it can be given by `--config` too. */

const ADDRESSES = [
  ...[
    'get',
    'endpointslices',
    '--namespace',
    'default',
    '--selector',
    'kubernetes.io/service-name=kubernetes',
  ],
  ...['--output', 'jsonpath={.items[*].endpoints[*].addresses[*]}'],
];

/** @throws Error where the cluster does not say where its API server is */
export async function jobsOverrides(target: Target): Promise<Record<string, string>> {
  const addresses = (await kubectl(target, ADDRESSES)).trim().split(/\s+/).filter(Boolean);
  if (addresses.length === 0)
    throw new Error(
      'Where the API server of the cluster is cannot be seen: found no endpoint of the Service default/kubernetes. ' +
        `Leave out --jobs and set the keys of docs/jobs.md by --config, with its network in scipion:apiServerNetworks.`,
    );
  return {
    'scipion:jobs': 'true',
    'scipion:apiServerNetworks': JSON.stringify(addresses.map(networkOf)),
    'scipion:jobClasses': JSON.stringify(classesFor(availableParallelism())),
  };
}

const networkOf = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`;

/** What a class has is there for its job alone: one processor stays for the desktop and everything else. */
export function classesFor(processors: number): JobClassSetting[] {
  const most = Math.min(8, Math.max(1, processors - 1));
  return [
    { name: 'small', description: 'For most', cpus: 1, memory: '1Gi', hours: 8 },
    { name: 'large', description: 'What this machine can spare', cpus: most, memory: '4Gi', hours: 24 },
  ];
}
