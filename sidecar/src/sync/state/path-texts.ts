import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** A text for each path, in a file of its own: there may be millions. */
export class PathTexts {
  readonly #file: string;
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #get: StatementSync;

  constructor(scratch: string) {
    made += 1;
    this.#file = join(scratch, `paths-${made}.sqlite`);
    this.#db = new DatabaseSync(this.#file);
    this.#db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
      CREATE TABLE texts (path TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID; BEGIN`);
    this.#put = this.#db.prepare('INSERT OR REPLACE INTO texts VALUES (?, ?)');
    this.#get = this.#db.prepare('SELECT text FROM texts WHERE path = ?');
  }

  put(path: string, text: string): void {
    this.#put.run(path, text);
  }

  get(path: string): string | null {
    return (this.#get.get(path) as { text: string } | undefined)?.text ?? null;
  }

  *texts(): Iterable<string> {
    const page = this.#db.prepare('SELECT path, text FROM texts WHERE path > ? ORDER BY path LIMIT 500');
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
    this.#db.close();
    rmSync(this.#file, { force: true });
  }
}
let made = 0;
