import type { FileHandle } from 'node:fs/promises';
import { CHUNK_BYTES, releaseChunks, takeChunk } from './chunks.ts';

/** Gathers what a connection brings, 16 KiB at a time, and writes it in large chunks, one while the next one fills. */
export class FileWriter {
  readonly #file: FileHandle;
  #position: number;
  #filling = takeChunk();
  #used = 0;
  #writing = takeChunk();
  #written: Promise<void> = Promise.resolve();

  /** @param position where the first byte goes */
  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** The bytes are copied at once. @throws Error of the disk, also for bytes that came before */
  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const count = bytes.copy(this.#filling, this.#used, at);
      at += count;
      this.#used += count;
      if (this.#used === CHUNK_BYTES) await this.#flush();
    }
  }

  /** Writes what is left and closes the file, also where something failed. */
  async end(): Promise<void> {
    try {
      await this.#flush();
      await this.#written;
    } finally {
      await this.#file.close();
      releaseChunks(this.#filling, this.#writing);
    }
  }

  async #flush(): Promise<void> {
    await this.#written;
    [this.#filling, this.#writing] = [this.#writing, this.#filling];
    this.#written = this.#writeAll(this.#writing.subarray(0, this.#used));
    // Whoever writes next, or ends, is told.
    this.#written.catch(() => {});
    this.#used = 0;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#position);
      at += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}
