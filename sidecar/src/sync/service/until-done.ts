import type { Logger } from 'pino';
import { type BackOff, backOffMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import type { Side } from '../../spaces/space.ts';
import { LeaseHeldError } from '../save/lease.ts';
import { MissingFilesError, UnsavedWorkError } from '../sync-errors.ts';
import type { StatusBoard } from './status-board.ts';

const AFTER_FAILURES: BackOff = { firstMs: 2_000, maxMs: 60_000 };
/** Somebody else has to do something first; looking is cheap. */
const HELD_WAIT_MS = 10_000;

export interface UntilDoneOptions {
  readonly clock: Clock;
  readonly board: StatusBoard;
  readonly log: Logger;
  readonly signal: AbortSignal;
  pause(milliseconds: number): Promise<void>;
}

/** Tries for ever, says what is wrong, continues automatically. Ends with the signal. */
export async function untilDone(
  side: Side,
  work: () => Promise<void>,
  { clock, board, log, signal, pause }: UntilDoneOptions,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await work();
      board.clear(side);
      return;
    } catch (error) {
      if (signal.aborted) return;
      const isHeld = error instanceof LeaseHeldError || error instanceof UnsavedWorkError;
      const isChoice = error instanceof MissingFilesError;
      const wait = isHeld
        ? HELD_WAIT_MS
        : isChoice
          ? AFTER_FAILURES.maxMs
          : backOffMs(failures, AFTER_FAILURES);
      board.progress[side]?.wait();
      board.raise(error, side, clock.now() + wait);
      log.warn({ side, error: (error as Error).message }, 'copying failed and is tried again');
      await pause(wait);
    }
  }
}
