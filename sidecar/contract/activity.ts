import * as z from 'zod';

/**
 * Who uses an instance, as the containers say it to `sync` (`POST /v1/activity` on its socket) every few seconds, and as
 * `sync` tells it. What is not said is not known, and what is not known is never taken for nobody.
 */

/** The gateway counts the windows in which the desktop is open, those that only look included. */
const gatewayReportSchema = z.strictObject({ from: z.literal('gateway'), windows: z.int().min(0) });
const desktopReportSchema = z.strictObject({
  from: z.literal('desktop'),
  /** Runs of Scipion's protocols that have a process, and jobs in the cluster. */
  protocols: z.int().min(0),
  /** CPUs that all processes of the desktop used on average since the report before. */
  cpus: z.number().min(0),
});
export const activityReportSchema = z.discriminatedUnion('from', [gatewayReportSchema, desktopReportSchema]);
export type ActivityReport = z.infer<typeof activityReportSchema>;

/** Each of the two says it at least so often. */
export const REPORT_EVERY_MS = 15_000;

export const activitySchema = z.object({
  windows: z.int().min(0).nullable(),
  protocols: z.int().min(0).nullable(),
  cpus: z.number().min(0).nullable(),
  /**
   * How long nobody was connected and nothing was computed, without a gap in what is known; 0: somebody or something
   * is. A duration of this process, so that no clock that is set changes it. null: not known.
   */
  idleSeconds: z.number().min(0).nullable(),
});
export type Activity = z.infer<typeof activitySchema>;

/** An end of the session that is announced from outside: `POST /v1/notice`. */
export const noticeSchema = z.strictObject({
  why: z.enum(['idle', 'expiry']),
  /** ISO 8601, UTC. */
  at: z.iso.datetime(),
});
export type Notice = z.infer<typeof noticeSchema>;
