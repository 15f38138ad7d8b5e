import * as z from 'zod';

/**
 * CPU hours by user and instance: the CPUs that an instance has for itself, times how long it was seen to run. What nobody
 * saw is counted apart and never guessed. Pure.
 */

const sumSchema = z.object({
  cpuSeconds: z.number().min(0),
  /** An instance ran before and nobody looked; how long of it it ran is not known. */
  notSeenSeconds: z.number().min(0),
});
type Sum = z.output<typeof sumSchema>;

export const ledgerSchema = z.object({
  /** ms since 1970: nothing was counted before. */
  since: z.number(),
  /** ms since 1970: the last look. */
  at: z.number(),
  /** By the id of a user, also of instances that are gone; `''`: of nobody. */
  users: z.record(z.string(), sumSchema),
  instances: z.record(
    z.string(),
    sumSchema.extend({
      owner: z.string(),
      /** CPUs of an instance that ran at the last look. */
      cpus: z.number().min(0).optional(),
    }),
  ),
});
export type Ledger = z.output<typeof ledgerSchema>;

export const emptyLedger = (now: number): Ledger => ({ since: now, at: now, users: {}, instances: {} });

export interface Seen {
  readonly name: string;
  readonly owner: string;
  /** 0: it does not run; undefined: it cannot be seen whether it does. */
  readonly cpus: number | undefined;
}

/** A longer time between two looks is not seen. */
const MAX_SECONDS = 300;

const plus = (sum: Sum | undefined, more: Sum): Sum => ({
  cpuSeconds: (sum?.cpuSeconds ?? 0) + more.cpuSeconds,
  notSeenSeconds: (sum?.notSeenSeconds ?? 0) + more.notSeenSeconds,
});

/**
 * @param seconds since the last look, by a clock that does not jump; undefined: this process has not looked before
 * @param now ms since 1970
 */
export function counted(
  before: Ledger,
  seen: readonly Seen[],
  seconds: number | undefined,
  now: number,
): Ledger {
  const gap = seconds ?? Math.max(0, (now - before.at) / 1000);
  const isSeen = seconds !== undefined && seconds <= MAX_SECONDS;
  const users = { ...before.users };
  const instances = Object.fromEntries(
    seen.map(({ name, owner, cpus }) => {
      const last = before.instances[name];
      const ran = last?.cpus;
      const more =
        ran === undefined
          ? { cpuSeconds: 0, notSeenSeconds: 0 }
          : isSeen && cpus !== undefined
            ? { cpuSeconds: cpus === 0 ? 0 : ran * gap, notSeenSeconds: 0 }
            : { cpuSeconds: 0, notSeenSeconds: gap };
      if (more.cpuSeconds + more.notSeenSeconds > 0) users[owner] = plus(users[owner], more);
      // What cannot be seen now ran when it was seen last.
      const now = cpus ?? ran;
      return [name, { ...plus(last, more), owner, ...(now ? { cpus: now } : {}) }];
    }),
  );
  return { since: before.since, at: now, users, instances };
}
