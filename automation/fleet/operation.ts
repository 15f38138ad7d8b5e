import type { Step } from '../engine/index.ts';
import type { FleetErrorCode, OperationKind } from './kinds.ts';

/** What is done to an instance, as a stream of events with an end. */

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
  | {
      readonly event: 'failed';
      readonly code: FleetErrorCode;
      readonly message: string;
      /** The same without the commands of a terminal. */
      readonly what: string;
    }
);

type Own = 'stack' | 'operation' | 'at';
/** Distributes over the union, which `Omit` alone would merge. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type Happening = Without<FleetEvent, Own>;

export interface FleetErrorOptions extends ErrorOptions {
  /** What to do at a terminal: the end of the message, which other callers leave out. */
  readonly advice?: string;
}

/** An expected error, worded for a person. */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly code: FleetErrorCode;
  /** The message without the commands of a terminal. */
  readonly what: string;
  constructor(code: FleetErrorCode, what: string, { advice, ...options }: FleetErrorOptions = {}) {
    super(advice === undefined ? what : `${what} ${advice}`, options);
    this.code = code;
    this.what = what;
  }
}

/** An event with its number: whoever has seen it goes on after it. */
export interface NumberedEvent {
  readonly number: number;
  readonly event: FleetEvent;
}

/** Those that say what is under way now are given up first. */
const MAX_EVENTS = 500;

/** One operation. Whoever iterates sees it from its beginning; `result` settles when it ends. */
export class Operation<T = unknown> implements AsyncIterable<FleetEvent> {
  readonly stack: string;
  readonly kind: OperationKind;
  readonly result: Promise<T>;
  readonly #events: NumberedEvent[] = [];
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
      const message = error instanceof Error ? error.message : String(error);
      this.#emit({
        event: 'failed',
        code,
        message,
        what: error instanceof FleetError ? error.what : message,
      });
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

  /** The events after the one of this number, and those to come. */
  async *after(number: number): AsyncGenerator<NumberedEvent> {
    for (let seen = number; ; ) {
      const isOver = this.#isOver;
      const news = this.#news.promise;
      const fresh = this.#events.filter((one) => one.number > seen);
      seen = fresh.at(-1)?.number ?? seen;
      yield* fresh;
      if (fresh.length > 0) continue;
      if (isOver) return;
      await news;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FleetEvent> {
    for await (const { event } of this.after(0)) yield event;
  }
}
