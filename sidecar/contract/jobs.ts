import * as z from 'zod';
import { DESKTOP_PATHS } from './paths.ts';

/**
 * Jobs: what the desktop asks of the broker on `RUN_FILES.jobsSocket`, what the broker answers, and what the program
 * tells the broker. Everything in a request comes from whoever runs in the desktop.
 */

/** Bounds of a request; the API server takes 256 KiB of annotations, in which a request travels to its pod. */
export const JOB_LIMITS = {
  /** Of a whole request. */
  requestBytes: 160 * 1024,
  arguments: 4096,
  argumentsBytes: 64 * 1024,
  variables: 512,
  environmentBytes: 64 * 1024,
  /** Jobs of an instance that have not ended. */
  active: 500,
} as const;

const isText = (text: string) => !text.includes('\0') && text.isWellFormed();
const text = (longest: number) => z.string().max(longest).refine(isText, 'a text without NUL is expected');

/** Absolute and plain, at or below the project's folder. Where links lead is seen by the pod alone, which has no more than that volume. */
function isInProject(path: string): boolean {
  const names = path.slice(1).split('/');
  const isPlain = names.every((name) => name !== '' && name !== '.' && name !== '..');
  return isPlain && (path === DESKTOP_PATHS.project || path.startsWith(`${DESKTOP_PATHS.project}/`));
}
const projectPath = text(4096).refine(
  isInProject,
  `an absolute path in ${DESKTOP_PATHS.project} without "." and ".." is expected`,
);

const bytesOf = (texts: readonly string[]) => texts.reduce((sum, each) => sum + Buffer.byteLength(each), 0);

const argv = z
  .array(text(JOB_LIMITS.argumentsBytes))
  .min(1)
  .max(JOB_LIMITS.arguments)
  .refine(([program]) => program !== '', 'a program is expected first')
  .refine(
    (all) => bytesOf(all) <= JOB_LIMITS.argumentsBytes,
    `at most ${JOB_LIMITS.argumentsBytes} bytes of arguments are expected`,
  );

const environment = z
  .record(
    z
      .string()
      .max(256)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
    text(JOB_LIMITS.environmentBytes),
  )
  .refine(
    (all) => Object.keys(all).length <= JOB_LIMITS.variables,
    `at most ${JOB_LIMITS.variables} variables are expected`,
  )
  .refine(
    (all) => bytesOf(Object.entries(all).flat()) <= JOB_LIMITS.environmentBytes,
    `at most ${JOB_LIMITS.environmentBytes} bytes of environment are expected`,
  );

/** What runs, and where: this alone reaches the pod, as one text beside a template that is always the same. */
export const jobCommandSchema = z.strictObject({
  command: z.union([z.strictObject({ argv }), z.strictObject({ script: projectPath })]),
  folder: projectPath,
  environment: environment.default({}),
  /** Files in the project to which output and errors are added; absent: the pod's own log. */
  output: projectPath.optional(),
  errors: projectPath.optional(),
});

export const jobRequestSchema = jobCommandSchema.extend({
  /** Drawn by the client for each submission: who asks again with it gets the same job. */
  clientId: z.string().regex(/^[0-9a-f]{32}$/, 'clientId: 32 hexadecimal digits are expected'),
  class: text(63),
  /** For people, e.g. Scipion's number of the run and its step. */
  name: z.string().regex(/^[\w. -]{1,100}$/, 'up to 100 letters, digits, blanks and "._-" are expected'),
  /** Less than the class gives; absent: all of it. */
  cpus: z.int().min(1).max(4096).optional(),
  memoryMebibytes: z.int().min(64).max(67_108_864).optional(),
  seconds: z.int().min(60).max(31_536_000).optional(),
  /** Somebody waits for it by `wait`: it is cancelled when nobody has done so for a while. */
  isHeld: z.boolean().default(false),
});
export type JobRequest = z.infer<typeof jobRequestSchema>;

/** What a site offers. */
export const jobClassSchema = z.strictObject({
  name: z.string(),
  description: z.string().optional(),
  cpus: z.int(),
  memoryMebibytes: z.int(),
  hours: z.int(),
});
export type JobClass = z.infer<typeof jobClassSchema>;

/** Labels and annotations by which every job is found again, and what of a request is in which. */
const PREFIX = 'scipion-instances.org';
export const JOB_MARKS = {
  id: `${PREFIX}/job`,
  class: `${PREFIX}/job-class`,
  /** Label of held jobs. */
  held: `${PREFIX}/job-held`,
  name: `${PREFIX}/job-name`,
  /** Annotation of the pod: a `jobCommandSchema` as JSON. */
  request: `${PREFIX}/job-request`,
  /** SHA-256 of the whole request: whoever comes with the same id and another request is refused. */
  digest: `${PREFIX}/job-digest`,
  /** What of the class it has, as JSON. */
  asked: `${PREFIX}/job-asked`,
  cancelledAt: `${PREFIX}/job-cancelled-at`,
  cancelledBecause: `${PREFIX}/job-cancelled-because`,
} as const;

export const JOB_NAME_PREFIX = 'scipion-job-';

/** Content of `CONFIG_FILES.jobs`. */
export const jobsConfigSchema = z.strictObject({
  namespace: z.string().min(1),
  /** Pod of the instance, whose owner owns the jobs. */
  pod: z.string().min(1),
  classes: z.array(jobClassSchema).min(1),
  /** A Job of Kubernetes without what a request says: the one shape that the admission policy lets through. */
  template: z.record(z.string(), z.unknown()),
});
export type JobsConfig = z.infer<typeof jobsConfigSchema>;

/** What a drain, or a pause, does with jobs that have not ended. */
export const jobsAtEndSchema = z.strictObject({
  choice: z.enum(['refuse', 'wait', 'cancel']),
  /** It waits so long for them to end, also for those that it cancels; then it is refused. */
  waitSeconds: z.int().min(0).max(31_536_000),
});
export type JobsAtEnd = z.infer<typeof jobsAtEndSchema>;
export const REFUSE_JOBS: JobsAtEnd = { choice: 'refuse', waitSeconds: 0 };
