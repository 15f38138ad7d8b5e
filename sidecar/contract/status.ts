import * as z from 'zod';

/**
 * What `sync` says of itself: `GET /v1/status` on its socket answers one of these, `GET /v1/events` sends one as a
 * server-sent event at each change (at most four a second). Read by the gateway, the command line, tests.
 */

/**
 * starting → copying (stage-in and restore at once) → running ⇄ saving → (final-saving → stopped | draining → drained).
 * In any phase `problems` says what must change outside before work goes on; it goes on by itself when that has changed.
 */
export const phaseSchema = z.enum([
  'starting',
  'copying',
  'running',
  'saving',
  'draining',
  'drained',
  'final-saving',
  'stopped',
]);
export type Phase = z.infer<typeof phaseSchema>;

/** Stable ids of what can be wrong, each with a sentence for the scientist. */
export const problemCodeSchema = z.enum([
  'onedata-unreachable',
  'token-invalid',
  'token-expired',
  'token-not-permitted',
  'space-unknown',
  'space-not-supported',
  'volume-full',
  'space-full',
  'lease-held',
  'unsaved-work',
  'deletions-guarded',
  'files-unreadable',
  'volume-not-mounted',
  'state-damaged',
  'internal',
]);
export type ProblemCode = z.infer<typeof problemCodeSchema>;

const problemSchema = z.object({
  code: problemCodeSchema,
  /** Which of the two spaces it concerns, where it concerns one. */
  space: z.enum(['source', 'project']).optional(),
  /** One or two sentences a scientist understands: what failed, what was found, what to do. */
  message: z.string(),
  /** ISO 8601, UTC: when it began. */
  since: z.iso.datetime(),
  /** ISO 8601: next attempt, where one is planned. */
  retryAt: z.iso.datetime().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

const sideSchema = z.enum(['source', 'project']);

/** What works but is better changed. Nothing waits for it. */
const warningSchema = z.object({
  code: z.enum(['token-advice', 'token-expires-soon']),
  space: sideSchema,
  /** One or two sentences a scientist understands: what was found, what to do. */
  message: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

/** Progress of one copy. Totals are null until the listing is complete, as are rate and time left. */
const transferSchema = z.object({
  state: z.enum(['pending', 'listing', 'copying', 'done', 'waiting']),
  filesDone: z.int().min(0),
  filesTotal: z.int().min(0).nullable(),
  bytesDone: z.number().min(0),
  bytesTotal: z.number().min(0).nullable(),
  bytesPerSecond: z.number().min(0).nullable(),
  secondsLeft: z.number().min(0).nullable(),
});
export type Transfer = z.infer<typeof transferSchema>;

export const syncStatusSchema = z.object({
  phase: phaseSchema,
  /** Data is on both volumes and the desktop may run. */
  ready: z.boolean(),
  source: transferSchema,
  /** The restore at start; afterwards the save in progress or the last one. */
  project: transferSchema,
  save: z.object({
    lastSavedAt: z.iso.datetime().nullable(),
    lastSaveDurationSeconds: z.number().nullable(),
    /** Counts complete saves of this project space; rises by one with each. */
    generation: z.int().min(0),
    /** null: not known since the last look. */
    unsavedChanges: z.boolean().nullable(),
    nextSaveAt: z.iso.datetime().nullable(),
    lastError: z.string().nullable(),
  }),
  problems: z.array(problemSchema),
  /** Absent: nothing was looked at yet. */
  warnings: z.array(warningSchema).optional(),
  /** ISO 8601, UTC, for each space whose token was checked; null: it never ends, or the zone could not be asked. */
  tokenExpiresAt: z.partialRecord(sideSchema, z.iso.datetime().nullable()).optional(),
});
export type SyncStatus = z.infer<typeof syncStatusSchema>;

export const EMPTY_TRANSFER: Transfer = {
  state: 'pending',
  filesDone: 0,
  filesTotal: null,
  bytesDone: 0,
  bytesTotal: null,
  bytesPerSecond: null,
  secondsLeft: null,
};
