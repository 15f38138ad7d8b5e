export type FileType = 'REG' | 'DIR' | 'SYMLNK';

/** One name in a directory together with the file it stands for (hard links: several entries, one inode). */
export interface Entry {
  readonly uuid: string;
  readonly space: string;
  /** null: root of a space or its trash. */
  readonly parent: string | null;
  readonly name: string;
  readonly inode: number;
  readonly type: FileType;
  /** Octal permissions as a number. */
  readonly mode: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly creation: number;
  readonly links: number;
  readonly target: string | null;
  readonly xattrs: string | null;
  readonly json: string | null;
  readonly rdf: string | null;
}
