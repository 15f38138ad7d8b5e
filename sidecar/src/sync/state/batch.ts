import type { StateStore } from './state.ts';

/**
 * Changes of the state that a crash may take back, made many at a time: a transaction for each costs more than most of
 * what it notes.
 */
export class Batch {
  readonly #state: StateStore;
  readonly #limit: number;
  #changes: (() => void)[] = [];
  #weight = 0;

  /** @param limit weight of the changes that are held back at most */
  constructor(state: StateStore, limit = 100) {
    this.#state = state;
    this.#limit = limit;
  }

  /** @param change made later, in the order of the calls; what it reads of the state may be older than they are */
  add(change: () => void, weight = 1): void {
    this.#changes.push(change);
    this.#weight += weight;
    if (this.#weight >= this.#limit) this.write();
  }

  write(): void {
    const changes = this.#changes;
    this.#changes = [];
    this.#weight = 0;
    if (changes.length === 0) return;
    this.#state.transaction(() => {
      for (const change of changes) change();
    });
  }
}
