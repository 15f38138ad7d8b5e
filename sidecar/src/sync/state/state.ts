import { DatabaseSync } from 'node:sqlite';
import type { NameStore } from '../names.ts';
import { refuseNewer, VOLUME_IS_NEWER } from '../sync-errors.ts';
import { BaseTable } from './base-table.ts';
import { ManifestTable } from './manifest-table.ts';
import type { MetaKey } from './meta-keys.ts';
import { PendingTable } from './pending-table.ts';
import { RemoteTable } from './remote-table.ts';
import { StagedTable } from './staged-table.ts';
import { MIGRATIONS, TABLES } from './state-schema.ts';
import { Statements } from './statements.ts';

/**
 * What the engine knows about one volume, in SQLite beside the data. Every method of it and of its
 * tables is one transaction unless it runs inside `transaction`. Losing the file costs a comparison with the space, never data.
 */
export class StateStore implements NameStore {
  readonly file: string;
  readonly base: BaseTable;
  readonly remote: RemoteTable;
  readonly manifest: ManifestTable;
  readonly pending: PendingTable;
  readonly staged: StagedTable;
  readonly #db: DatabaseSync;
  readonly #sql: Statements;

  /** @throws NewerFormatError; another error where the file is damaged */
  constructor(file: string) {
    this.file = file;
    this.#db = new DatabaseSync(file, { timeout: 5_000 });
    this.#sql = new Statements(this.#db);
    this.base = new BaseTable(this.#sql);
    this.remote = new RemoteTable(this.#sql, (work) => this.transaction(work));
    this.manifest = new ManifestTable(this.#sql);
    this.pending = new PendingTable(this.#sql);
    this.staged = new StagedTable(this.#sql);
    try {
      const version = this.#version();
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.#migrate(version);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** @throws NewerFormatError before anything is written */
  #version(): number {
    const { user_version: found } = this.#db.prepare('PRAGMA user_version').get() as { user_version: number };
    refuseNewer('its state', found, MIGRATIONS.length, VOLUME_IS_NEWER);
    return found;
  }

  #migrate(found: number): void {
    const check = this.#db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    if (check.quick_check !== 'ok') throw new Error(`the state is damaged: ${check.quick_check}`);
    for (let version = found; version < MIGRATIONS.length; version += 1) {
      this.#db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[version]}; PRAGMA user_version = ${version + 1}; COMMIT;`);
    }
    for (const table of TABLES) this.#db.prepare(`SELECT 1 FROM ${table}`);
  }

  close(): void {
    this.#sql.forget();
    this.#db.close();
  }

  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Like `transaction`, and on the disk when it returns, with everything before it. */
  durably<T>(work: () => T): T {
    this.#db.exec('PRAGMA synchronous = FULL');
    try {
      return this.transaction(work);
    } finally {
      this.#db.exec('PRAGMA synchronous = NORMAL');
    }
  }

  meta(key: MetaKey): string | null {
    const row = this.#sql.get('SELECT value FROM meta WHERE key = ?', key);
    return row === undefined ? null : String(row.value);
  }

  setMeta(key: MetaKey, value: string | null): void {
    if (value === null) this.#sql.run('DELETE FROM meta WHERE key = ?', key);
    else this.#sql.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value);
  }

  /** What `setJson` has kept. @param none where nothing is kept */
  json<T>(key: MetaKey, none: T): T {
    const text = this.meta(key);
    return text === null ? none : (JSON.parse(text) as T);
  }

  setJson(key: MetaKey, value: object | null): void {
    this.setMeta(key, value === null ? null : JSON.stringify(value));
  }

  rememberName(encoded: string, raw: Uint8Array): void {
    this.#sql.run('INSERT OR IGNORE INTO names VALUES (?, ?)', encoded, raw);
  }

  rawName(encoded: string): Uint8Array | null {
    return (
      (this.#sql.get('SELECT raw FROM names WHERE encoded = ?', encoded)?.raw as Uint8Array | undefined) ??
      null
    );
  }
}
