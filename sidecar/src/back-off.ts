/** Waits that double with each failure, up to a longest one. */
export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** @param failures in a row, from 1 @returns ms to wait before the next attempt */
export function backOffMs(failures: number, { firstMs, maxMs }: BackOff): number {
  return Math.min(maxMs, firstMs * 2 ** (failures - 1));
}

/** @param waitedMs before the attempt that has failed; absent: it was the first one @returns ms to wait before the next one */
export function longerWaitMs(waitedMs: number | undefined, { firstMs, maxMs }: BackOff): number {
  return waitedMs === undefined ? firstMs : Math.min(maxMs, waitedMs * 2);
}
