import type { BaseEntry, RemoteEntry } from '../model.ts';
import { type EntryKind, joinPath } from '../spaces/space.ts';

/** A row as SQLite gives it, with exact integers. */
export type Row = Record<string, string | bigint | Uint8Array | null>;

/** Of one entry, with the times in ms as `fs.Stats` has them, and suspect as 0 or 1. */
export type BaseLook = [
  name: string,
  kind: EntryKind,
  size: number,
  mtimeMs: number,
  ctimeMs: number,
  mode: number,
  inode: number,
  suspect: number,
];

/** The columns of a `BaseLook`. Times are worked out as Node does it, to the last bit. */
export const LOOK_COLUMNS = `name, kind, size, ${milliseconds('mtime_ns')}, ${milliseconds('ctime_ns')}, mode,
  CAST(inode AS REAL), suspect`;

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
  readonly remoteMtime: number | null;
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
    mtimeNs: row.mtime_ns as bigint,
    ctimeNs: row.ctime_ns as bigint,
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
    suspect: row.suspect === 1n,
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
    remoteMtime: number(row.remote_mtime),
  };
}
