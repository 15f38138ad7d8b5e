import { DatabaseSync } from 'node:sqlite';
import { nameOf, parentOf } from '../../spaces/space.ts';
import type { BaseEntry, ManifestEntry, RemoteEntry } from '../model.ts';
import type { NameStore } from '../names.ts';
import { packTime } from '../time-range.ts';
import { formatManifestLine, parseManifestLine } from './manifest-line.ts';
import type { MetaKey } from './meta-keys.ts';
import {
  BASE_STATS,
  type BaseStat,
  type StagedUpload,
  statPages,
  toBase,
  toRemote,
  toStaged,
} from './state-rows.ts';
import { MIGRATIONS, TABLES } from './state-schema.ts';
import { Statements } from './statements.ts';

/**
 * What the engine knows about one volume, in SQLite beside the data. Every public method is one transaction unless it
 * runs inside `transaction`. Losing the file costs a comparison with the space, never data.
 */
export class StateStore implements NameStore {
  readonly file: string;
  readonly #db: DatabaseSync;
  readonly #sql: Statements;

  /** @throws where the file is damaged or from a newer version of this program. */
  constructor(file: string) {
    this.file = file;
    this.#db = new DatabaseSync(file, { timeout: 5_000 });
    this.#sql = new Statements(this.#db);
    try {
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.#migrate();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  #migrate(): void {
    const found = Number(
      (this.#db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version,
    );
    if (found > MIGRATIONS.length) {
      throw new Error(`the state has version ${found}, this program knows up to ${MIGRATIONS.length}`);
    }
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

  rememberName(encoded: string, raw: Uint8Array): void {
    this.#sql.run('INSERT OR IGNORE INTO names VALUES (?, ?)', encoded, raw);
  }

  rawName(encoded: string): Uint8Array | null {
    return (
      (this.#sql.get('SELECT raw FROM names WHERE encoded = ?', encoded)?.raw as Uint8Array | undefined) ??
      null
    );
  }

  // base: what both sides had when they were last equal

  baseChildren(parent: string): Map<string, BaseEntry> {
    const rows = this.#sql.all('SELECT * FROM base WHERE parent = ?', parent);
    return new Map(rows.map((row) => [String(row.name), toBase(row)]));
  }

  /** As much of the children as tells whether something happened to them on the volume, page by page. */
  baseStats(parent: string): Iterable<BaseStat[]> {
    return statPages((after) => this.#sql.numbers(BASE_STATS, parent, after) as BaseStat[]);
  }

  base(path: string): BaseEntry | null {
    const row = this.#sql.get(
      'SELECT * FROM base WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : toBase(row);
  }

  putBase(entry: BaseEntry): void {
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

  deleteBase(path: string): void {
    this.#sql.run('DELETE FROM base WHERE parent = ? AND name = ?', parentOf(path), nameOf(path));
  }

  /** ⚠ Takes a third of a second for a million; no autosave may ask it. */
  countBase(): number {
    return Number(this.#sql.get("SELECT count(*) AS n FROM base WHERE kind <> 'directory'")?.n ?? 0);
  }

  hasBase(): boolean {
    return this.#sql.get("SELECT 1 FROM base WHERE kind <> 'directory' LIMIT 1") !== undefined;
  }

  /** All entries, in no useful order. They may be changed meanwhile. */
  *allBase(): Iterable<BaseEntry> {
    for (const row of this.#sql.byPath('SELECT * FROM base')) yield toBase(row);
  }

  /** Those inside a directory before it. */
  *baseDirectories(): Iterable<BaseEntry> {
    const [select, where] = ['SELECT * FROM base', "kind = 'directory'"];
    for (const row of this.#sql.byPath(select, where, 'backwards')) yield toBase(row);
  }

  clearBase(): void {
    this.#sql.run('DELETE FROM base');
  }

  // remote: the last listing of the space

  startListing(): void {
    this.transaction(() => {
      this.#sql.run('DELETE FROM remote');
      this.putRemote([{ path: '', kind: 'directory', id: '', size: 0, mtimeSeconds: null }], null);
    });
  }

  /** @param listed the directory that these are all the children of */
  putRemote(entries: readonly RemoteEntry[], listed: string | null): void {
    this.transaction(() => {
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
  addVirtualRemote(entries: readonly RemoteEntry[]): void {
    this.transaction(() => {
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

  remoteChildren(parent: string): Map<string, RemoteEntry> {
    const rows = this.#sql.all('SELECT * FROM remote WHERE parent = ?', parent);
    return new Map(rows.map((row) => [String(row.name), toRemote(row)]));
  }

  remoteTotals(): { files: number; bytes: number } {
    const row = this.#sql.get("SELECT count(*) AS n, sum(size) AS s FROM remote WHERE kind <> 'directory'");
    return { files: Number(row?.n ?? 0), bytes: Number(row?.s ?? 0) };
  }

  remote(path: string): RemoteEntry | null {
    const row = this.#sql.get(
      'SELECT * FROM remote WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : toRemote(row);
  }

  // manifest: the lines of the space's manifest, as far as they were read or written here

  manifest(path: string): ManifestEntry | null {
    const row = this.#sql.get(
      'SELECT line FROM manifest WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : (parseManifestLine(String(row.line))?.entry ?? null);
  }

  manifestChildren(parent: string): Map<string, ManifestEntry> {
    const result = new Map<string, ManifestEntry>();
    for (const row of this.#sql.all('SELECT name, line FROM manifest WHERE parent = ?', parent)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry !== undefined && entry !== null) result.set(String(row.name), entry);
    }
    return result;
  }

  putManifest(entry: ManifestEntry): void {
    const line = formatManifestLine(entry, null);
    this.#sql.run(
      'INSERT OR REPLACE INTO manifest VALUES (?, ?, ?)',
      parentOf(entry.path),
      nameOf(entry.path),
      line,
    );
  }

  deleteManifest(path: string): void {
    this.#sql.run('DELETE FROM manifest WHERE parent = ? AND name = ?', parentOf(path), nameOf(path));
  }

  clearManifest(): void {
    this.#sql.run('DELETE FROM manifest');
  }

  countManifest(): number {
    return Number(this.#sql.get('SELECT count(*) AS n FROM manifest')?.n ?? 0);
  }

  /** @param after path of the entry that was seen last; the order is that of parent and name. @default from the start */
  *allManifest(after = ''): Iterable<ManifestEntry> {
    const from = [parentOf(after), nameOf(after)] as const;
    for (const row of this.#sql.byPath('SELECT parent, name, line FROM manifest', 'true', from)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry != null) yield entry;
    }
  }

  /** Entries of the manifest that the space holds by itself and its listing has not. */
  *unlistedManifest(): Iterable<ManifestEntry> {
    const unlisted =
      'NOT EXISTS (SELECT 1 FROM remote AS r WHERE r.parent = manifest.parent AND r.name = manifest.name)';
    for (const row of this.#sql.byPath('SELECT parent, name, line FROM manifest', unlisted)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry != null && entry.remote !== null) yield entry;
    }
  }

  // pending: the plan that is being carried out

  clearPending(): void {
    this.#sql.run('DELETE FROM pending');
  }

  addPending(stage: string, data: string): void {
    this.#sql.run('INSERT INTO pending (stage, data) VALUES (?, ?)', stage, data);
  }

  updatePending(seq: number, stage: string, data: string): void {
    this.#sql.run('UPDATE pending SET stage = ?, data = ? WHERE seq = ?', stage, data, seq);
  }

  deletePending(seq: number): void {
    this.#sql.run('DELETE FROM pending WHERE seq = ?', seq);
  }

  /** Rows of a stage in order, page by page: rows may be changed or removed while it runs. */
  *pending(stage: string | null, descending = false): Iterable<{ seq: number; stage: string; data: string }> {
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
  *pendingRows(numbers: readonly number[], stage?: string): Iterable<{ seq: number; data: string }> {
    for (const seq of numbers) {
      const row = this.#sql.get('SELECT * FROM pending WHERE seq = ?', seq);
      if (row !== undefined && (stage === undefined || row.stage === stage))
        yield { seq, data: String(row.data) };
    }
  }

  countPending(...stage: [] | [string]): number {
    const where = stage.length === 0 ? '' : ' WHERE stage = ?';
    return Number(this.#sql.get(`SELECT count(*) AS n FROM pending${where}`, ...stage)?.n ?? 0);
  }

  // staged: uploads in the staging folder of the space

  staged(path: string): StagedUpload | null {
    const row = this.#sql.get('SELECT * FROM staged WHERE path = ?', path);
    return row === undefined ? null : toStaged(row);
  }

  allStaged(): StagedUpload[] {
    return this.#sql.all('SELECT * FROM staged').map(toStaged);
  }

  putStaged(upload: StagedUpload): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?, ?, ?)',
      upload.path,
      upload.facts,
      upload.staged,
      upload.size,
      upload.hash,
      upload.remoteId,
      upload.remoteMtime,
    );
  }

  clearStaged(): void {
    this.#sql.run('DELETE FROM staged');
  }
}
