import * as fs from 'node:fs/promises';
import { JobThread } from '../../thread.ts';

export interface WriteRequest {
  readonly job: number;
  readonly descriptor: number;
  readonly bytes: Uint8Array;
  readonly at: number;
}

const thread = new JobThread<WriteRequest, null>('write-thread', import.meta.url);

/** What a disk takes without the page cache begins and ends at multiples of it, in memory and in the file. */
const BLOCK_BYTES = 4096;

/**
 * Writes the pieces of a large file. Those that nobody reads soon go past the page cache where the file system can do
 * that: a copy into the cache costs several times what the disk does, and what is in it counts as memory of the container.
 */
export class PieceWriter {
  readonly #file: fs.FileHandle;
  readonly #direct: fs.FileHandle | null;
  #isDirect: boolean;

  private constructor(file: fs.FileHandle, direct: fs.FileHandle | null) {
    this.#file = file;
    this.#direct = direct;
    this.#isDirect = direct !== null;
  }

  /**
   * @param file the same as at `path`; stays open until the writer is closed
   * @param isReadSoon by whom the page cache is wanted
   */
  static async open(path: string, file: fs.FileHandle, isReadSoon: boolean): Promise<PieceWriter> {
    return new PieceWriter(file, isReadSoon ? null : await openDirect(path));
  }

  /** Writes all of these bytes from `at` on. They stay unchanged until it is done. */
  async write(bytes: Uint8Array, at: number): Promise<void> {
    const done = await this.#writeDirect(bytes, at);
    if (done === bytes.byteLength) return;
    await writeCached(this.#file, done === 0 ? bytes : bytes.subarray(done), at + done);
  }

  async close(): Promise<void> {
    await this.#direct?.close();
  }

  /** @returns how many of the bytes are written; the others are for the page cache */
  async #writeDirect(bytes: Uint8Array, at: number): Promise<number> {
    if (this.#direct === null || !isPaged(bytes) || at % BLOCK_BYTES !== 0) return 0;
    const whole = bytes.byteLength - (bytes.byteLength % BLOCK_BYTES);
    let done = 0;
    try {
      while (done < whole && this.#isDirect) {
        done += (await this.#direct.write(bytes, done, whole - done, at + done)).bytesWritten;
      }
    } catch (error) {
      // Larger blocks than these, or a file system that says so late.
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
      this.#isDirect = false;
    }
    return done;
  }
}

/** null: the file system has no way past the page cache. */
async function openDirect(path: string): Promise<fs.FileHandle | null> {
  try {
    return await fs.open(path, fs.constants.O_WRONLY | fs.constants.O_DIRECT);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EINVAL' || code === 'EOPNOTSUPP') return null;
    throw error;
  }
}

/** Memory that begins at a page, see `pieces.ts`. */
const isPaged = ({ buffer, byteOffset }: Uint8Array): boolean =>
  buffer instanceof SharedArrayBuffer && buffer.growable && byteOffset % BLOCK_BYTES === 0;

/**
 * Memory that is shared between threads is written by a thread of its own: small writes are the cheap ones there, and a
 * slow disk holds up nobody else.
 */
async function writeCached(file: fs.FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  if (bytes.buffer instanceof SharedArrayBuffer) {
    const { job, result } = thread.begin();
    thread.order({ job, descriptor: file.fd, bytes, at });
    await result;
    return;
  }
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await file.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
  }
}
