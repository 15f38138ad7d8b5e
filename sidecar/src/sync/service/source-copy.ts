import type { Logger } from 'pino';
import { type BackOff, longerWaitMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import type { StageInResult } from '../restore/stage-in.ts';
import { type MetricsSink, timed } from './metrics.ts';
import type { StatusBoard } from './status-board.ts';
import type { VolumeSessions } from './volume-sessions.ts';

/** Between two attempts at source files that could not be copied; it doubles with each that brings nothing. */
const AFTER_FAILURES: BackOff = { firstMs: 60_000, maxMs: 1_800_000 };
/** An attempt lists the whole space: it gets no more than this share of the time. */
const SHARE = 10;

export interface SourceCopyOptions {
  readonly sessions: VolumeSessions;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
  /** @default a minute */
  readonly sourceRetryMs?: number;
}

/** Brings the source space to its volume, and goes on with what could not be copied while the desktop is open. */
export class SourceCopy {
  readonly #options: SourceCopyOptions;
  #left = 0;

  constructor(options: SourceCopyOptions) {
    this.#options = options;
  }

  /** @throws what concerns all of it */
  async stageIn(): Promise<void> {
    const { sessions, board, log } = this.#options;
    const source = await sessions.openSource();
    const result = await timed(this.#options, 'stage-in', () => source.stageIn());
    this.#told(result);
    board.clear('source');
    for (const warning of result.warnings) log.warn(warning);
    const { files, bytes, copied, fileProblems } = result;
    log.info(
      { operation: 'stage-in', files, bytes, copied, left: fileProblems.total },
      'source data is on its volume',
    );
  }

  #told({ fileProblems }: StageInResult): void {
    this.#left = fileProblems.total;
    this.#options.board.setFileProblems('source', 'stage-in', fileProblems);
  }

  /** Tries what is left again from time to time. Ends with the signal. */
  async keepTrying(signal: AbortSignal): Promise<void> {
    const { sessions, clock, log, sourceRetryMs = AFTER_FAILURES.firstMs } = this.#options;
    let wait = sourceRetryMs;
    while (!signal.aborted) {
      await clock.sleep(wait, signal).catch(() => undefined);
      const { source } = sessions;
      if (signal.aborted || source === null || this.#left === 0) continue;
      const [before, began] = [this.#left, clock.monotonic()];
      try {
        this.#told(await source.stageIn());
      } catch (error) {
        if (!signal.aborted)
          log.warn({ error: (error as Error).message }, 'source files that are missing were not copied');
      }
      const isBetter = this.#left < before;
      wait = Math.max(
        isBetter ? sourceRetryMs : longerWaitMs(wait, AFTER_FAILURES),
        (clock.monotonic() - began) * SHARE,
      );
    }
  }
}
