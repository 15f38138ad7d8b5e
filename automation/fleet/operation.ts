import type { Step } from '../engine/index.ts';

/** What is done to an instance, as a stream of events with an end. */

export const OPERATION_KINDS = [
  'create',
  'change',
  'pause',
  'resume',
  'restart',
  'save',
  'token',
  'remove',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export type FleetEvent = {
  readonly stack: string;
  readonly operation: OperationKind;
  /** ISO 8601, UTC. */
  readonly at: string;
} & (
  | { readonly event: 'waiting'; readonly text: string }
  | { readonly event: 'begun' }
  /** Something happens to one object. */
  | { readonly event: 'step'; readonly step: Step }
  /** What is under way now, in lines for a person. */
  | { readonly event: 'said'; readonly text: string }
  | { readonly event: 'warning'; readonly text: string }
  | { readonly event: 'done'; readonly result: unknown }
  | { readonly event: 'failed'; readonly code: FleetErrorCode; readonly message: string }
);

type Own = 'stack' | 'operation' | 'at';
/** Distributes over the union, which `Omit` alone would merge. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type Happening = Without<FleetEvent, Own>;

export type FleetErrorCode =
  /** Another operation runs on the instance. */
  | 'busy'
  | 'exists'
  | 'unknown'
  /** Settings or tokens are wrong; nothing was changed. */
  | 'settings'
  /** An operation was killed and must be continued or given up first. */
  | 'interrupted'
  | 'stopped'
  | 'failed';

/** An expected error, worded for a person. */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly code: FleetErrorCode;
  constructor(code: FleetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Those that say what is under way now are given up first. */
const MAX_EVENTS = 500;

/** One operation. Whoever iterates sees it from its beginning; `result` settles when it ends. */
export class Operation<T = unknown> implements AsyncIterable<FleetEvent> {
  readonly stack: string;
  readonly kind: OperationKind;
  readonly result: Promise<T>;
  readonly #events: { readonly number: number; readonly event: FleetEvent }[] = [];
  #count = 0;
  #isOver = false;
  #news = Promise.withResolvers<void>();

  constructor(
    stack: string,
    kind: OperationKind,
    work: (emit: (happening: Happening) => void) => Promise<T>,
  ) {
    this.stack = stack;
    this.kind = kind;
    this.result = this.#run(work);
    // Who only listens to the events is told of the failure there.
    this.result.catch(() => {});
  }

  async #run(work: (emit: (happening: Happening) => void) => Promise<T>): Promise<T> {
    try {
      const result = await work((happening) => this.#emit(happening));
      this.#emit({ event: 'done', result });
      return result;
    } catch (error) {
      const code = error instanceof FleetError ? error.code : 'failed';
      this.#emit({ event: 'failed', code, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      this.#isOver = true;
      this.#news.resolve();
    }
  }

  #emit(happening: Happening): void {
    const event = { stack: this.stack, operation: this.kind, at: new Date().toISOString(), ...happening };
    this.#events.push({ number: ++this.#count, event: event as FleetEvent });
    if (this.#events.length > MAX_EVENTS) {
      const oldest = this.#events.findIndex(({ event: { event } }) => event === 'said');
      this.#events.splice(Math.max(oldest, 0), 1);
    }
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FleetEvent> {
    for (let seen = 0; ; ) {
      const isOver = this.#isOver;
      const news = this.#news.promise;
      const fresh = this.#events.filter(({ number }) => number > seen);
      seen = fresh.at(-1)?.number ?? seen;
      for (const { event } of fresh) yield event;
      if (fresh.length > 0) continue;
      if (isOver) return;
      await news;
    }
  }
}
