import type { HeldBack } from '../plan/guards.ts';

/** What a person agrees to. Removals are agreed to by their number, so that nobody agrees to more than was seen. */
export type Confirmation =
  | { readonly what: 'deletions'; readonly count: number }
  | { readonly what: 'merge' | 'takeOver' };

/** What a person agreed to and nothing has used yet. */
export class Confirmations {
  merge = false;
  takeOver = false;
  /** So many removals in one save. */
  deletions = 0;
  #heldBack = 0;

  /** @throws where other removals are held back than those that are agreed to */
  add(given: Confirmation): void {
    if (given.what !== 'deletions') {
      this[given.what] = true;
      return;
    }
    if (this.#heldBack === 0) throw new Error('no removals are held back, so there is nothing to confirm');
    if (given.count !== this.#heldBack) {
      throw new Error(
        `${this.#heldBack} removals are held back, not ${given.count}. ` +
          `If that many are meant to go: ${confirmCommand(this.#heldBack)}`,
      );
    }
    this.deletions = given.count;
  }

  /** After a complete save. @param used what `deletions` was when it began; it counts for one save */
  saved(used: number, heldBack: HeldBack | null): void {
    this.#heldBack = heldBack?.removals ?? 0;
    if (used > 0 || heldBack === null) this.deletions = 0;
  }
}

export function confirmCommand(removals: number): string {
  return `sync confirm deletions ${removals}`;
}
