import type { FileProblems } from '../../../contract/status.ts';
import { type BackOff, backOffMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import type { SaveResult } from '../save/save.ts';
import { PartialSaveError } from '../sync-errors.ts';
import { awaitsToken, isFinal } from './problems.ts';

/** What a save is for. */
export type SavePhase = 'saving' | 'draining' | 'final-saving';

const AFTER_FAILURES: BackOff = { firstMs: 4_000, maxMs: 60_000 };
/** Files that keep changing although the desktop is gone get so many rounds in all. */
const SETTLE_ROUNDS = 5;

export interface SaveAllOptions {
  readonly clock: Clock;
  /** Failed rounds in a row before the error is given on. */
  readonly attempts: number;
  /** An error of the token is waited out for so long, whatever `attempts` says. */
  readonly tokenWaitMs: number;
  /** Whether a person has agreed that these stay unsaved. @default none may */
  mayLeave?(problems: FileProblems): boolean;
  /** The wait between a round that failed and the next one. */
  pause(milliseconds: number, error: unknown): Promise<void>;
}

/**
 * Saves until a round finds nothing left.
 * @throws what stopped it; PartialSaveError where all is saved but what cannot be read
 */
export async function saveAll(save: () => Promise<SaveResult>, options: SaveAllOptions): Promise<void> {
  const { clock, attempts } = options;
  const patienceEnds = clock.monotonic() + options.tokenWaitMs;
  let failures = 0;
  for (let round = 1; ; ) {
    let result: SaveResult;
    try {
      result = await save();
    } catch (error) {
      failures += 1;
      const isPatient = awaitsToken(error) && clock.monotonic() < patienceEnds;
      const isOver = failures >= attempts || (isFinal(error) && attempts !== Number.POSITIVE_INFINITY);
      if (isOver && !isPatient) throw error;
      await options.pause(backOffMs(failures, AFTER_FAILURES), error);
      continue;
    }
    if (result.skipped === 0) return;
    if (result.sending > 0) {
      // Each round sends more of a large file.
      failures = 0;
      continue;
    }
    if (round >= SETTLE_ROUNDS) {
      if (options.mayLeave?.(result.fileProblems)) return;
      throw new PartialSaveError(result.fileProblems);
    }
    round += 1;
    failures = 0;
    await clock.sleep(1_000);
  }
}
