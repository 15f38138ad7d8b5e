import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the thread of a file beside the caller's.
 * @param name of the file, without its ending; a bundle has it beside it under the same name
 * @param here `import.meta.url` of the caller
 */
export function startThread(name: string, here: string, options?: WorkerOptions): Worker {
  const ending = here.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`${name}.${ending}`, here), options);
}

interface Job<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A thread that nobody needed for so long ends. */
const IDLE_MS = 5_000;

/** A thread for jobs that are known by their numbers. It is there while there are jobs, and keeps the process as long. */
export class JobThread<Order, Result> {
  readonly #name: string;
  readonly #here: string;
  readonly #jobs = new Map<number, Job<Result>>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextJob = 1;

  /** As `startThread`. The thread answers each job once, with an `Outcome`. */
  constructor(name: string, here: string) {
    this.#name = name;
    this.#here = here;
  }

  /** A new job; it is over when the thread has answered, or `forget` is called. */
  begin(): { readonly job: number; readonly result: Promise<Result> } {
    const job = this.#nextJob++;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#jobs.set(job, { resolve, reject });
    return { job, result: promise };
  }

  order(order: Order): void {
    this.#running().postMessage(order);
  }

  /** Nobody waits for the job any more. @param order that tells the thread so, if it is there */
  forget(job: number, order?: Order): void {
    if (!this.#jobs.delete(job)) return;
    if (order !== undefined) this.#worker?.postMessage(order);
    if (this.#jobs.size === 0) this.#rest();
  }

  #running(): Worker {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    this.#worker.ref();
    return this.#worker;
  }

  #start(): Worker {
    const started = startThread(this.#name, this.#here);
    started.on('message', (outcome: Outcome<Result>) => {
      const job = this.#jobs.get(outcome.job);
      this.forget(outcome.job);
      if ('result' in outcome) job?.resolve(outcome.result);
      else job?.reject(Object.assign(new Error(outcome.error), outcome.code ? { code: outcome.code } : {}));
    });
    const failed = (error: Error) => {
      if (this.#worker !== started) return;
      this.#worker = undefined;
      for (const job of this.#jobs.values()) job.reject(error);
      this.#jobs.clear();
    };
    started.on('error', failed);
    started.on('exit', () => failed(new Error(`the ${this.#name} has ended`)));
    return started;
  }

  #rest(): void {
    this.#worker?.unref();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      const ending = this.#worker;
      this.#worker = undefined;
      void ending?.terminate();
    }, IDLE_MS);
    this.#idle.unref();
  }
}

/** What a thread says of a job. */
export type Outcome<Result> =
  | { readonly job: number; readonly result: Result }
  | { readonly job: number; readonly error: string; readonly code?: string | undefined };

export function failureOf(job: number, error: unknown): Outcome<never> {
  const { message, code } = error as NodeJS.ErrnoException;
  return { job, error: message, code };
}
