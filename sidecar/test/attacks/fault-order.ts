/** Calls of the real process to the file system that fail. */
export interface FaultOrder {
  /** Names of system calls, without `Sync`. */
  readonly calls: readonly string[];
  /** Regular expression on the path that is meant. */
  readonly path: string;
  /** Or: bytes that are written. */
  readonly marker?: string;
  readonly errno: string;
  /** @default always */
  readonly times?: number;
  /** The clock of the process goes so many ms ahead of that of the machine. */
  readonly clockMs?: number;
}

/** No call fails, and the clock is wrong. */
export const wrongClock = (clockMs: number): FaultOrder => ({ calls: [], path: '$^', errno: '', clockMs });
