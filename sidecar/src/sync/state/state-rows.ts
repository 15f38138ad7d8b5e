import { constants } from 'node:fs';
import { type EntryKind, joinPath } from '../../spaces/space.ts';
import type { BaseEntry, RemoteEntry } from '../model.ts';
import { unpackTime } from '../time-range.ts';

/** A row as SQLite gives it, with exact integers. */
export type Row = Record<string, string | bigint | Uint8Array | null>;

/**
 * What tells whether an entry is still the same, for comparing with `fs.Stats`: times in ms, and type and rights in one
 * number, -1 where no look is enough. Few columns and no text but the name: there are millions.
 */
export type BaseStat = [
  name: string,
  mode: number,
  size: number,
  mtimeMs: number,
  ctimeMs: number,
  inode: number,
];

/** Rows of a page: of a directory with more of them, not all are in memory at one time. */
export const LOOKS_OF_A_PAGE = 500;

/** Asks for the `BaseStat`s of a directory that come after a name. Times are worked out as Node does it, to the last bit. */
export const BASE_STATS = `SELECT name,
  CASE WHEN kind = 'directory' THEN ${constants.S_IFDIR} | mode WHEN suspect <> 0 THEN -1
    WHEN kind = 'file' THEN ${constants.S_IFREG} | mode WHEN kind = 'symlink' THEN ${constants.S_IFLNK} END,
  size, ${milliseconds('mtime_ns')}, ${milliseconds('ctime_ns')}, CAST(inode AS REAL)
  FROM base WHERE parent = ? AND name > ? ORDER BY name LIMIT ${LOOKS_OF_A_PAGE}`;

/** @param read the rows of `BASE_STATS` */
export function* statPages(read: (after: string) => BaseStat[]): Iterable<BaseStat[]> {
  let page = read('');
  yield page;
  while (page.length === LOOKS_OF_A_PAGE) {
    page = read(page.at(-1)?.[0] ?? '');
    yield page;
  }
}

function milliseconds(column: string): string {
  return `${column} / 1000000000 * 1000 + ${column} % 1000000000 / 1e6`;
}

/** A stored upload that no save has used yet; it is taken up again when the local file is still the same. */
export interface StagedUpload {
  readonly path: string;
  /** Size, times and inode of the local file that was read. */
  readonly facts: string;
  readonly staged: string;
  readonly size: number;
  readonly hash: string;
  readonly remoteId: string;
}

function number(value: Row[string] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
function text(value: Row[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

export function toBase(row: Row): BaseEntry {
  return {
    path: joinPath(String(row.parent), String(row.name)),
    kind: String(row.kind) as EntryKind,
    size: Number(row.size),
    mtimeNs: unpackTime(row.mtime_ns as bigint),
    ctimeNs: unpackTime(row.ctime_ns as bigint),
    mode: Number(row.mode),
    inode: row.inode as bigint,
    target: text(row.target),
    hash: text(row.hash),
    linkGroup: text(row.link_group),
    remote:
      row.remote_id === null
        ? null
        : {
            id: String(row.remote_id),
            size: Number(row.remote_size),
            mtimeSeconds: number(row.remote_mtime),
          },
    racy: row.suspect === 1n,
  };
}

export function toRemote(row: Row): RemoteEntry {
  return {
    path: row.parent === '/' ? '' : joinPath(String(row.parent), String(row.name)),
    kind: String(row.kind) as EntryKind,
    id: String(row.id),
    size: Number(row.size),
    mtimeSeconds: number(row.mtime),
  };
}

export function toStaged(row: Row): StagedUpload {
  return {
    path: String(row.path),
    facts: String(row.facts),
    staged: String(row.staged),
    size: Number(row.size),
    hash: String(row.hash),
    remoteId: String(row.remote_id),
  };
}
