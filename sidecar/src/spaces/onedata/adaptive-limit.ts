/** What one stretch of time has shown. */
export interface Stretch {
  /** Work done in each second, in any unit that is always the same. */
  readonly rate: number;
  /** All connections were in use at some moment: with more of them, more might have been done. */
  readonly isFull: boolean;
  /** The server asked to be left alone, or did not answer in time. */
  readonly isOverloaded: boolean;
}

export interface LimitRange {
  readonly floor: number;
  readonly start: number;
  readonly ceiling: number;
}

/** More connections by this share at one time; half of it has to show in the rate. */
const STEP = 0.25;
/** What is left of the connections where the server is overloaded. */
const RETREAT = 0.7;
/** Stretches without a try after one that was of no use; doubles up to the most. */
const REST = { first: 5, most: 60 };

/**
 * How many connections serve best: one step more is kept where the rate grows with it, else taken back; overload takes
 * a share away at once (additive increase is too slow for lines of 50 ms, hence the steps by a share). No clock, no I/O.
 */
export class AdaptiveLimit {
  readonly #range: LimitRange;
  #limit: number;
  /** The limit and rate before the step that is being tried. */
  #before: { readonly limit: number; readonly rate: number } | null = null;
  #rest = 0;
  #nextRest = REST.first;

  constructor(range: LimitRange) {
    this.#range = range;
    this.#limit = range.start;
  }

  get limit(): number {
    return this.#limit;
  }

  get ceiling(): number {
    return this.#range.ceiling;
  }

  look({ rate, isFull, isOverloaded }: Stretch): void {
    if (isOverloaded) {
      this.#set(Math.floor(this.#limit * RETREAT));
      this.#pause();
      return;
    }
    if (this.#before !== null) {
      // A stretch with little to do says nothing about the step.
      if (!isFull) return;
      const { limit, rate: old } = this.#before;
      const wanted = old * (1 + (this.#limit / limit - 1) / 2);
      if (rate >= wanted) {
        this.#nextRest = REST.first;
        this.#try(rate);
        return;
      }
      this.#set(limit);
      this.#pause();
      return;
    }
    if (this.#rest > 0) this.#rest -= 1;
    else if (isFull) this.#try(rate);
  }

  #try(rate: number): void {
    const limit = this.#limit;
    this.#set(limit + Math.max(1, Math.floor(limit * STEP)));
    this.#before = this.#limit > limit ? { limit, rate } : null;
  }

  #pause(): void {
    this.#before = null;
    this.#rest = this.#nextRest;
    this.#nextRest = Math.min(REST.most, this.#nextRest * 2);
  }

  #set(limit: number): void {
    this.#limit = Math.min(this.#range.ceiling, Math.max(this.#range.floor, limit));
  }
}
