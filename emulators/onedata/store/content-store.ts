import { constants, createReadStream, mkdirSync, writeFileSync } from 'node:fs';
import { copyFile, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { FileTree } from './file-tree.ts';
import { FileWriter } from './file-writer.ts';

/** Contents up to this size are kept in the database: to make a file of its own costs several times as much. */
export const SMALL_BYTES = 65_536;

/** Fills a buffer from this place of a file on; answers how many bytes came, 0 behind the end of the file. */
export type ReadAt = (into: Buffer, length: number, position: number) => Promise<number>;

/**
 * Bytes of files: small ones in the database beside the names, others as one plain file an inode. What was never written
 * is in neither and is empty.
 */
export class ContentStore {
  readonly #directory: string;
  readonly #tree: FileTree;

  constructor(directory: string, tree: FileTree) {
    this.#directory = directory;
    this.#tree = tree;
    for (let index = 0; index < 256; index++) {
      mkdirSync(join(directory, index.toString(16).padStart(2, '0')), { recursive: true });
    }
  }

  /** The content of a small file; undefined for one that is not in the database. */
  small(inode: number): Buffer | undefined {
    const row = this.#tree.one<{ bytes: Uint8Array }>('SELECT bytes FROM contents WHERE inode = ?', inode);
    return row && Buffer.from(row.bytes.buffer, row.bytes.byteOffset, row.bytes.byteLength);
  }

  /** The whole content of a file that has none so far. */
  keepSmall(inode: number, bytes: Uint8Array): void {
    this.#tree.run('INSERT OR REPLACE INTO contents VALUES (?, ?)', inode, bytes);
  }

  async size(inode: number): Promise<number> {
    const small = this.#tree.one<{ size: number }>(
      'SELECT length(bytes) AS size FROM contents WHERE inode = ?',
      inode,
    );
    if (small) return small.size;
    try {
      return (await stat(this.#fileOf(inode))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  async empty(inode: number): Promise<void> {
    if (this.#forgetSmall(inode)) return;
    // First that nothing leads to it has to last: what is removed cannot be undone.
    await this.#tree.settled();
    await rm(this.#fileOf(inode), { force: true });
  }

  /** `end` is inclusive. */
  read(inode: number, start: number, end: number): Readable {
    const small = this.small(inode);
    if (small) return Readable.from([small.subarray(start, end + 1)]);
    return createReadStream(this.#fileOf(inode), { start, end, highWaterMark: 262_144 });
  }

  /** Lets someone read a content that is a file of its own. */
  async reading(inode: number, work: (read: ReadAt) => Promise<void>): Promise<void> {
    const file = await open(this.#fileOf(inode), constants.O_RDONLY);
    try {
      await work(async (into, length, position) => (await file.read(into, 0, length, position)).bytesRead);
    } finally {
      await file.close();
    }
  }

  /** Writes from `offset` on without cutting what stands there; a gap reads as zeros. Several may write at one time. */
  async write(inode: number, offset: number): Promise<FileWriter> {
    const small = this.small(inode);
    if (small) {
      writeFileSync(this.#fileOf(inode), small);
      this.#forgetSmall(inode);
    }
    const flags = constants.O_WRONLY | constants.O_CREAT;
    return new FileWriter(await open(this.#fileOf(inode), flags, 0o666), offset);
  }

  async copy(from: number, to: number): Promise<void> {
    const small = this.small(from);
    if (small) this.keepSmall(to, small);
    else if ((await this.size(from)) > 0) await copyFile(this.#fileOf(from), this.#fileOf(to));
  }

  /** Takes a file of the host in, as a copy (a hard link would let later writes through to the original). */
  async takeIn(file: string, inode: number): Promise<void> {
    await this.empty(inode);
    if ((await stat(file)).size <= SMALL_BYTES) this.keepSmall(inode, await readFile(file));
    else await copyFile(file, this.#fileOf(inode));
  }

  #fileOf(inode: number): string {
    return join(this.#directory, (inode % 256).toString(16).padStart(2, '0'), String(inode));
  }

  /** @returns whether it was there */
  #forgetSmall(inode: number): boolean {
    return this.#tree.run('DELETE FROM contents WHERE inode = ?', inode) > 0;
  }
}
