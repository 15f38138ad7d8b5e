/** Bytes of a long transfer that are handled at one time: few enough to stay in the processor's cache between two steps. */
export const PIECE_BYTES = 1 << 19;
/** Kept for the next transfer. */
const MOST_FREE = 32;

/** Memory for the pieces of long transfers, used again and again: new memory costs as much as the copy into it. */
export class PieceMemory {
  readonly #free: ArrayBuffer[] = [];

  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(PIECE_BYTES));
  }

  give(memory: ArrayBuffer): void {
    if (memory.byteLength === PIECE_BYTES && this.#free.length < MOST_FREE) this.#free.push(memory);
  }
}
