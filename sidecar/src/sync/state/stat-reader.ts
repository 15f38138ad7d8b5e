import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BASE_STATS, type BaseStat, statPages } from './state-rows.ts';

/** Reads from a state that another thread has open, as it was committed last. */
export class StatReader {
  readonly #db: DatabaseSync;
  readonly #looks: StatementSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    this.#looks = this.#db.prepare(BASE_STATS);
    this.#looks.setReturnArrays(true);
  }

  /** As `BaseTable.stats`. */
  looks(parent: string): Iterable<BaseStat[]> {
    return statPages((after) => this.#looks.all(parent, after) as unknown as BaseStat[]);
  }

  close(): void {
    this.#db.close();
  }
}
