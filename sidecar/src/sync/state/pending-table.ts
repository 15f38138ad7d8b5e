import type { Statements } from './statements.ts';

/** The plan that is being applied: what is to be done, in stages. */
export class PendingTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  clear(): void {
    this.#sql.run('DELETE FROM pending');
  }

  add(stage: string, data: string): void {
    this.#sql.run('INSERT INTO pending (stage, data) VALUES (?, ?)', stage, data);
  }

  update(seq: number, stage: string, data: string): void {
    this.#sql.run('UPDATE pending SET stage = ?, data = ? WHERE seq = ?', stage, data, seq);
  }

  delete(seq: number): void {
    this.#sql.run('DELETE FROM pending WHERE seq = ?', seq);
  }

  /** Rows of a stage in order, page by page: rows may be changed or removed while it runs. */
  *rows(stage: string | null, descending = false): Iterable<{ seq: number; stage: string; data: string }> {
    let last = descending ? Number.MAX_SAFE_INTEGER : 0;
    const side = descending ? 'seq < ? ORDER BY seq DESC' : 'seq > ? ORDER BY seq';
    for (;;) {
      const rows =
        stage === null
          ? this.#sql.all(`SELECT * FROM pending WHERE ${side} LIMIT 200`, last)
          : this.#sql.all(`SELECT * FROM pending WHERE stage = ? AND ${side} LIMIT 200`, stage, last);
      for (const row of rows) {
        last = Number(row.seq);
        yield { seq: last, stage: String(row.stage), data: String(row.data) };
      }
      if (rows.length === 0) return;
    }
  }

  /** @param stage only where the row is in this stage */
  *numbered(numbers: readonly number[], stage?: string): Iterable<{ seq: number; data: string }> {
    for (const seq of numbers) {
      const row = this.#sql.get('SELECT * FROM pending WHERE seq = ?', seq);
      if (row !== undefined && (stage === undefined || row.stage === stage))
        yield { seq, data: String(row.data) };
    }
  }

  count(...stage: [] | [string]): number {
    const where = stage.length === 0 ? '' : ' WHERE stage = ?';
    return Number(this.#sql.get(`SELECT count(*) AS n FROM pending${where}`, ...stage)?.n ?? 0);
  }
}
