/** `outside`: a link that leads out of the project, or nowhere. */
export interface FileRow {
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'outside' | 'other';
  /** Bytes of a file. */
  readonly size: number;
  /** ms since 1970. */
  readonly modified: number;
}

export interface FolderView {
  /** The true path of the folder from the project's on, `/` between names; empty: that one itself. */
  readonly path: string;
  /** Folders first, each kind by name. */
  readonly rows: readonly FileRow[];
  /** There are more than are named. */
  readonly isCut: boolean;
  readonly freeBytes: number;
}
