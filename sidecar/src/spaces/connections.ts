import { type SpaceCapabilities, shortCalls } from './space.ts';

/**
 * Lets so many pieces of work through at one time.
 * @param isShort it is over soon, so it may wait beside others for its connection. @default false
 */
export type Gate = <T>(work: () => Promise<T>, isShort?: boolean) => Promise<T>;

/** A transfer of so many bytes is a short call: on a slow line too, all that wait are over long before one looks stalled. */
export const isShort = (bytes: number): boolean => bytes <= 1 << 16;

interface QueuedTransfer {
  readonly owner: object;
  readonly isShort: boolean;
  readonly start: () => void;
}

/**
 * Shares the connections of a space among transfers. A free one goes to whoever holds the fewest, then to whoever asked
 * first: a large file takes all that nobody else wants, and a small one never waits behind all ranges of a large one.
 */
export class Connections {
  readonly #capabilities: () => SpaceCapabilities;
  readonly #held = new Map<object, number>();
  readonly #queue: QueuedTransfer[] = [];
  #used = 0;
  /** Of these, work that is not short. */
  #long = 0;

  /** @param capabilities asked whenever work may start, so they may change while some is under way. */
  constructor(capabilities: () => SpaceCapabilities) {
    this.#capabilities = capabilities;
  }

  /** A gate for one transfer. */
  forOne(): Gate {
    const owner = {};
    return (work, isShort = false) => this.#run(owner, isShort, work);
  }

  /** Starts what limits that have risen let through. */
  refresh(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) next.start();
  }

  async #run<T>(owner: object, isShort: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      const start = () => {
        this.#used += 1;
        if (!isShort) this.#long += 1;
        this.#held.set(owner, this.#holds(owner) + 1);
        resolve();
      };
      this.#queue.push({ owner, isShort, start });
      this.refresh();
    });
    try {
      return await work();
    } finally {
      this.#used -= 1;
      if (!isShort) this.#long -= 1;
      const held = this.#holds(owner) - 1;
      if (held > 0) this.#held.set(owner, held);
      else this.#held.delete(owner);
      this.refresh();
    }
  }

  #holds(owner: object): number {
    return this.#held.get(owner) ?? 0;
  }

  /** Takes the one out that may start now. */
  #next(): QueuedTransfer | undefined {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [index, { owner }] of this.#queue.entries()) {
      const held = this.#holds(owner);
      if (held >= least) continue;
      [best, least] = [index, held];
      if (held === 0) break;
    }
    const next = this.#queue[best];
    if (next === undefined || this.#used >= this.#limit(next)) return undefined;
    return this.#queue.splice(best, 1)[0];
  }

  /** Behind long work a short one would wait long. */
  #limit({ isShort }: QueuedTransfer): number {
    const capabilities = this.#capabilities();
    return isShort && this.#long === 0 ? shortCalls(capabilities) : capabilities.concurrency;
  }
}
