import * as z from 'zod';
import { durationSeconds, field, json, size, yesOrNo } from './fields.ts';
import { CIDR_SHAPE, isStorable } from './grammar.ts';
import { isOpenable } from './networks.ts';
import { describeDuration, parseSizeBytes } from './units.ts';

/** What a site says of jobs: what a protocol of Scipion may have in the cluster beside the desktop. */

const MEBIBYTE = 2 ** 20;
const GIBIBYTE = 2 ** 30;
const MOST = 20;
const HOUR = 3600;

const memory = z
  .string()
  .regex(/^[1-9]\d{0,6}(Mi|Gi|Ti)$/)
  .refine((text) => (parseSizeBytes(text) ?? 0) >= 256 * MEBIBYTE);

const jobClass = z.strictObject({
  /** It stands in a command line of Scipion. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  description: z
    .string()
    .max(200)
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}%]*$/u)
    .refine(isStorable)
    .optional(),
  cpus: z.int().min(1).max(1024),
  memory,
  hours: z.int().min(1).max(8760),
});
export type JobClassSetting = z.infer<typeof jobClass>;

export const jobFields = {
  jobs: field(yesOrNo().default(false), {
    description:
      'Whether protocols of Scipion may run as Jobs of Kubernetes beside the desktop. The instance then has a broker, the one container with rights in the cluster, bounded by an admission policy (docs/jobs.md).',
    allowed: 'true or false',
    example: 'true',
    group: 'site',
  }),
  jobClasses: field(
    json(z.array(jobClass).min(1).max(MOST)).default([
      { name: 'small', cpus: 2, memory: '4Gi', hours: 24 },
      { name: 'large', cpus: 8, memory: '16Gi', hours: 72 },
    ]),
    {
      description:
        'Classes of jobs, which Scipion offers as queues. A job has at most what its class says, guaranteed and limit.',
      allowed:
        'a list of {name, description, cpus, memory, hours}: name of up to 31 of a-z, 0-9 and "-", memory from 256Mi in Mi, Gi or Ti, whole CPUs and hours',
      example: '[{"name":"small","cpus":2,"memory":"4Gi","hours":24}]',
      group: 'site',
      defaultNote: '`small` (2 CPUs, 4Gi, 24 hours) and `large` (8 CPUs, 16Gi, 72 hours)',
    },
  ),
  jobMemory: field(size(GIBIBYTE / 4, 1024 * 1024 * GIBIBYTE).optional(), {
    description: 'Memory that all running jobs of the instance have together; it is added to the quota.',
    allowed: 'a size from 256Mi to 1024Ti, not below that of the largest class',
    example: '64Gi',
    group: 'site',
    defaultNote: 'that of the largest class',
  }),
  jobsAtRemoval: field(z.enum(['refuse', 'wait', 'cancel']).default('refuse'), {
    description:
      'What a removal or a pause does with jobs that have not ended. No job is taken from then on; `wait` waits for them, `cancel` cancels them, `refuse` changes nothing.',
    allowed: 'refuse, wait or cancel',
    example: 'wait',
    group: 'user',
  }),
  jobsWait: field(durationSeconds(60, 7 * 24 * HOUR).default(HOUR), {
    description:
      'How long a removal or a pause waits for jobs, also for those that it cancels; it is refused after that, and the jobs run on.',
    allowed: 'a duration from 60 seconds to 7 days',
    example: '12 hours',
    group: 'user',
    defaultNote: describeDuration(HOUR),
  }),
  apiServerNetworks: field(
    json(z.array(z.string().regex(CIDR_SHAPE).refine(isOpenable)).max(MOST)).default([]),
    {
      description:
        'Networks in which the API server of the cluster is, which the broker of the jobs must reach at ports 443 and 6443 (`kubectl get endpoints kubernetes`).',
      allowed:
        'a list of networks in CIDR notation, none of them wholly closed (metadata addresses of clouds)',
      example: '["192.0.2.1/32"]',
      group: 'site',
    },
  ),
};

/** Of the class that has most of it. */
export const largest = (classes: readonly JobClassSetting[], what: 'cpus' | 'memory'): number =>
  Math.max(...classes.map((each) => (what === 'cpus' ? each.cpus : (parseSizeBytes(each.memory) ?? 0))));
