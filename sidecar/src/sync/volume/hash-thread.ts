/** Computes SHA-256 of files in a thread of its own, as far as it is told that they are written. See `hasher.ts`. */
import { createHash, type Hash } from 'node:crypto';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { failureOf, type Outcome } from '../../thread.ts';
import type { Digest, HashRequest } from './hasher.ts';

interface Job {
  readonly hash: Hash;
  readonly checks: number[];
  check: number;
  at: number;
}

const jobs = new Map<number, Job>();
const buffer = Buffer.allocUnsafe(1 << 20);

function execute(order: HashRequest): Outcome<Digest> | null {
  if (order.do === 'forget') {
    jobs.delete(order.job);
    return null;
  }
  const { job: id, upTo, partBytes } = order;
  const job = jobs.get(id) ?? { hash: createHash('sha256'), checks: [], check: 0, at: 0 };
  jobs.set(id, job);
  while (job.at < upTo) {
    const toEndOfPart = partBytes === null ? buffer.length : partBytes - (job.at % partBytes);
    const want = Math.min(buffer.length, upTo - job.at, toEndOfPart);
    const got = readSync(order.descriptor, buffer, 0, want, job.at);
    if (got === 0) throw new Error(`the file ends at ${job.at} of ${upTo} bytes`);
    const bytes = buffer.subarray(0, got);
    job.hash.update(bytes);
    if (partBytes !== null) job.check = crc32(bytes, job.check);
    job.at += got;
    if (got === toEndOfPart) endPart(job);
  }
  if (!order.isAll) return null;
  if (partBytes !== null && job.at % partBytes !== 0) endPart(job);
  jobs.delete(id);
  const checks = partBytes === null ? [] : job.checks;
  return { job: id, result: { hash: job.hash.digest('hex'), checks } };
}

function endPart(job: Job): void {
  job.checks.push(job.check);
  job.check = 0;
}

parentPort?.on('message', (order: HashRequest) => {
  try {
    const answer = execute(order);
    if (answer !== null) parentPort?.postMessage(answer);
  } catch (error) {
    jobs.delete(order.job);
    parentPort?.postMessage(failureOf(order.job, error));
  }
});
