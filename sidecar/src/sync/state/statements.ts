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

  /** Rows as arrays, with plain numbers: for large results less than half the price. @throws for integers above 2^53 */
  numbers(sql: string, ...values: SQLInputValue[]): SQLOutputValue[][] {
    return this.#prepare(sql, true).all(...values) as unknown as SQLOutputValue[][];
  }

  /**
   * All rows of a table with the key (parent, name) in the order of this key, page by page: rows may be changed or
   * removed while it runs.
   * @param select up to and without its condition, e.g. `SELECT * FROM base`
   * @param after the key that was seen last; `backwards`: from the last row to the first
   */
  *byPath(
    select: string,
    condition = 'true',
    after: readonly [string, string] | 'backwards' = ['', ''],
  ): Iterable<Row> {
    const isBack = after === 'backwards';
    // A blob comes after any text.
    let [parent, name]: readonly [string | Uint8Array, string] = isBack ? [Uint8Array.of(), ''] : after;
    const [than, order] = isBack ? ['<', 'DESC'] : ['>', 'ASC'];
    for (;;) {
      const rows = this.all(
        `${select} WHERE (parent, name) ${than} (?, ?) AND ${condition} ORDER BY parent ${order}, name ${order} LIMIT ${PAGE_ROWS}`,
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

  #prepare(sql: string, asNumbers = false): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(!asNumbers);
      statement.setReturnArrays(asNumbers);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}
