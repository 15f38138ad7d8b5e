/** What a transaction is begun and ended with. */
export interface Transactions {
  begin(): unknown;
  commit(): unknown;
  /** Also where nothing is left to undo. */
  rollback(): void;
  /** How often something has been written, also what was undone since. */
  writes(): number;
}

interface Turn {
  readonly done: Promise<void>;
  readonly end: (failure?: unknown) => void;
  failure?: { readonly error: unknown };
}

/**
 * One transaction for all work of one turn of the event loop: to commit each piece by itself costs as much as the work.
 * Whoever answers for a change waits until its turn is settled. Work that fails halfway, which only a sick disk lets
 * happen, undoes its whole turn; nothing of that has been answered.
 */
export class Turns {
  readonly #transactions: Transactions;
  #open: Turn | undefined;

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** Does the work now, with that of others. @throws what the work throws */
  join<Result>(work: () => Result): Result {
    const turn = this.#open ?? this.#begin();
    if (turn.failure) throw turn.failure.error;
    const before = this.#transactions.writes();
    try {
      return work();
    } catch (error) {
      if (this.#transactions.writes() !== before && !turn.failure) {
        turn.failure = { error };
        this.#transactions.rollback();
      }
      throw error;
    }
  }

  /** Resolves when all that was done so far is in the database; rejects where this turn was undone. */
  async settled(): Promise<void> {
    await this.#open?.done;
  }

  /** Ends the turn at once. */
  finish(): void {
    const turn = this.#open;
    if (turn === undefined) return;
    this.#open = undefined;
    try {
      if (turn.failure) throw turn.failure.error;
      this.#transactions.commit();
      turn.end();
    } catch (error) {
      this.#transactions.rollback();
      turn.end(error);
    }
  }

  #begin(): Turn {
    this.#transactions.begin();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // It may be that nobody waits for it.
    promise.catch(() => {});
    const turn: Turn = {
      done: promise,
      end: (failure) => (failure === undefined ? resolve() : reject(failure)),
    };
    this.#open = turn;
    setImmediate(() => {
      if (this.#open === turn) this.finish();
    });
    return turn;
  }
}
