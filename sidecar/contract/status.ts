import * as z from 'zod';
import { activitySchema } from './activity.ts';

/**
 * What `sync` says of itself: `GET /v1/status` on its socket answers one of these, `GET /v1/events` sends one as a
 * server-sent event at each change (at most four a second). Read by the gateway, the command line, tests.
 */

/** An event stream that says nothing for longer looks dead to its reader, so the status comes again after so long. */
export const STATUS_EVERY_MS = 10_000;

/**
 * starting → copying (stage-in and restore at once) → running ⇄ saving → (final-saving → stopped | draining → drained).
 * In any phase `problems` says what must change outside before work goes on; it continues automatically when that has changed.
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
  /** Files or folders that were left out of a save; `fileProblems` has their names. */
  'files-unreadable',
  /** Files of the project that could not be restored: the desktop waits for `sync confirm missing`. */
  'files-missing',
  /** The folder that all of the project lies in may not be read, so nothing of it is saved. */
  'project-closed',
  'volume-not-mounted',
  'state-damaged',
  'internal',
]);
export type ProblemCode = z.infer<typeof problemCodeSchema>;

/** What a person may agree to, with the number that has been told: `sync confirm`, or a button of the page. */
export const confirmationSchema = z.strictObject({
  what: z.enum(['deletions', 'missing', 'unsaved']),
  count: z.int().min(1),
});
export type Confirmation = z.infer<typeof confirmationSchema>;

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
  /** What it waits for a person to agree to. */
  confirm: confirmationSchema.optional(),
});
export type Problem = z.infer<typeof problemSchema>;

const sideSchema = z.enum(['source', 'project']);

/** Stable ids of what keeps a single file or folder from being staged, restored or saved. */
export const fileProblemCodeSchema = z.enum([
  /** The rights on it, on the volume or in the space, keep this program out. */
  'no-access',
  /** The disk of the volume cannot read or write it. */
  'disk-fault',
  /** The space, or the storage behind it, fails at this file and serves others. */
  'space-fault',
  /** It keeps changing while it is being read. */
  'changing',
  /** It is so large that it comes over several saves. */
  'sending',
  /** A database that another program has locked. */
  'database-locked',
  /** Name or path are longer than the system allows. */
  'name-too-long',
  /** Something else is at its place. */
  'in-the-way',
  /** It, or the copy that a database needs to be saved, has no room on the volume. */
  'no-room',
  /** The space lists it and does not have its content. */
  'not-in-space',
  /** A save that could not be completed has put it into the trash of the space. */
  'put-away',
  /** Its content is not what its checksum says. */
  'damaged',
  /** Neither side can hold something about it. */
  'not-possible',
]);
export type FileProblemCode = z.infer<typeof fileProblemCodeSchema>;

/** One file or folder that was left out; all others were copied. */
const fileProblemSchema = z.object({
  /** In the space; of a folder: it and all that is in it. */
  path: z.string(),
  isFolder: z.boolean(),
  space: sideSchema,
  during: z.enum(['stage-in', 'restore', 'save']),
  code: fileProblemCodeSchema,
  /** One or two sentences a scientist understands: what is wrong with it, what to do. */
  message: z.string(),
  /** ISO 8601, UTC: when it began. */
  since: z.iso.datetime(),
});
export type FileProblem = z.infer<typeof fileProblemSchema>;

/** At most so many files are named; the total is always right. */
export const MAX_FILE_PROBLEMS = 200;
const fileProblemsSchema = z.object({ total: z.int().min(0), items: z.array(fileProblemSchema) });
export type FileProblems = z.infer<typeof fileProblemsSchema>;

/** What works but is better changed. Nothing waits for it. */
const warningSchema = z.object({
  code: z.enum([
    'token-advice',
    'token-expires-soon',
    'space-repaired',
    'files-removed',
    'trash-shortened',
    'settings-refused',
    /** A drain or a pause waits for jobs, `at` most until then. */
    'jobs-awaited',
    /** `at`: the instance is saved and paused then, by whoever looks after it. */
    'pauses-soon',
  ]),
  /** Which of the two spaces it concerns, where it concerns one. */
  space: sideSchema.optional(),
  /** One or two sentences a scientist understands: what was found, what to do. */
  message: z.string(),
  /** ISO 8601, UTC, where it is about a time. */
  at: z.iso.datetime().optional(),
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

const volumeSchema = z.object({ freeBytes: z.number().min(0), totalBytes: z.number().min(0) });
export type VolumeRoom = z.infer<typeof volumeSchema>;

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
  /** Files and folders that were left out. Absent: nothing was copied yet. */
  fileProblems: fileProblemsSchema.optional(),
  /** Absent: nothing was looked at yet. */
  warnings: z.array(warningSchema).optional(),
  /** Room on the volumes; absent before the first look. */
  volumes: z.partialRecord(sideSchema, volumeSchema).optional(),
  /** ISO 8601, UTC, for each space whose token was checked; null: it never ends, or the zone could not be asked. */
  tokenExpiresAt: z.partialRecord(sideSchema, z.iso.datetime().nullable()).optional(),
  /** Absent: an older `sync`. */
  activity: activitySchema.optional(),
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
