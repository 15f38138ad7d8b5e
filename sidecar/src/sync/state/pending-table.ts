import type { Statements } from './statements.ts';

/** Where an item of the plan stands. */
export type Stage = 'found' | 'transfer' | 'sent' | 'ready' | 'download' | 'remove-local';

/** The plan that is being applied: what is to be done, in stages. */
export class PendingTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  clear(): void {
    this.#sql.run('DELETE FROM pending');
  }

  add(stage: Stage, data: string): void {
    this.#sql.run('INSERT INTO pending (stage, data) VALUES (?, ?)', stage, data);
  }

  update(seq: number, stage: Stage, data: string): void {
    this.#sql.run('UPDATE pending SET stage = ?, data = ? WHERE seq = ?', stage, data, seq);
  }

  delete(seq: number): void {
    this.#sql.run('DELETE FROM pending WHERE seq = ?', seq);
  }

  /** Rows of a stage in order, page by page: rows may be changed or removed while it runs. */
  *rows(stage: Stage | null, descending = false): Iterable<{ seq: number; data: string }> {
    let last = descending ? Number.MAX_SAFE_INTEGER : 0;
    const side = descending ? 'seq < ? ORDER BY seq DESC' : 'seq > ? ORDER BY seq';
    for (;;) {
      const rows =
        stage === null
          ? this.#sql.all(`SELECT * FROM pending WHERE ${side} LIMIT 200`, last)
          : this.#sql.all(`SELECT * FROM pending WHERE stage = ? AND ${side} LIMIT 200`, stage, last);
      for (const row of rows) {
        last = Number(row.seq);
        yield { seq: last, data: String(row.data) };
      }
      if (rows.length === 0) return;
    }
  }

  /** @param stage only where the row is in this stage */
  *numbered(numbers: readonly number[], stage?: Stage): Iterable<{ seq: number; data: string }> {
    for (const seq of numbers) {
      const row = this.#sql.get('SELECT * FROM pending WHERE seq = ?', seq);
      if (row !== undefined && (stage === undefined || row.stage === stage))
        yield { seq, data: String(row.data) };
    }
  }

  count(...stage: [] | [Stage]): number {
    const where = stage.length === 0 ? '' : ' WHERE stage = ?';
    return Number(this.#sql.get(`SELECT count(*) AS n FROM pending${where}`, ...stage)?.n ?? 0);
  }
}
