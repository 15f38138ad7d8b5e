import { type StagedUpload, toStaged } from './state-rows.ts';
import type { Statements } from './statements.ts';

/** Uploads in the staging folder of the space. */
export class StagedTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  get(path: string): StagedUpload | null {
    const row = this.#sql.get('SELECT * FROM staged WHERE path = ?', path);
    return row === undefined ? null : toStaged(row);
  }

  all(): StagedUpload[] {
    return this.#sql.all('SELECT * FROM staged').map(toStaged);
  }

  put(upload: StagedUpload): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO staged (path, facts, staged, size, hash, remote_id) VALUES (?, ?, ?, ?, ?, ?)',
      upload.path,
      upload.facts,
      upload.staged,
      upload.size,
      upload.hash,
      upload.remoteId,
    );
  }

  clear(): void {
    this.#sql.run('DELETE FROM staged');
  }
}
