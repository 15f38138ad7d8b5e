import type { Clock } from '../../clock.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import type { Head } from './head.ts';
import type { Lease } from './lease.ts';
import { LAYOUT } from './space-layout.ts';

/** The clock here, and the space, which stamps with its own. */
export interface ClocksContext {
  readonly space: ReadOnlySpace;
  readonly clock: Clock;
}

export interface TwoTimes {
  /** What is judged old by it is old by both clocks. */
  readonly earlier: number;
  /** What is named by it is no older than that by either. */
  readonly later: number;
  /** Of the space; null: it does not know. */
  readonly space: number | null;
}

/** The clock here and that of the space, which stamps each heartbeat, in ms. One of them may be years off. */
export async function timesOf({ space, clock }: ClocksContext): Promise<TwoTimes> {
  const lease = await space.stat({ path: LAYOUT.lease });
  const stamp = lease?.mtimeSeconds == null ? null : lease.mtimeSeconds * 1000;
  const here = clock.now();
  return { earlier: Math.min(here, stamp ?? here), later: Math.max(here, stamp ?? here), space: stamp };
}

/** Clocks differ a little, and the last heartbeat may be a while ago. */
const SAME_MS = 3_600_000;

/**
 * When a save is made, in ms. A clock that is years behind would make it one that is too old to be kept. Where the two
 * differ, that of the space counts, which many others use too; but no save is older than the one before it.
 */
export async function timeOfSave(
  context: ClocksContext & { readonly lease: Lease },
  before: Pick<Head, 'savedAt'> | null,
): Promise<number> {
  const here = context.clock.now();
  const differs = (stamp: number | null): stamp is number =>
    stamp !== null && Math.abs(here - stamp) > SAME_MS;
  if (!differs((await timesOf(context)).space)) return here;
  // It may just be old.
  await context.lease.heartbeat();
  const { space } = await timesOf(context);
  if (!differs(space)) return here;
  const last = before === null ? 0 : Date.parse(before.savedAt);
  if (last - space <= SAME_MS) return Math.max(space, last);
  return last <= here ? here : space;
}
