/** Bytes that a long transfer handles at one time: few enough to stay in the processor's cache between two steps. */
export const PIECE_BYTES = 1 << 19;
/** Kept for the next transfer. */
const MOST_FREE = 16;

/** Memory for the pieces of long transfers, used again and again: new memory costs as much as the copy into it. */
export class PiecePool {
  readonly #free: ArrayBuffer[] = [];
  readonly #taken = new WeakSet<ArrayBufferLike>();

  take(): Uint8Array<ArrayBuffer> {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES).buffer;
    this.#taken.add(buffer);
    return new Uint8Array(buffer);
  }

  /** Nobody uses these bytes any more. Bytes that did not come from here are let go. */
  give(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (!this.#taken.delete(buffer) || this.#free.length >= MOST_FREE) return;
    this.#free.push(buffer as ArrayBuffer);
  }
}
