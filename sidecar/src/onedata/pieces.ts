import { PIECE_BYTES, type PiecePool } from '../sync/spaces/piece-pool.ts';

/** Shorter bodies come as the connection gives them. */
const SHORT_BYTES = 1 << 18;
/** Where bytes come slowly, a piece waits no longer than this for more, so that progress and stalls are seen. */
const OLDEST_MS = 200;

/**
 * Gathers the bytes of a long body. A connection gives 16 KiB at a time, and what is done with each costs far more than
 * to copy it.
 * @param length of the body, NaN where it is not known
 * @param pool that the memory comes from; whoever takes a piece gives it back
 */
export async function* inPieces(
  body: AsyncIterable<Uint8Array>,
  length: number,
  pool?: PiecePool,
  now: () => number = () => performance.now(),
): AsyncGenerator<Uint8Array> {
  if (length <= SHORT_BYTES) {
    yield* body;
    return;
  }
  let piece: Uint8Array | null = null;
  let used = 0;
  let begun = 0;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; ) {
        if (piece === null) {
          piece = pool?.take() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
          used = 0;
          begun = now();
        }
        const count = Math.min(chunk.length - at, PIECE_BYTES - used);
        piece.set(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count), used);
        used += count;
        at += count;
        if (used < PIECE_BYTES && now() - begun < OLDEST_MS) continue;
        yield used === PIECE_BYTES ? piece : piece.subarray(0, used);
        piece = null;
      }
    }
  } catch (error) {
    failure = { error };
  }
  // What came before a break counts as progress.
  if (piece !== null && used > 0) yield piece.subarray(0, used);
  if (failure !== undefined) throw failure.error;
}
