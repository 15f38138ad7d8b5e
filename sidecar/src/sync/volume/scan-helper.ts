import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../../thread.ts';
import type { SeenDirectory } from './unchanged.ts';

export interface ScanThreadData {
  /** Absolute. */
  readonly root: string;
  readonly stateFile: string;
}
/** Directories to be looked at, or the end of the thread. */
export type ScanOrder = readonly string[] | 'end';
/** For each directory of an order what `unchangedDirectories` says. An empty one comes first: the thread is ready. */
export type ScanAnswer = readonly (ReadonlyMap<string, SeenDirectory> | null)[];

export interface ScannedDirectory {
  readonly directory: string;
  /** The directories in it where nothing differs; null: not known; undefined: nobody looked. */
  readonly found: ReadonlyMap<string, SeenDirectory> | null | undefined;
}

/** One that it works on, and one that waits for it. */
const ORDERS_AT_ONCE = 2;
const DIRECTORIES_OF_AN_ORDER = 16;

/**
 * A second thread for a scan that has turned out to be long. It does the part that costs most and needs nothing but the
 * disk and the saved state: to see that a directory is as it was. Where it cannot be had, nobody notices.
 */
export class ScanHelper {
  readonly #data: ScanThreadData;
  #worker: Worker | null = null;
  #wasStarted = false;
  /** The thread has ended, or there is none. */
  #end: Promise<unknown> = Promise.resolve();
  #isReady = false;
  readonly #orders: (readonly string[])[] = [];
  readonly #looked: ScannedDirectory[] = [];
  #wake: (() => void) | null = null;

  constructor(data: ScanThreadData) {
    this.#data = data;
  }

  /** Later calls do nothing, and neither does one where there is no core for it. */
  start(): void {
    if (this.#wasStarted) return;
    this.#wasStarted = true;
    if (availableParallelism() < 2) return;
    try {
      const worker = startThread('scan-thread', import.meta.url, { workerData: this.#data });
      this.#worker = worker;
      worker.on('message', (answer: ScanAnswer) => this.#answered(answer));
      worker.on('error', () => this.#ended());
      this.#end = new Promise<void>((resolve) => {
        worker.on('exit', () => {
          this.#ended();
          resolve();
        });
      });
    } catch {
      // No more threads are to be had; the caller does it all.
    }
  }

  /** Directories were given to it that `looked` has not returned yet. */
  get isBusy(): boolean {
    return this.#orders.length > 0 || this.#looked.length > 0;
  }

  /** How many directories it would take now. @param waiting how many there are: nobody is to be left without work */
  wanted(waiting: number): number {
    if (!this.#isReady || this.#orders.length >= ORDERS_AT_ONCE) return 0;
    return Math.min(DIRECTORIES_OF_AN_ORDER, Math.floor(waiting / 3));
  }

  give(directories: readonly string[]): void {
    this.#orders.push(directories);
    this.#worker?.postMessage(directories satisfies ScanOrder);
  }

  /** One that it has looked at, each once; undefined: none at the moment. */
  looked(): ScannedDirectory | undefined {
    return this.#looked.shift();
  }

  /** Until `looked` has something to tell. */
  async next(): Promise<void> {
    if (this.#looked.length > 0 || this.#orders.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Until the thread has ended and let go of the state. */
  async close(): Promise<void> {
    if (this.#isReady && this.#orders.length === 0) this.#worker?.postMessage('end' satisfies ScanOrder);
    else void this.#worker?.terminate();
    this.#isReady = false;
    await this.#end;
  }

  #answered(answer: ScanAnswer): void {
    if (answer.length === 0) {
      this.#isReady = true;
      return;
    }
    const order = this.#orders.shift() ?? [];
    for (const [index, directory] of order.entries()) this.#looked.push({ directory, found: answer[index] });
    this.#wakeUp();
  }

  /** What it was to look at is still to be done. */
  #ended(): void {
    this.#isReady = false;
    for (const directory of this.#orders.splice(0).flat()) this.#looked.push({ directory, found: undefined });
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
