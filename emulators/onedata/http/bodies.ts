import type { ServerResponse } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from '../faults.ts';
import { CHUNK_BYTES, releaseChunks, takeChunk } from '../store/chunks.ts';
import type { ReadAt } from '../store/content-store.ts';
import { brokenBody, type Call, CUT_AFTER_MS } from './call.ts';

const SLICE = 65_536;

async function* paced(faults: Faults, chunk: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < chunk.length; at += SLICE) {
    const slice = chunk.subarray(at, at + SLICE);
    const wait = faults.reserve(slice.length);
    if (wait > 0) await delay(wait);
    yield slice;
  }
}

/** Lets bytes pass at the speed that is set, in slices, so that progress is seen at low speeds too. */
export function throttle(faults: Faults): Transform {
  return new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      for await (const slice of paced(faults, chunk)) this.push(slice);
      done();
    },
  });
}

/**
 * Sends a body after its headers. ⚠ As with the original nothing can be said any more when something breaks: the body
 * comes short (connection closed) or stands still.
 */
export async function sendBody(call: Call, source: Readable, faults: Faults): Promise<void> {
  const cut = bodyFault(call);
  const stages = [throttle(faults), ...(cut ? [cut] : [])];
  try {
    await pipeline([source, ...stages, call.response]);
  } catch {
    call.response.destroy();
  }
}

function bodyFault(call: Call): Transform | undefined {
  const action = brokenBody(call);
  if (action === undefined) return undefined;
  let left = action.afterBytes;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (chunk.length <= left) {
        left -= chunk.length;
        done(null, chunk);
        return;
      }
      this.push(chunk.subarray(0, left));
      left = 0;
      // A stall never calls back: it ends when the client gives up.
      if (action.kind === 'truncate-body')
        setTimeout(() => done(new Error('cut by a fault rule')), CUT_AFTER_MS);
    },
  });
}

/** As `sendBody`, of a file that lies there: while one chunk is sent the next one is read. */
export async function sendFileRange(
  { response }: Call,
  read: ReadAt,
  { start, end }: { readonly start: number; readonly end: number },
  faults: Faults,
): Promise<void> {
  const write = writerOf(response);
  const buffers = [takeChunk(), takeChunk()] as [Buffer, Buffer];
  const readInto = (index: number, at: number) =>
    read(buffers[index % 2] as Buffer, Math.min(CHUNK_BYTES, end + 1 - at), at);
  let pending = readInto(0, start);
  try {
    for (let at = start, index = 0; at <= end; index++) {
      const length = await pending;
      if (length === 0) throw new Error('the file became shorter');
      at += length;
      if (at <= end) pending = readInto(index + 1, at);
      const chunk = (buffers[index % 2] as Buffer).subarray(0, length);
      if (faults.bytesPerSecond <= 0) await write(chunk);
      else for await (const slice of paced(faults, chunk)) await write(slice);
    }
    response.end();
  } catch {
    response.destroy();
    // It still writes into one of the buffers.
    await pending.catch(() => {});
  }
  releaseChunks(...buffers);
}

/** Resolves when the bytes are no longer needed. @throws Error when the client is gone */
function writerOf(response: ServerResponse): (chunk: Buffer) => Promise<void> {
  let giveUp = () => {};
  // A write to a connection that is just closing says nothing any more.
  response.once('close', () => giveUp());
  return (chunk) =>
    new Promise((resolve, reject) => {
      giveUp = () => reject(new Error('the client went away'));
      if (response.destroyed) giveUp();
      else response.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
}

/** The upload of a request at the speed that is set. To leave early does not end it, so that an error can be answered. */
export async function* uploadOf({ request }: Call, faults: Faults): AsyncGenerator<Buffer> {
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (faults.bytesPerSecond <= 0) yield chunk;
    else yield* paced(faults, chunk);
  }
}
