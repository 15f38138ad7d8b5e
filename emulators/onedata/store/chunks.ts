/** Bytes that are read or written at one time. */
export const CHUNK_BYTES = 262_144;

const MAX_SPARE = 32;
const spare: Buffer[] = [];

/** Memory that is used again and again: fresh memory for each chunk costs as much as to encrypt it. */
export const takeChunk = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);

/** Only what nothing reads from or writes into any more. */
export function releaseChunks(...chunks: Buffer[]): void {
  if (spare.length < MAX_SPARE) spare.push(...chunks);
}
