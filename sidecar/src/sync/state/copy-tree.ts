import type { StatementSync } from 'node:sqlite';
import type { EntryKind } from '../../spaces/space.ts';
import { ScratchDatabase } from './scratch-database.ts';

/** One entry that is to be copied to the volume. */
export interface CopyEntry {
  /** Path in the project, as it was saved. */
  readonly path: string;
  readonly kind: EntryKind;
  /** Bytes of a file, else 0. */
  readonly size: number;
  /** null: as it comes. */
  readonly mode: number | null;
  /** null: the moment of copying. */
  readonly mtimeNs: bigint | null;
  /** Of a link; null: the space is asked for it. */
  readonly target: string | null;
  /** SHA-256 of the content; null where nobody knows it. */
  readonly hash: string | null;
  readonly linkGroup: string | null;
  /** Where the space has the content; null for what only the manifest or the history holds. */
  readonly at: { readonly path: string; readonly id?: string } | null;
}

/** What is to be copied, by path, in a file of its own: there may be millions. `null` says that nothing was there. */
export class CopyTree {
  readonly #scratch: ScratchDatabase;
  readonly #put: StatementSync;
  readonly #get: StatementSync;

  constructor(scratch: string) {
    this.#scratch = new ScratchDatabase(
      scratch,
      'CREATE TABLE entries (path TEXT PRIMARY KEY, kind TEXT, size INTEGER, data TEXT) WITHOUT ROWID',
    );
    const { db } = this.#scratch;
    this.#put = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)');
    this.#get = db.prepare('SELECT data FROM entries WHERE path = ?');
  }

  put(path: string, entry: CopyEntry | null): void {
    const data = entry === null ? null : JSON.stringify({ ...entry, mtimeNs: textOf(entry.mtimeNs) });
    this.#put.run(path, entry?.kind ?? null, entry?.size ?? 0, data);
  }

  /** undefined: nothing was said of the path. */
  get(path: string): CopyEntry | null | undefined {
    const row = this.#get.get(path) as { data: string | null } | undefined;
    return row === undefined ? undefined : row.data === null ? null : entryOf(row.data);
  }

  /** Files and links, or directories, and the bytes of all files. */
  totals(): { files: number; bytes: number } {
    const row = this.#scratch.db
      .prepare("SELECT count(*) AS n, sum(size) AS s FROM entries WHERE kind <> 'directory'")
      .get() as { n: number; s: number | null };
    return { files: row.n, bytes: row.s ?? 0 };
  }

  /** Parents before children; `deepest`: the other way round. */
  *entries(what: 'directories' | 'leaves', order: 'parents' | 'deepest' = 'parents'): Iterable<CopyEntry> {
    const kinds = what === 'directories' ? "= 'directory'" : "<> 'directory'";
    const [side, way] = order === 'parents' ? ['>', 'ASC'] : ['<', 'DESC'];
    const page = this.#scratch.db.prepare(
      `SELECT path, data FROM entries WHERE kind ${kinds} AND path ${side} ? ORDER BY path ${way} LIMIT 500`,
    );
    for (let last = order === 'parents' ? '' : '\u{10ffff}'; ; ) {
      const rows = page.all(last) as { path: string; data: string }[];
      for (const row of rows) {
        last = row.path;
        yield entryOf(row.data);
      }
      if (rows.length === 0) return;
    }
  }

  close(): void {
    this.#scratch.close();
  }
}

function textOf(mtimeNs: bigint | null): string | null {
  return mtimeNs === null ? null : String(mtimeNs);
}

function entryOf(data: string): CopyEntry {
  const entry = JSON.parse(data) as Omit<CopyEntry, 'mtimeNs'> & { mtimeNs: string | null };
  return { ...entry, mtimeNs: entry.mtimeNs === null ? null : BigInt(entry.mtimeNs) };
}
