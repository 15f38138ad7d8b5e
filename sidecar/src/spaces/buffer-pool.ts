/** Who gets the memory of a piece back. */
const lenders = new WeakMap<ArrayBufferLike, (memory: SharedArrayBuffer) => void>();

/** These bytes are handed out, and whoever is done with them may give them back. */
export function lend(
  bytes: Uint8Array<SharedArrayBuffer>,
  back: (memory: SharedArrayBuffer) => void,
): Uint8Array {
  lenders.set(bytes.buffer, back);
  return bytes;
}

/** Nobody uses these bytes any more. Of bytes that were not lent nothing happens. */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const back = lenders.get(buffer);
  if (back === undefined) return;
  lenders.delete(buffer);
  back(buffer as SharedArrayBuffer);
}
