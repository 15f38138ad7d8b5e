import { nameOf, parentOf } from '../../spaces/space.ts';
import { type RemoteEntry, UNKNOWN_ID } from '../model.ts';
import { toRemote } from './state-rows.ts';
import type { Statements } from './statements.ts';

/** The last listing of the space. */
export class RemoteTable {
  readonly #sql: Statements;
  readonly #transaction: (work: () => void) => void;

  constructor(sql: Statements, transaction: (work: () => void) => void) {
    this.#sql = sql;
    this.#transaction = transaction;
  }

  start(): void {
    this.#transaction(() => {
      this.#sql.run('DELETE FROM remote');
      this.put([{ path: '', kind: 'directory', id: '', size: 0, mtimeSeconds: null }], null);
    });
  }

  /** @param listed the directory that these are all the children of */
  put(entries: readonly RemoteEntry[], listed: string | null): void {
    this.#transaction(() => {
      for (const entry of entries) {
        this.#sql.run(
          'INSERT OR REPLACE INTO remote VALUES (?, ?, ?, ?, ?, ?, ?)',
          entry.path === '' ? '/' : parentOf(entry.path),
          nameOf(entry.path),
          entry.kind,
          entry.id,
          entry.size,
          entry.mtimeSeconds,
          entry.kind === 'directory' ? 0 : 1,
        );
      }
      if (listed !== null) {
        const parent = listed === '' ? '/' : parentOf(listed);
        this.#sql.run('UPDATE remote SET listed = 1 WHERE parent = ? AND name = ?', parent, nameOf(listed));
      }
    });
  }

  /** Entries that are in no listing; a listed one at the same path stays. */
  addVirtual(entries: readonly RemoteEntry[]): void {
    this.#transaction(() => {
      for (const entry of entries) {
        this.#sql.run(
          'INSERT OR IGNORE INTO remote VALUES (?, ?, ?, ?, ?, ?, 1)',
          parentOf(entry.path),
          nameOf(entry.path),
          entry.kind,
          entry.id,
          entry.size,
          entry.mtimeSeconds,
        );
      }
    });
  }

  unlistedDirectories(limit: number): RemoteEntry[] {
    return this.#sql.all('SELECT * FROM remote WHERE listed = 0 LIMIT ?', limit).map(toRemote);
  }

  /** Nothing is known of this entry, nor of what is in it: what it was before counts for nothing and is not gone. */
  putUnknown(path: string): void {
    this.#transaction(() => {
      this.put([{ path, kind: 'directory', id: UNKNOWN_ID, size: 0, mtimeSeconds: null }], null);
      this.markUnlistable(path);
    });
  }

  /** Nothing is known of what is in it. */
  markUnlistable(directory: string): void {
    const sql = 'UPDATE remote SET listed = 2 WHERE parent = ? AND name = ?';
    this.#sql.run(sql, parentOf(directory), nameOf(directory));
  }

  isUnlistable(path: string): boolean {
    const sql = 'SELECT 1 FROM remote WHERE listed = 2 AND parent = ? AND name = ?';
    return this.#sql.get(sql, parentOf(path), nameOf(path)) !== undefined;
  }

  hasUnlistable(): boolean {
    return this.#sql.get('SELECT 1 FROM remote WHERE listed = 2 LIMIT 1') !== undefined;
  }

  children(parent: string): Map<string, RemoteEntry> {
    const rows = this.#sql.all('SELECT * FROM remote WHERE parent = ?', parent);
    return new Map(rows.map((row) => [String(row.name), toRemote(row)]));
  }

  totals(): { files: number; bytes: number } {
    const row = this.#sql.get("SELECT count(*) AS n, sum(size) AS s FROM remote WHERE kind <> 'directory'");
    return { files: Number(row?.n ?? 0), bytes: Number(row?.s ?? 0) };
  }

  get(path: string): RemoteEntry | null {
    const row = this.#sql.get(
      'SELECT * FROM remote WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : toRemote(row);
  }
}
