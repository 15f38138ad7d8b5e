import { nameOf, parentOf } from '../../spaces/space.ts';
import type { BaseEntry } from '../model.ts';
import { packTime } from '../time-range.ts';
import { BASE_STATS, type BaseStat, statPages, toBase } from './state-rows.ts';
import type { Statements } from './statements.ts';

/** What both sides had when they were last equal. */
export class BaseTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  children(parent: string): Map<string, BaseEntry> {
    const rows = this.#sql.all('SELECT * FROM base WHERE parent = ?', parent);
    return new Map(rows.map((row) => [String(row.name), toBase(row)]));
  }

  /** As much of the children as tells whether something happened to them on the volume, page by page. */
  stats(parent: string): Iterable<BaseStat[]> {
    return statPages((after) => this.#sql.numbers(BASE_STATS, parent, after) as BaseStat[]);
  }

  get(path: string): BaseEntry | null {
    const row = this.#sql.get(
      'SELECT * FROM base WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : toBase(row);
  }

  put(entry: BaseEntry): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO base VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      parentOf(entry.path),
      nameOf(entry.path),
      entry.kind,
      entry.size,
      packTime(entry.mtimeNs),
      packTime(entry.ctimeNs),
      entry.mode,
      entry.inode,
      entry.target,
      entry.hash,
      entry.linkGroup,
      entry.remote?.id ?? null,
      entry.remote?.size ?? null,
      entry.remote?.mtimeSeconds ?? null,
      entry.racy ? 1 : 0,
    );
  }

  delete(path: string): void {
    this.#sql.run('DELETE FROM base WHERE parent = ? AND name = ?', parentOf(path), nameOf(path));
  }

  /** ⚠ Takes a third of a second for a million; no autosave may ask it. */
  count(): number {
    return Number(this.#sql.get("SELECT count(*) AS n FROM base WHERE kind <> 'directory'")?.n ?? 0);
  }

  hasFiles(): boolean {
    return this.#sql.get("SELECT 1 FROM base WHERE kind <> 'directory' LIMIT 1") !== undefined;
  }

  /** All entries, in no useful order. They may be changed meanwhile. */
  *all(): Iterable<BaseEntry> {
    for (const row of this.#sql.byPath('SELECT * FROM base')) yield toBase(row);
  }

  /** Those inside a directory before it. */
  *directories(): Iterable<BaseEntry> {
    const [select, where] = ['SELECT * FROM base', "kind = 'directory'"];
    for (const row of this.#sql.byPath(select, where, 'backwards')) yield toBase(row);
  }

  clear(): void {
    this.#sql.run('DELETE FROM base');
  }
}
