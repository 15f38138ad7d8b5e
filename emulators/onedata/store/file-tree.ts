import { randomBytes } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { posix } from '../http/api-error.ts';
import type { Entry, FileType } from './entry.ts';
import { ENTRY_QUERIES, type EntryRow, entryOf } from './entry-rows.ts';
import { type Transactions, Turns } from './turns.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS inodes(
  inode INTEGER PRIMARY KEY, space TEXT NOT NULL, type TEXT NOT NULL, mode INTEGER NOT NULL, size INTEGER NOT NULL,
  atime INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, creation INTEGER NOT NULL,
  links INTEGER NOT NULL, target TEXT, xattrs TEXT, json TEXT, rdf TEXT, writing INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS contents(inode INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entries(
  uuid TEXT PRIMARY KEY, space TEXT NOT NULL, parent TEXT, name TEXT NOT NULL, inode INTEGER NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_name ON entries(parent, name);
CREATE INDEX IF NOT EXISTS entries_by_inode ON entries(inode);
CREATE INDEX IF NOT EXISTS inodes_written ON inodes(writing) WHERE writing > 0;
CREATE TABLE IF NOT EXISTS spaces(id TEXT PRIMARY KEY, name TEXT NOT NULL, quota INTEGER, supported INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tokens(id TEXT PRIMARY KEY, name TEXT, token TEXT, request TEXT, revoked INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS generations(user TEXT PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS conflicts(uuid TEXT PRIMARY KEY, parent TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS imports(space TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY(space, key));
`;
/** What a path is made of. */
export type Ancestor = Pick<Entry, 'uuid' | 'space' | 'parent' | 'name'>;
/** Directories whose way from the root is remembered. */
const MAX_LINES = 50_000;

const INSERT_ENTRY = 'INSERT INTO entries VALUES (?,?,?,?,?)';
/** Changes no page of the database where the time is the same already. */
const TOUCH = 'UPDATE inodes SET mtime = ?1, ctime = ?1 WHERE inode = ?2 AND (mtime <> ?1 OR ctime <> ?1)';

export const rootUuid = (spaceId: string) => `space_${spaceId}`;
export const trashUuid = (spaceId: string) => `trash_${spaceId}`;
export const nowSeconds = () => Math.floor(Date.now() / 1000);
/** Characters of a provider's id in the name of a conflict. */
const SHOWN_PROVIDER_LENGTH = 4;
/** Those of one time lie together in the database, and so do most directories. */
const newUuid = () => Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex');

const SQLITE_BUSY = 5;
const inUse = (file: string) =>
  new Error(`${file} is in use: end the emulator that runs on this data, or give another directory`);

type Value = string | number | null | Uint8Array;
type Column = 'mode' | 'size' | 'atime' | 'mtime' | 'ctime' | 'xattrs' | 'json' | 'rdf' | 'writing';

/**
 * Names, attributes and metadata of all spaces, in one SQLite file. Names compare bytewise, as Onedata lists them.
 * Contents are not here but in `ContentStore`, by inode.
 */
export class FileTree {
  readonly database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  readonly #preparedEntries = new Map<string, StatementSync>();
  /** Directory → the way to it from the root, itself last. Forgotten as soon as any directory moves or goes. */
  readonly #lines = new Map<string, readonly Ancestor[]>();
  #hasConflicts: boolean;
  #writes = 0;
  readonly #turns: Turns;

  constructor(file: string) {
    this.database = new DatabaseSync(file);
    try {
      // Locked once and for all: to lock for each statement by itself costs more than most statements.
      this.database.exec('PRAGMA locking_mode = EXCLUSIVE;');
      // A process that is killed loses nothing; that the machine stops is nothing an emulator has to outlast.
      this.database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;');
      // Ids are random, so a listing reads all over a large file: from memory, of which the system can take back most.
      this.database.exec('PRAGMA cache_size = -32768; PRAGMA mmap_size = 1073741824;');
      this.database.exec(SCHEMA);
    } catch (error) {
      this.database.close();
      throw (error as { errcode?: number }).errcode === SQLITE_BUSY ? inUse(file) : error;
    }
    this.#hasConflicts = this.one('SELECT 1 FROM conflicts') !== undefined;
    this.#turns = new Turns(this.#transactions());
  }

  #transactions(): Transactions {
    const [begin, commit] = [this.database.prepare('BEGIN IMMEDIATE'), this.database.prepare('COMMIT')];
    return {
      begin: () => begin.run(),
      commit: () => commit.run(),
      rollback: () => {
        // The database may have done so itself.
        if (this.database.isTransaction) this.database.exec('ROLLBACK');
        this.#lines.clear();
      },
      writes: () => this.#writes,
    };
  }

  close(): void {
    this.#turns.finish();
    this.database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  one<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** @returns how many rows changed */
  run(sql: string, ...values: Value[]): number {
    this.#writes += 1;
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** All or nothing; nests into an outer one. Lasting when it is `settled`. */
  atomically<Result>(work: () => Result): Result {
    return this.#turns.join(work);
  }

  /** Resolves when every change so far outlasts the end of the process. To be waited for before a change is answered. */
  settled(): Promise<void> {
    return this.#turns.settled();
  }

  #entries(sql: string): StatementSync {
    let statement = this.#preparedEntries.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      statement.setReturnArrays(true);
      this.#preparedEntries.set(sql, statement);
    }
    return statement;
  }

  #entry(sql: string, ...values: Value[]): Entry | undefined {
    const row = this.#entries(sql).get(...values) as EntryRow | undefined;
    return row && entryOf(row);
  }

  byUuid(uuid: string): Entry | undefined {
    return this.#entry(ENTRY_QUERIES.byUuid, uuid);
  }

  child(parent: string, name: string): Entry | undefined {
    return this.#entry(ENTRY_QUERIES.child, parent, name);
  }

  /** In bytewise order of names, from `after` on (exclusive unless `isInclusive`). */
  children(parent: string, after: string, limit: number, isInclusive = false, skip = 0): Entry[] {
    const sql = isInclusive ? ENTRY_QUERIES.childrenFrom : ENTRY_QUERIES.childrenAfter;
    return (this.#entries(sql).all(parent, after, limit, skip) as unknown as EntryRow[]).map(entryOf);
  }

  /** Name of the entry `count` places before `name`, or the first one. */
  nameBefore(parent: string, name: string, count: number): string {
    const rows = this.all<{ name: string }>(
      'SELECT name FROM entries WHERE parent = ? AND name < ? ORDER BY name DESC LIMIT ?',
      parent,
      name,
      count,
    );
    return rows.at(-1)?.name ?? name;
  }

  entriesOfInode(inode: number): Entry[] {
    return (this.#entries(ENTRY_QUERIES.ofInode).all(inode) as unknown as EntryRow[]).map(entryOf);
  }

  /** Directories above an entry, the root first. */
  ancestors(entry: Pick<Entry, 'parent'>): readonly Ancestor[] {
    return entry.parent === null ? [] : this.#lineTo(entry.parent);
  }

  #lineTo(directory: string): readonly Ancestor[] {
    const known = this.#lines.get(directory);
    if (known) return known;
    const found = this.byUuid(directory);
    if (!found) return [];
    const { uuid, space, parent, name } = found;
    const line = [...this.ancestors(found), { uuid, space, parent, name }];
    if (this.#lines.size >= MAX_LINES) this.#lines.clear();
    this.#lines.set(directory, line);
    return line;
  }

  makeRoots(spaceId: string, name: string): void {
    this.atomically(() => {
      for (const uuid of [rootUuid(spaceId), trashUuid(spaceId)]) {
        if (this.byUuid(uuid)) continue;
        const label = uuid === rootUuid(spaceId) ? name : '.trash';
        this.#insert({
          uuid,
          space: spaceId,
          parent: null,
          name: label,
          type: 'DIR',
          mode: 0o775,
          target: null,
        });
      }
    });
  }

  /** @throws ApiError `eexist`, `enotdir` */
  create(
    parent: Entry,
    name: string,
    file: { type: FileType; mode: number; target?: string; mtime?: number },
  ): Entry {
    return this.atomically(() => {
      this.#assertFree(parent, name);
      const { type, mode, target = null, mtime } = file;
      const at = { uuid: newUuid(), space: parent.space, parent: parent.uuid, name };
      this.touch(parent.inode);
      return this.#insert({ ...at, type, mode, target }, mtime);
    });
  }

  /** A further name for the same content. @throws ApiError `eexist`, `enotdir` */
  link(parent: Entry, name: string, inode: number): Entry {
    return this.atomically(() => {
      this.#assertFree(parent, name);
      const uuid = newUuid();
      this.run(INSERT_ENTRY, uuid, parent.space, parent.uuid, name, inode);
      this.run('UPDATE inodes SET links = links + 1, ctime = ? WHERE inode = ?', nowSeconds(), inode);
      this.touch(parent.inode);
      return this.byUuid(uuid) as Entry;
    });
  }

  /** Takes one name away. Answers the inode when it was the last name, so that its content can go. */
  unlink(entry: Entry): number | undefined {
    return this.atomically(() => {
      this.run('DELETE FROM entries WHERE uuid = ?', entry.uuid);
      if (entry.type === 'DIR') this.#lines.clear();
      this.#endConflict(entry);
      this.run('UPDATE inodes SET links = links - 1, ctime = ? WHERE inode = ?', nowSeconds(), entry.inode);
      if (entry.parent !== null) this.#touchDirectory(entry.parent);
      const left = this.one<{ links: number }>('SELECT links FROM inodes WHERE inode = ?', entry.inode);
      if (left && left.links > 0) return undefined;
      this.run('DELETE FROM inodes WHERE inode = ?', entry.inode);
      return entry.inode;
    });
  }

  /** Keeps the id and the mtime of what is moved. The destination name must be free. */
  move(entry: Entry, parent: Entry, name: string): void {
    this.atomically(() => {
      this.#assertFree(parent, name);
      this.run('UPDATE entries SET parent = ?, name = ? WHERE uuid = ?', parent.uuid, name, entry.uuid);
      if (entry.type === 'DIR') this.#lines.clear();
      this.#endConflict(entry);
      this.set(entry.inode, { ctime: nowSeconds() });
      if (entry.parent !== null) this.#touchDirectory(entry.parent);
      this.touch(parent.inode);
    });
  }

  /**
   * What another provider made under a name that is taken here, as it shows once both know of each other: the later one
   * as `name@<start of the provider's id>`, until the name is free. ⚠ Every provider of the emulator shows the same of
   * both; with Onedata it depends on which one is asked. @throws ApiError `enoent` where the name is free
   */
  createConflict(parent: Entry, name: string, provider: string, mode: number): Entry {
    if (!this.#isTaken(parent.uuid, name)) throw posix('enoent');
    this.#hasConflicts = true;
    return this.atomically(() => {
      const shown = `${name}@${provider.slice(0, SHOWN_PROVIDER_LENGTH)}`;
      const made = this.create(parent, shown, { type: 'REG', mode });
      this.run('INSERT INTO conflicts VALUES (?,?,?,?)', made.uuid, parent.uuid, name, provider);
      return made;
    });
  }

  /** The name that an entry was made with, where it shows under another one, and who made it. */
  conflictOf({ uuid, name }: Entry): { name: string; provider: string } | undefined {
    if (!this.#hasConflicts || !name.includes('@')) return undefined;
    return this.one('SELECT name, provider FROM conflicts WHERE uuid = ?', uuid);
  }

  /** A name was given up, so the other one of two shows under it; an entry that was moved has one of its own. */
  #endConflict(left: Entry): void {
    if (!this.#hasConflicts) return;
    this.run('DELETE FROM conflicts WHERE uuid = ?', left.uuid);
    if (left.parent === null || this.#isTaken(left.parent, left.name)) return;
    const waiting = this.one<{ uuid: string }>(
      'SELECT uuid FROM conflicts WHERE parent = ? AND name = ?',
      left.parent,
      left.name,
    );
    if (!waiting) return;
    this.run('UPDATE entries SET name = ? WHERE uuid = ?', left.name, waiting.uuid);
    this.run('DELETE FROM conflicts WHERE uuid = ?', waiting.uuid);
  }

  set(inode: number, values: Partial<Record<Column, number | string | null>>): void {
    const columns = Object.keys(values).map((column) => `${column} = ?`);
    this.run(`UPDATE inodes SET ${columns.join(', ')} WHERE inode = ?`, ...Object.values(values), inode);
  }

  /** mtime and ctime move, as after a write or a change among the children. */
  touch(inode: number): void {
    this.run(TOUCH, nowSeconds(), inode);
  }

  #touchDirectory(uuid: string): void {
    const found = this.one<{ inode: number }>('SELECT inode FROM entries WHERE uuid = ?', uuid);
    if (found) this.touch(found.inode);
  }

  #assertFree(parent: Entry, name: string): void {
    if (parent.type !== 'DIR') throw posix('enotdir');
    if (this.#isTaken(parent.uuid, name)) throw posix('eexist');
  }

  #isTaken(parent: string, name: string): boolean {
    return this.one('SELECT 1 FROM entries WHERE parent = ? AND name = ?', parent, name) !== undefined;
  }

  #insert(
    row: Pick<Entry, 'uuid' | 'space' | 'parent' | 'name' | 'type' | 'mode' | 'target'>,
    mtime?: number,
  ) {
    const { uuid, space, parent, name, type, mode, target } = row;
    const now = nowSeconds();
    const size = target === null ? 0 : Buffer.byteLength(target);
    const times = { atime: mtime ?? now, mtime: mtime ?? now, ctime: now, creation: now };
    this.#writes += 1;
    const { lastInsertRowid } = this.#statement(
      `INSERT INTO inodes(space, type, mode, size, atime, mtime, ctime, creation, links, target)
       VALUES (?,?,?,?,?,?,?,?,1,?)`,
    ).run(space, type, mode, size, ...Object.values(times), target);
    const inode = Number(lastInsertRowid);
    this.run(INSERT_ENTRY, uuid, space, parent, name, inode);
    return { ...row, ...times, inode, size, links: 1, xattrs: null, json: null, rdf: null };
  }
}
