import { createHash } from 'node:crypto';
import {
  JOB_MARKS,
  JOB_NAME_PREFIX,
  type JobClass,
  type JobRequest,
  type JobsConfig,
  jobCommandSchema,
} from '../../contract/jobs.ts';
import { JobError } from './job-error.ts';
import type { OwnerReference } from './kubernetes-objects.ts';

/** Makes the Job of a request from the template: nothing of a request gets anywhere but into two labels and a few annotations. */

/** What a request has of its class. */
export interface Asked {
  readonly cpus: number;
  readonly memoryMebibytes: number;
  readonly seconds: number;
}

/** @throws JobError where it is more than the class has */
export function askedOf(
  request: JobRequest,
  { name, cpus, memoryMebibytes, hours }: JobsConfig['classes'][number],
): Asked {
  const most = { cpus, memoryMebibytes, seconds: hours * 3600 };
  const asked = {
    cpus: request.cpus ?? most.cpus,
    memoryMebibytes: request.memoryMebibytes ?? most.memoryMebibytes,
    seconds: request.seconds ?? most.seconds,
  };
  for (const key of ['cpus', 'memoryMebibytes', 'seconds'] as const)
    if (asked[key] > most[key])
      throw new JobError(
        'too-large',
        `${asked[key]} ${WORDS[key]} were asked for; the class ${name} has at most ${most[key]}. Ask for less, or take another class.`,
      );
  return asked;
}

const WORDS = { cpus: 'CPUs', memoryMebibytes: 'MiB of memory', seconds: 'seconds' } as const;

/** 15 digits, the first not 0: Scipion takes the first digits of an answer for the job's number. */
const FEWEST = 10n ** 14n;
const MANY = 9n * FEWEST;

/** The same submission always has the same number, so that its second attempt meets the object of its first one. */
export function jobIdOf(namespace: string, clientId: string): string {
  const hash = createHash('sha256').update(`${namespace}\n${clientId}`).digest('hex').slice(0, 32);
  return String((BigInt(`0x${hash}`) % MANY) + FEWEST);
}

export const jobNameOf = (id: string) => `${JOB_NAME_PREFIX}${id}`;

/** Whether two submissions with one number are the same. */
export const digestOf = (request: JobRequest) =>
  createHash('sha256')
    .update(JSON.stringify(sorted(request)))
    .digest('hex');

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, part]) => [key, sorted(part)]);
}

interface Template {
  readonly metadata: { readonly labels: object };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: object; readonly annotations: object };
      readonly spec: { readonly containers: readonly object[] };
    };
  };
}

/** @param asked within `jobClass` */
export function jobObject(
  config: JobsConfig,
  request: JobRequest,
  { jobClass, asked, owner }: { jobClass: JobClass; asked: Asked; owner: OwnerReference },
): object {
  const { metadata, spec } = config.template as unknown as Template;
  const id = jobIdOf(config.namespace, request.clientId);
  const { command, folder, environment, output, errors } = request;
  const run = jobCommandSchema.parse({ command, folder, environment, output, errors });
  const marks = { [JOB_MARKS.id]: id, [JOB_MARKS.class]: jobClass.name };
  const amounts = { cpu: String(asked.cpus), memory: `${asked.memoryMebibytes}Mi` };
  const [container] = spec.template.spec.containers as readonly { readonly resources: Resources }[];
  const { requests, limits } = container?.resources ?? { requests: {}, limits: {} };
  return {
    ...config.template,
    metadata: {
      ...metadata,
      name: jobNameOf(id),
      namespace: config.namespace,
      labels: { ...metadata.labels, ...marks, [JOB_MARKS.held]: String(request.isHeld) },
      annotations: {
        [JOB_MARKS.name]: request.name,
        [JOB_MARKS.digest]: digestOf(request),
        [JOB_MARKS.asked]: JSON.stringify(asked),
      },
      ownerReferences: [owner],
    },
    spec: {
      ...spec,
      activeDeadlineSeconds: asked.seconds,
      template: {
        metadata: {
          ...spec.template.metadata,
          labels: { ...spec.template.metadata.labels, ...marks },
          annotations: { ...spec.template.metadata.annotations, [JOB_MARKS.request]: JSON.stringify(run) },
        },
        spec: {
          ...spec.template.spec,
          containers: [
            {
              ...container,
              resources: { requests: { ...requests, ...amounts }, limits: { ...limits, ...amounts } },
            },
          ],
        },
      },
    },
  };
}

interface Resources {
  readonly requests: object;
  readonly limits: object;
}
