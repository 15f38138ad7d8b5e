/** Lets so many pieces of work through at one time. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

interface Waiting {
  readonly owner: object;
  readonly start: () => void;
}

/**
 * Shares the connections of a space among transfers. A free one goes to whoever holds the fewest, then to whoever asked
 * first: a large file takes all that nobody else wants, and a small one never waits behind all ranges of a large one.
 */
export class Connections {
  readonly #limit: () => number;
  readonly #held = new Map<object, number>();
  readonly #waiting: Waiting[] = [];
  #used = 0;

  /** @param limit asked whenever one may start, so it may change while work is under way. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** A gate for one transfer. */
  forOne(): Gate {
    const owner = {};
    return (work) => this.#run(owner, work);
  }

  /** Starts what a limit that has risen lets through. */
  refresh(): void {
    while (this.#waiting.length > 0 && this.#used < this.#limit()) this.#next().start();
  }

  async #run<T>(owner: object, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      const start = () => {
        this.#used += 1;
        this.#held.set(owner, this.#holds(owner) + 1);
        resolve();
      };
      this.#waiting.push({ owner, start });
      this.refresh();
    });
    try {
      return await work();
    } finally {
      this.#used -= 1;
      const held = this.#holds(owner) - 1;
      if (held > 0) this.#held.set(owner, held);
      else this.#held.delete(owner);
      this.refresh();
    }
  }

  #holds(owner: object): number {
    return this.#held.get(owner) ?? 0;
  }

  #next(): Waiting {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [index, { owner }] of this.#waiting.entries()) {
      const held = this.#holds(owner);
      if (held >= least) continue;
      [best, least] = [index, held];
      if (held === 0) break;
    }
    return this.#waiting.splice(best, 1)[0] as Waiting;
  }
}
