import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Warning } from '../../../contract/status.ts';
import { judgeEnd } from '../../../contract/token-judgement.ts';
import type { Clock } from '../../clock.ts';
import type { TokenCheck } from '../../spaces/onedata/index.ts';
import type { Side } from '../../spaces/space.ts';
import { SpaceError } from '../../spaces/space-error.ts';
import { toProblem } from './problems.ts';
import type { StatusBoard } from './status-board.ts';

/** The token of one space. */
export interface TokenSource {
  /** As it is in the Secret now. */
  read(): Promise<string>;
  /** Asks Onedata what it may do and until when. Changes nothing. */
  check(signal: AbortSignal): Promise<TokenCheck>;
}

export interface TokenWatchOptions {
  readonly sources: Partial<Record<Side, TokenSource>>;
  readonly board: StatusBoard;
  readonly clock: Clock;
  readonly log: Logger;
  /** A new token is there and good: what waits can go on. */
  readonly onRenewed: () => void;
}

/** What is known of a token since the last check. */
interface Seen {
  readonly fingerprint: string;
  readonly check: TokenCheck;
  readonly checkedAt: number;
  readonly nextCheckAt: number;
}

/** How soon a changed Secret is seen. The kubelet itself takes up to about 90 s to bring it. */
const LOOK_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 3_600_000;
/** After a check that Onedata could not answer. */
const CHECK_AGAIN_MS = 300_000;
const UNREADABLE = 'unreadable';

/**
 * Checks the tokens: before they are needed, hourly, when they end, and whenever the Secret changes. Says on the status
 * board what is wrong with them, what is better changed, and when they end.
 */
export class TokenWatch {
  readonly #options: TokenWatchOptions;
  readonly #seen = new Map<Side, Seen>();

  constructor(options: TokenWatchOptions) {
    this.#options = options;
  }

  /** @throws SpaceError with the reason why the space cannot be used with its token */
  async assertUsable(side: Side, signal: AbortSignal): Promise<void> {
    const source = this.#options.sources[side];
    if (source === undefined) return;
    const { problem } = await this.#check(side, source, await fingerprintOf(source), signal);
    if (problem !== null) throw problem;
  }

  /** Ends with the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, sources, log } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      for (const [side, source] of Object.entries(sources) as [Side, TokenSource][]) {
        if (signal.aborted) return;
        await this.#look(side, source, signal).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ side, error: (error as Error).message }, 'a token was not checked');
        });
      }
    }
  }

  async #look(side: Side, source: TokenSource, signal: AbortSignal): Promise<void> {
    const { clock, board, log, onRenewed } = this.#options;
    const fingerprint = await fingerprintOf(source);
    const seen = this.#seen.get(side);
    const isChanged = seen !== undefined && seen.fingerprint !== fingerprint;
    const now = clock.now();
    // A clock that was set back says nothing of how long ago the last check was.
    if (seen !== undefined && !isChanged && now >= seen.checkedAt && now < seen.nextCheckAt) {
      // 48 h before the end come without a new check.
      board.setToken(side, this.#stateOf(side, seen.check));
      return;
    }
    if (isChanged) log.info({ side }, 'the token was changed');
    const { problem } = await this.#check(side, source, fingerprint, signal);
    // The engine itself says when Onedata does not answer; here it would hide what it says.
    const isAnswer = problem === null || problem.retry === 'late';
    if (isAnswer) board.warn(problem === null ? null : this.#problem(problem, side), `token-${side}`);
    if (isChanged && problem === null) onRenewed();
  }

  async #check(
    side: Side,
    source: TokenSource,
    fingerprint: string,
    signal: AbortSignal,
  ): Promise<TokenCheck> {
    const { clock, board, log } = this.#options;
    const check = fingerprint === UNREADABLE ? unreadable(side) : await source.check(signal);
    const now = clock.now();
    const isAnswered = check.problem === null || check.problem.retry === 'late';
    const endsAt = check.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
    const due = now + (isAnswered ? CHECK_EVERY_MS : CHECK_AGAIN_MS);
    const nextCheckAt = endsAt > now ? Math.min(due, endsAt + 1_000) : due;
    this.#seen.set(side, { fingerprint, check, checkedAt: now, nextCheckAt });
    if (isAnswered) {
      const state = this.#stateOf(side, check);
      board.setToken(side, state);
      const { problem, expiresAt } = check;
      const warnings = state.warnings.map(({ message }) => message);
      log.info({ side, problem: problem?.code ?? null, expiresAt, warnings }, 'checked the token');
    }
    if (check.problem === null) board.warn(null, `token-${side}`);
    return check;
  }

  #problem(error: SpaceError, side: Side) {
    return toProblem(error, side, new Date(this.#options.clock.now()).toISOString());
  }

  #stateOf(side: Side, { expiresAt, warnings, problem }: TokenCheck) {
    return {
      expiresAt,
      warnings: problem === null ? tokenWarnings(side, expiresAt, warnings, this.#options.clock.now()) : [],
    };
  }
}

/** Pure. What to say of a token that works. */
export function tokenWarnings(
  side: Side,
  expiresAt: Date | null,
  advice: readonly string[],
  nowMs: number,
): Warning[] {
  const warnings: Warning[] = advice.map((message) => ({ code: 'token-advice', space: side, message }));
  const message = judgeEnd(expiresAt, { side }, nowMs);
  return message === null ? warnings : [{ code: 'token-expires-soon', space: side, message }, ...warnings];
}

function unreadable(side: Side): TokenCheck {
  const message = `There is no token of the ${side} space in the mounted Secret, or it cannot be read.`;
  return { problem: new SpaceError('token-invalid', message), expiresAt: null, warnings: [] };
}

/** Tells tokens apart without keeping one. A Secret that cannot be read has a mark of its own. */
async function fingerprintOf(source: TokenSource): Promise<string> {
  const text = await source.read().catch(() => null);
  return text === null ? UNREADABLE : createHash('sha256').update(text).digest('hex');
}
