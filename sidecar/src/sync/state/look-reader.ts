import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { BASE_LOOKS, type BaseLook, lookPages } from './state-rows.ts';

/** Reads from a state that another thread has open, as it was committed last. */
export class LookReader {
  readonly #db: DatabaseSync;
  readonly #looks: StatementSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    this.#looks = this.#db.prepare(BASE_LOOKS);
    this.#looks.setReturnArrays(true);
  }

  /** As `StateStore.baseLooks`. */
  looks(parent: string): Iterable<BaseLook[]> {
    return lookPages((after) => this.#looks.all(parent, after) as unknown as BaseLook[]);
  }

  close(): void {
    this.#db.close();
  }
}
