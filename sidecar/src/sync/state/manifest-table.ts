import { nameOf, parentOf } from '../../spaces/space.ts';
import type { ManifestEntry } from '../model.ts';
import { formatManifestLine, parseManifestLine } from './manifest-line.ts';
import type { Statements } from './statements.ts';

/** The lines of the space's manifest, as far as they were read or written here. */
export class ManifestTable {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  get(path: string): ManifestEntry | null {
    const row = this.#sql.get(
      'SELECT line FROM manifest WHERE parent = ? AND name = ?',
      parentOf(path),
      nameOf(path),
    );
    return row === undefined ? null : (parseManifestLine(String(row.line))?.entry ?? null);
  }

  children(parent: string): Map<string, ManifestEntry> {
    const result = new Map<string, ManifestEntry>();
    for (const row of this.#sql.all('SELECT name, line FROM manifest WHERE parent = ?', parent)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry !== undefined && entry !== null) result.set(String(row.name), entry);
    }
    return result;
  }

  put(entry: ManifestEntry): void {
    const line = formatManifestLine(entry, null);
    this.#sql.run(
      'INSERT OR REPLACE INTO manifest VALUES (?, ?, ?)',
      parentOf(entry.path),
      nameOf(entry.path),
      line,
    );
  }

  delete(path: string): void {
    this.#sql.run('DELETE FROM manifest WHERE parent = ? AND name = ?', parentOf(path), nameOf(path));
  }

  clear(): void {
    this.#sql.run('DELETE FROM manifest');
  }

  count(): number {
    return Number(this.#sql.get('SELECT count(*) AS n FROM manifest')?.n ?? 0);
  }

  /** @param after path of the entry that was seen last; the order is that of parent and name. @default from the start */
  *all(after = ''): Iterable<ManifestEntry> {
    const from = [parentOf(after), nameOf(after)] as const;
    for (const row of this.#sql.byPath('SELECT parent, name, line FROM manifest', 'true', from)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry != null) yield entry;
    }
  }

  /** Entries of the manifest that the space holds by itself and its listing has not. */
  *unlisted(): Iterable<ManifestEntry> {
    const unlisted =
      'NOT EXISTS (SELECT 1 FROM remote AS r WHERE r.parent = manifest.parent AND r.name = manifest.name)';
    for (const row of this.#sql.byPath('SELECT parent, name, line FROM manifest', unlisted)) {
      const entry = parseManifestLine(String(row.line))?.entry;
      if (entry != null && entry.remote !== null) yield entry;
    }
  }
}
