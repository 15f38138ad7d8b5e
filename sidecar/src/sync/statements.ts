import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Row } from './state-rows.ts';

const PAGE_ROWS = 500;

/** The prepared statements of one database, each made once. Integers come as bigint: times in ns need all 64 bits. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#prepare(sql).run(...values);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  /** Rows as arrays: for large results half the price of objects. */
  arrays(sql: string, ...values: SQLInputValue[]): SQLOutputValue[][] {
    const statement = this.#prepare(sql, 'arrays');
    return statement.all(...values) as unknown as SQLOutputValue[][];
  }

  /**
   * All rows of a table with the key (parent, name) in the order of this key, page by page: rows may be changed or
   * removed while it runs.
   * @param select up to and without its condition, e.g. `SELECT * FROM base`
   */
  *byPath(select: string, condition = 'true'): Iterable<Row> {
    let [parent, name] = ['', ''];
    for (;;) {
      const rows = this.all(
        `${select} WHERE (parent, name) > (?, ?) AND ${condition} ORDER BY parent, name LIMIT ${PAGE_ROWS}`,
        parent,
        name,
      );
      for (const row of rows) {
        [parent, name] = [String(row.parent), String(row.name)];
        yield row;
      }
      if (rows.length < PAGE_ROWS) return;
    }
  }

  forget(): void {
    this.#prepared.clear();
  }

  #prepare(sql: string, as: 'objects' | 'arrays' = 'objects'): StatementSync {
    const key = `${as} ${sql}`;
    let statement = this.#prepared.get(key);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      statement.setReturnArrays(as === 'arrays');
      this.#prepared.set(key, statement);
    }
    return statement;
  }
}
