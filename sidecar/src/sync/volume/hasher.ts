import { Worker } from 'node:worker_threads';

export type HashOrder =
  | {
      readonly do: 'go-on';
      readonly job: number;
      readonly descriptor: number;
      readonly upTo: number;
      /** A checksum of each part of this length is wanted. */
      readonly partBytes: number | null;
      readonly isAll: boolean;
    }
  | { readonly do: 'forget'; readonly job: number };

export type HashAnswer =
  | { readonly job: number; readonly hash: string; readonly checks: readonly number[] }
  | { readonly job: number; readonly error: string };

export interface Digest {
  /** SHA-256 in hex. */
  readonly hash: string;
  /** CRC-32 of each part, where parts were asked for. */
  readonly checks: readonly number[];
}

/** SHA-256 of a file that is still being written, from its beginning on. */
export interface RunningHash {
  /** The first so many bytes are final. */
  goOn(upTo: number): void;
  /** Of the whole file. @throws Error where it cannot be read, or is shorter. */
  digest(size: number): Promise<Digest>;
  /** Nobody asks for the digest any more; call it before the file is closed. */
  forget(): void;
}

interface Job {
  resolve(digest: Digest): void;
  reject(error: Error): void;
}

/** A thread that nobody needed for so long ends. */
const IDLE_MS = 5_000;

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let nextJob = 1;
const jobs = new Map<number, Job>();

/**
 * Hashing costs as much as receiving, so it has a thread of its own, one for all files. It reads what was written from
 * the page cache, which costs far less than to hash.
 * @param descriptor of the open file; it stays open until `digest` is done or `forget` is called.
 * @param partBytes where a checksum of each part of this length is wanted besides.
 */
export function startHash(descriptor: number, partBytes: number | null = null): RunningHash {
  const job = nextJob++;
  const settled = Promise.withResolvers<Digest>();
  // Who asks for no digest is told of no failure.
  settled.promise.catch(() => undefined);
  jobs.set(job, settled);
  const send = (order: HashOrder) => thread().postMessage(order);
  const end = () => {
    jobs.delete(job);
    if (jobs.size === 0) rest();
  };
  return {
    goOn: (upTo) => send({ do: 'go-on', job, descriptor, upTo, partBytes, isAll: false }),
    digest(size) {
      send({ do: 'go-on', job, descriptor, upTo: size, partBytes, isAll: true });
      return settled.promise.finally(end);
    },
    forget() {
      if (!jobs.has(job)) return;
      send({ do: 'forget', job });
      end();
    },
  };
}

function thread(): Worker {
  clearTimeout(idle);
  if (worker !== undefined) {
    worker.ref();
    return worker;
  }
  // A bundle has the thread beside it under the same name.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const started = new Worker(new URL(`hash-thread.${ending}`, import.meta.url));
  worker = started;
  started.on('message', (answer: HashAnswer) => {
    if ('hash' in answer) jobs.get(answer.job)?.resolve(answer);
    else jobs.get(answer.job)?.reject(new Error(`hashing failed: ${answer.error}`));
  });
  const failed = (error: Error) => {
    if (worker !== started) return;
    worker = undefined;
    for (const job of jobs.values()) job.reject(error);
  };
  started.on('error', failed);
  started.on('exit', () => failed(new Error('the thread that hashes has ended')));
  return started;
}

function rest(): void {
  worker?.unref();
  idle = setTimeout(() => {
    const ending = worker;
    worker = undefined;
    void ending?.terminate();
  }, IDLE_MS);
  idle.unref();
}
