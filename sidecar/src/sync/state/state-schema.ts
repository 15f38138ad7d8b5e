/**
 * Steps from one version of the state to the next; the version is SQLite's `user_version`. Never edit one, add one; but an
 * older program refuses a newer state, so a column that nothing reads any more (`staged.remote_mtime`) is no reason for one.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE base (
    parent TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, mode INTEGER NOT NULL,
    inode INTEGER NOT NULL, target TEXT, hash TEXT, link_group TEXT,
    remote_id TEXT, remote_size INTEGER, remote_mtime INTEGER, suspect INTEGER NOT NULL,
    PRIMARY KEY (parent, name)) WITHOUT ROWID;
  CREATE TABLE remote (
    parent TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, size INTEGER NOT NULL,
    mtime INTEGER, listed INTEGER NOT NULL,
    PRIMARY KEY (parent, name)) WITHOUT ROWID;
  CREATE INDEX remote_unlisted ON remote (parent, name) WHERE listed = 0;
  CREATE TABLE manifest (
    parent TEXT NOT NULL, name TEXT NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (parent, name)) WITHOUT ROWID;
  CREATE TABLE pending (seq INTEGER PRIMARY KEY, stage TEXT NOT NULL, data TEXT NOT NULL);
  CREATE INDEX pending_stage ON pending (stage, seq);
  CREATE TABLE staged (
    path TEXT PRIMARY KEY, facts TEXT NOT NULL, staged TEXT NOT NULL, size INTEGER NOT NULL, hash TEXT NOT NULL,
    remote_id TEXT NOT NULL, remote_mtime INTEGER) WITHOUT ROWID;
  CREATE TABLE names (encoded TEXT PRIMARY KEY, raw BLOB NOT NULL) WITHOUT ROWID;
  `,
];

/** What a state of the newest version has. */
export const TABLES = ['meta', 'base', 'remote', 'manifest', 'pending', 'staged', 'names'] as const;
