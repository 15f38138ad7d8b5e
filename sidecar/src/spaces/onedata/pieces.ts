/** Bytes of a long transfer that are handled at one time: few enough to stay in the processor's cache between two steps. */
export const PIECE_BYTES = 1 << 19;
/** Kept for the next transfer. */
const MAX_FREE = 32;

/**
 * Memory for the pieces of long transfers, used again and again: new memory costs as much as the copy into it. It is
 * shared between threads, because memory that is handed over counts as new and lost each time, so that V8 collects its
 * garbage all the time. Whoever holds a piece is the only one who touches it.
 *
 * ⚠ Memory that could grow begins at a page, as the disk wants it to take it as it is (`piece-writer.ts`).
 */
export class PieceMemory {
  readonly #free: SharedArrayBuffer[] = [];

  take(): Piece {
    const memory = this.#free.pop() ?? new SharedArrayBuffer(PIECE_BYTES, { maxByteLength: PIECE_BYTES });
    // With its length: a view that follows a growing memory is slower.
    return new Uint8Array(memory, 0, PIECE_BYTES);
  }

  give(memory: SharedArrayBuffer): void {
    if (memory.byteLength === PIECE_BYTES && this.#free.length < MAX_FREE) this.#free.push(memory);
  }
}

export type Piece = Uint8Array<SharedArrayBuffer>;
