/** Writes pieces of large files in a thread of its own. See `piece-writer.ts`. */
import { writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { failureOf, type Outcome } from '../../thread.ts';
import type { WriteRequest } from './piece-writer.ts';

/**
 * Written at one time. The page cache takes larger writes in larger pages; a virtual machine often has to get those from
 * its host first, which was measured at three times the cost of the whole copy.
 */
const WRITE_BYTES = 1 << 14;

function write({ descriptor, bytes, at }: WriteRequest): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, Math.min(WRITE_BYTES, bytes.length - done), at + done);
  }
}

parentPort?.on('message', (order: WriteRequest) => {
  let outcome: Outcome<null>;
  try {
    write(order);
    outcome = { job: order.job, result: null };
  } catch (error) {
    outcome = failureOf(order.job, error);
  }
  parentPort?.postMessage(outcome);
});
