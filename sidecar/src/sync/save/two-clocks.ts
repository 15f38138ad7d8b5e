import type { VolumeContext } from '../context.ts';
import { LAYOUT } from './space-layout.ts';

export interface TwoTimes {
  /** What is judged old by it is old by both clocks. */
  readonly earlier: number;
  /** What is named by it is no older than that by either. */
  readonly later: number;
  /** Of the space; null: it does not know. */
  readonly space: number | null;
}

/** The clock here and that of the space, which stamps each heartbeat, in ms. One of them may be years off. */
export async function timesOf({ space, clock }: Pick<VolumeContext, 'space' | 'clock'>): Promise<TwoTimes> {
  const lease = await space.stat({ path: LAYOUT.lease });
  const stamp = lease?.mtimeSeconds == null ? null : lease.mtimeSeconds * 1000;
  const here = clock.now();
  return { earlier: Math.min(here, stamp ?? here), later: Math.max(here, stamp ?? here), space: stamp };
}
