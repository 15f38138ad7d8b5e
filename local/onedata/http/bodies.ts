import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Faults } from '../faults.ts';
import { brokenBody, type Call, CUT_AFTER_MS } from './call.ts';

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const SLICE = 65_536;

/** Lets bytes pass at the speed that is set, in slices, so that progress is seen at low speeds too. */
export function throttle(faults: Faults): Transform {
  return new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      for (let at = 0; at < chunk.length; at += SLICE) {
        const slice = chunk.subarray(at, at + SLICE);
        const wait = faults.reserve(slice.length);
        if (wait > 0) await delay(wait);
        this.push(slice);
      }
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

/** The upload of a request at the speed that is set. */
export function uploadOf({ request }: Call, faults: Faults): Readable {
  const stage = throttle(faults);
  // A pipe does not pass on that the client went away; `pipeline` would close the connection before an error is answered.
  const end = () => {
    if (!request.complete) stage.destroy(new Error('the client went away'));
  };
  // Gone before anybody listened, it says nothing any more.
  if (request.destroyed) end();
  else request.once('close', end);
  return request.pipe(stage);
}
