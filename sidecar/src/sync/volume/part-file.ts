import * as fs from 'node:fs/promises';
import { PieceWriter } from './piece-writer.ts';

const MIB = 1 << 20;
const SMALLEST_PART = 4 * MIB;
const LARGEST_PART = 16 * MIB;
/** Parts that a file of middle size is cut into. */
const PARTS = 8;
/** Of the largest files, so that what is noted of them stays small. */
const MAX_PARTS = 4096;

/** Marks the end of a part file and its layout. */
const MAGIC = 0x53_50_30_31;
const HEADER_BYTES = 8;
const WHOLE = 1;

export interface Part {
  readonly index: number;
  readonly start: number;
  readonly length: number;
}

/** How a file of this size is cut; the same for every run. */
export function partsOf(size: number): Part[] {
  const share = (parts: number) => Math.ceil(size / parts / MIB) * MIB;
  const each = Math.max(Math.min(LARGEST_PART, Math.max(SMALLEST_PART, share(PARTS))), share(MAX_PARTS));
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => {
    const start = index * each;
    return { index, start, length: Math.min(each, size - start) };
  });
}

/**
 * A file that comes in parts, in any order, over several runs if need be. Behind its bytes it carries a byte for each
 * part, which is set only when the part is on the disk: after a crash, whatever is marked is whole. What says so and
 * what it speaks of are one file, so that neither can be there without the other. `finish` takes the marks off.
 */
export class PartFile {
  readonly handle: fs.FileHandle;
  readonly parts: readonly Part[];
  readonly #size: number;
  readonly #isWhole: boolean[];
  readonly #writer: PieceWriter;
  /** Written and not on the disk yet. */
  #unsynced: number[] = [];
  #syncing: Promise<void> = Promise.resolve();
  #isFinished: boolean;

  private constructor(handle: fs.FileHandle, writer: PieceWriter, size: number, marks: Marks) {
    this.handle = handle;
    this.parts = partsOf(size);
    this.#writer = writer;
    this.#size = size;
    this.#isWhole = marks.isWhole;
    this.#isFinished = marks.isFinished;
  }

  /**
   * Opens what an earlier run left, or begins anew.
   * @param options.isReadSoon its bytes are read while it grows or soon after, e.g. for a hash
   */
  static async open(path: string, size: number, { isReadSoon = true } = {}): Promise<PartFile> {
    const handle = await openOwn(path);
    try {
      const marks = await marksOf(handle, size);
      return new PartFile(handle, await PieceWriter.open(path, handle, isReadSoon), size, marks);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get missing(): Part[] {
    return this.parts.filter(({ index }) => this.#isWhole[index] !== true);
  }

  /** Bytes from the beginning on without a gap. */
  get prefix(): number {
    const gap = this.parts.find(({ index }) => this.#isWhole[index] !== true);
    return gap === undefined ? this.#size : gap.start;
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    return this.#writer.write(bytes, at);
  }

  /** All bytes of the part are written. It is marked when they are on the disk, several parts at one time. */
  whole(part: Part): void {
    this.#isWhole[part.index] = true;
    this.#unsynced.push(part.index);
    this.#syncing = this.#syncing.then(() => this.#mark());
    // `finish` tells it; until then nothing more is marked.
    this.#syncing.catch(() => undefined);
  }

  async #mark(): Promise<void> {
    const indexes = this.#unsynced.splice(0);
    if (indexes.length === 0) return;
    await this.handle.datasync();
    for (const index of indexes) {
      await this.handle.write(Uint8Array.of(WHOLE), 0, 1, this.#size + HEADER_BYTES + index);
    }
  }

  /** Nothing but the content is left, and it is on the disk. */
  async finish(): Promise<void> {
    if (this.missing.length > 0) throw new Error('a file is finished before its last part');
    await this.#syncing;
    if (this.#isFinished) return;
    await this.handle.truncate(this.#size);
    await this.handle.sync();
    this.#isFinished = true;
  }

  async close(): Promise<void> {
    await this.#syncing.catch(() => undefined);
    await this.#writer.close();
    await this.handle.close();
  }
}

/** What an earlier run left may have its final mode already, and that may be one to read only. */
async function openOwn(path: string): Promise<fs.FileHandle> {
  const open = () => fs.open(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    return await open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    await fs.chmod(path, 0o600);
    return open();
  }
}

interface Marks {
  readonly isWhole: boolean[];
  /** They were taken off already. */
  readonly isFinished: boolean;
}

/** Of a file that an earlier run left; one that cannot be used is made anew. */
async function marksOf(handle: fs.FileHandle, size: number): Promise<Marks> {
  const { length } = partsOf(size);
  const found = (await handle.stat()).size;
  if (found === size) return { isWhole: Array(length).fill(true), isFinished: true };
  const tail = Buffer.alloc(HEADER_BYTES + length);
  if (found === size + tail.length) {
    await handle.read(tail, 0, tail.length, size);
    if (tail.readUInt32LE(0) === MAGIC && tail.readUInt32LE(4) === length) {
      return { isWhole: [...tail.subarray(HEADER_BYTES)].map((mark) => mark === WHOLE), isFinished: false };
    }
  }
  await handle.truncate(0);
  // Longer than the file at once, so that no part of one is ever taken for a finished one.
  await handle.truncate(size + tail.length);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(length, 4);
  await handle.write(header, 0, HEADER_BYTES, size);
  return { isWhole: Array(length).fill(false), isFinished: false };
}
