import { createReadStream, createWriteStream, mkdirSync, type ReadStream, type WriteStream } from 'node:fs';
import { copyFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of files, one plain file an inode; a file that was never written has none and is empty. */
export class ContentStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    for (let index = 0; index < 256; index++) {
      mkdirSync(join(directory, index.toString(16).padStart(2, '0')), { recursive: true });
    }
  }

  fileOf(inode: number): string {
    return join(this.#directory, (inode % 256).toString(16).padStart(2, '0'), String(inode));
  }

  async size(inode: number): Promise<number> {
    try {
      return (await stat(this.fileOf(inode))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  async empty(inode: number): Promise<void> {
    await rm(this.fileOf(inode), { force: true });
  }

  /** `end` is inclusive. */
  read(inode: number, start: number, end: number): ReadStream {
    return createReadStream(this.fileOf(inode), { start, end, highWaterMark: 262_144 });
  }

  /** Writes from `offset` on without cutting what stands behind; a gap reads as zeros. */
  async write(inode: number, offset: number): Promise<WriteStream> {
    const size = await this.size(inode);
    if (size === 0) return createWriteStream(this.fileOf(inode), { flags: 'w', start: offset });
    if (offset > size) await truncate(this.fileOf(inode), offset);
    return createWriteStream(this.fileOf(inode), { flags: 'r+', start: offset, highWaterMark: 262_144 });
  }

  async copy(from: number, to: number): Promise<void> {
    if ((await this.size(from)) > 0) await copyFile(this.fileOf(from), this.fileOf(to));
  }

  /** Takes a file of the host in, as a copy (a hard link would let later writes through to the original). */
  async takeIn(file: string, inode: number): Promise<void> {
    await copyFile(file, this.fileOf(inode));
  }
}
