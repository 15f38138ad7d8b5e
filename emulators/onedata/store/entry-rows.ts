import type { Entry } from './entry.ts';

const OF_NAME = ['uuid', 'space', 'parent', 'name'] as const;
const OF_INODE = [
  ...(['inode', 'type', 'mode', 'size', 'atime', 'mtime', 'ctime', 'creation', 'links'] as const),
  ...(['target', 'xattrs', 'json', 'rdf'] as const),
] as const;
type Columns = readonly [...typeof OF_NAME, ...typeof OF_INODE];

/** One entry as the database answers it without names, which would cost several times as much. */
export type EntryRow = {
  readonly [Index in keyof Columns]: Columns[Index] extends keyof Entry ? Entry[Columns[Index]] : never;
};

const COLUMNS = [...OF_NAME.map((name) => `e.${name}`), ...OF_INODE.map((name) => `i.${name}`)].join(', ');
const SELECT = `SELECT ${COLUMNS} FROM entries e JOIN inodes i ON i.inode = e.inode`;

/** Whole texts: to put one together at each call costs as much as to run it. */
export const ENTRY_QUERIES = {
  byUuid: `${SELECT} WHERE e.uuid = ?`,
  child: `${SELECT} WHERE e.parent = ? AND e.name = ?`,
  ofInode: `${SELECT} WHERE e.inode = ?`,
  childrenAfter: `${SELECT} WHERE e.parent = ? AND e.name > ? ORDER BY e.name LIMIT ? OFFSET ?`,
  childrenFrom: `${SELECT} WHERE e.parent = ? AND e.name >= ? ORDER BY e.name LIMIT ? OFFSET ?`,
} as const;

export const entryOf = (row: EntryRow): Entry => ({
  uuid: row[0],
  space: row[1],
  parent: row[2],
  name: row[3],
  inode: row[4],
  type: row[5],
  mode: row[6],
  size: row[7],
  atime: row[8],
  mtime: row[9],
  ctime: row[10],
  creation: row[11],
  links: row[12],
  target: row[13],
  xattrs: row[14],
  json: row[15],
  rdf: row[16],
});
