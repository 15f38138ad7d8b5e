export interface Turn {
  /** Asked when the turn has come; who is gone takes none. */
  readonly isWanted: () => boolean;
  readonly run: () => void;
  /** Called instead of `run` when too many came later. */
  readonly drop: () => void;
}

/**
 * Lets things happen at most so many times a second, and up to a fifth of those at once. Who came last has the first
 * turn and who has waited longest is dropped: under a flood everybody has the same chance at once, where in a line the
 * flood would hold all places.
 */
export class TurnQueue {
  readonly #perSecond: number;
  readonly #maxWaiting: number;
  readonly #most: number;
  #waiting: Turn[] = [];
  #credit: number;
  #creditAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: { readonly perSecond: number; readonly maxWaiting: number }) {
    this.#perSecond = limits.perSecond;
    this.#maxWaiting = limits.maxWaiting;
    this.#most = Math.max(1, limits.perSecond / 5);
    this.#credit = this.#most;
  }

  take(turn: Turn): void {
    this.#waiting.push(turn);
    if (this.#waiting.length > this.#maxWaiting) this.#waiting.shift()?.drop();
    this.#advance();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #advance(): void {
    const now = performance.now();
    const earned = ((now - this.#creditAt) / 1000) * this.#perSecond;
    this.#credit = Math.min(this.#most, this.#credit + earned);
    this.#creditAt = now;
    while (this.#credit >= 1) {
      const turn = this.#waiting.pop();
      if (turn === undefined) return;
      if (!turn.isWanted()) continue;
      this.#credit -= 1;
      turn.run();
    }
    if (this.#waiting.length === 0 || this.#timer !== undefined) return;
    const again = () => {
      this.#timer = undefined;
      this.#advance();
    };
    this.#timer = setTimeout(again, Math.ceil(1000 / this.#perSecond));
  }
}
