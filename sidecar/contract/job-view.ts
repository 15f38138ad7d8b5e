import * as z from 'zod';

/** Jobs as they are told of: by the broker to the desktop, `sync` and the gateway, and by that to a page. */

/** A number that fits where Scipion keeps it. */
export const jobIdSchema = z.string().regex(/^[1-9]\d{14}$/);

/** Stands for the sentence of a job, for a page in another language. */
const jobWhySchema = z.enum([
  'no-pod',
  'pod-refused',
  'cannot-start',
  'no-room',
  'starting',
  'running',
  'cancelling',
  'node-silent',
  'cancelled',
  'done',
  'out-of-time',
  'out-of-memory',
  'evicted',
  'disrupted',
  'failed',
  'pod-gone',
]);
export type JobWhy = z.infer<typeof jobWhySchema>;

export const jobViewSchema = z.object({
  id: jobIdSchema,
  name: z.string(),
  class: z.string(),
  state: z.enum(['pending', 'running', 'ended', 'lost']),
  /** Of `ended`, where the command came to its end. */
  exitCode: z.int().nullable(),
  /** Why it waits, or how it ended; a sentence. */
  reason: z.string(),
  why: jobWhySchema,
  /** What the cluster, or who cancelled it, said of it; it is in `reason`, too. */
  detail: z.string(),
  isCancelled: z.boolean(),
  isHeld: z.boolean(),
  cpus: z.number(),
  memoryMebibytes: z.number(),
  /** ISO 8601, UTC. */
  submittedAt: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  node: z.string().nullable(),
  /** Files in the project that have its output and errors; null: it writes to the log of its pod. */
  output: z.string().nullable(),
  errors: z.string().nullable(),
  /** What it took, as its pod said at its end. */
  used: z.object({ cpuSeconds: z.number(), maxMemoryBytes: z.number() }).nullable(),
});
export type JobView = z.infer<typeof jobViewSchema>;

/** How many jobs there are, and some of them: first what runs, then what waits, then what has ended, each newest first. */
export const jobsSummarySchema = z.object({
  isClosed: z.boolean(),
  running: z.int().min(0),
  waiting: z.int().min(0),
  ended: z.int().min(0),
  jobs: z.array(jobViewSchema),
});
export type JobsSummary = z.infer<typeof jobsSummarySchema>;

/** Who may cancel a job, besides the broker itself, and what its log says then. */
export const JOB_CANCELLERS = {
  desktop: 'somebody in the desktop asked for it',
  page: 'somebody asked for it on the page of the instance',
  end: 'the instance is removed or paused',
} as const;
