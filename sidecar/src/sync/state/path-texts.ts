import type { StatementSync } from 'node:sqlite';
import { ScratchDatabase } from './scratch-database.ts';

/** A text for each path, in a file of its own: there may be millions. */
export class PathTexts {
  readonly #scratch: ScratchDatabase;
  readonly #put: StatementSync;
  readonly #get: StatementSync;

  constructor(scratch: string) {
    this.#scratch = new ScratchDatabase(
      scratch,
      'CREATE TABLE texts (path TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID',
    );
    const { db } = this.#scratch;
    this.#put = db.prepare('INSERT OR REPLACE INTO texts VALUES (?, ?)');
    this.#get = db.prepare('SELECT text FROM texts WHERE path = ?');
  }

  put(path: string, text: string): void {
    this.#put.run(path, text);
  }

  get(path: string): string | null {
    return (this.#get.get(path) as { text: string } | undefined)?.text ?? null;
  }

  *texts(): Iterable<string> {
    const page = this.#scratch.db.prepare(
      'SELECT path, text FROM texts WHERE path > ? ORDER BY path LIMIT 500',
    );
    for (let last = ''; ; ) {
      const rows = page.all(last) as { path: string; text: string }[];
      for (const row of rows) {
        last = row.path;
        yield row.text;
      }
      if (rows.length === 0) return;
    }
  }

  close(): void {
    this.#scratch.close();
  }
}
