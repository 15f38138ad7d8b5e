/** Computes SHA-256 of files in a thread of its own, as far as it is told that they are written. See `hasher.ts`. */
import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HashAnswer, HashOrder } from './hasher.ts';

const jobs = new Map<number, { readonly hash: Hash; at: number }>();
const buffer = Buffer.allocUnsafe(1 << 20);

function carryOut(order: HashOrder): HashAnswer | null {
  if (order.do === 'forget') {
    jobs.delete(order.job);
    return null;
  }
  const job = jobs.get(order.job) ?? { hash: createHash('sha256'), at: 0 };
  jobs.set(order.job, job);
  while (job.at < order.upTo) {
    const want = Math.min(buffer.length, order.upTo - job.at);
    const got = readSync(order.descriptor, buffer, 0, want, job.at);
    if (got === 0) throw new Error(`the file ends at ${job.at} of ${order.upTo} bytes`);
    job.hash.update(got === buffer.length ? buffer : buffer.subarray(0, got));
    job.at += got;
  }
  if (!order.isAll) return null;
  jobs.delete(order.job);
  return { job: order.job, hash: job.hash.digest('hex') };
}

parentPort?.on('message', (order: HashOrder) => {
  try {
    const answer = carryOut(order);
    if (answer !== null) parentPort?.postMessage(answer);
  } catch (error) {
    jobs.delete(order.job);
    parentPort?.postMessage({ job: order.job, error: (error as Error).message } satisfies HashAnswer);
  }
});
