/** One timed run of one competitor. */
export interface Run {
  readonly seconds: number;
  /** Sum of the highest resident memory of each process of the tree, in bytes; null where it was not taken. */
  readonly peakBytes: number | null;
  /** HTTP requests that were sent; null where nobody counted. */
  readonly requests: number | null;
  /** Seconds of processor time, user and system; null where it was not taken. */
  readonly cpuSeconds: number | null;
  /** 1-minute load average of the machine when the run began: others may have used the cores. */
  readonly load: number;
}

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @throws RangeError without values */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) throw new RangeError('there is nothing to summarise');
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
  return { median, least, most };
}

export const medianSeconds = (runs: readonly Run[]): number =>
  summarise(runs.map(({ seconds }) => seconds)).median;

/** Highest of all runs; null where no run has it. */
export function highest(runs: readonly Run[], key: 'peakBytes' | 'requests'): number | null {
  const values = runs.map((run) => run[key]).filter((value) => value !== null);
  return values.length === 0 ? null : Math.max(...values);
}
