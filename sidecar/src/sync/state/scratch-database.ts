import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A database for what one operation has to remember of millions of paths. Nothing of it outlives `close`. */
export class ScratchDatabase {
  readonly db: DatabaseSync;
  readonly #file: string;

  /** @param scratch folder for temporary files @param schema statements that make its tables */
  constructor(scratch: string, schema: string) {
    made += 1;
    this.#file = join(scratch, `scratch-${made}.sqlite`);
    this.db = new DatabaseSync(this.#file);
    this.db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${schema}; BEGIN`);
  }

  close(): void {
    this.db.close();
    rmSync(this.#file, { force: true });
  }
}
let made = 0;
