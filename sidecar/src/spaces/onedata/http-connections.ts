import { channel } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';
import { startThread } from '../../thread.ts';
import { lend } from '../buffer-pool.ts';
import type { DispatcherOptions } from './dispatcher.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Piece } from './pieces.ts';
import {
  type Headers,
  MAX_TOGETHER,
  type Outgoing,
  type ThreadEvent,
  type ThreadRequest,
} from './thread-messages.ts';

/** Diagnostics channel: told of every request once, when its answer begins or it is clear that none comes. */
export const ANSWERED = 'scipion:onedata:answered';
export interface Answered {
  /** null: no answer came. */
  readonly status: number | null;
}

const answered = channel(ANSWERED);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** To be read once; who leaves early ends the transfer. What it yields may be given back (`spaces/buffer-pool.ts`). */
  readonly body: AsyncIterable<Uint8Array>;
  /** Nobody reads the body. */
  drop(): void;
}

export interface OutgoingRequest extends Omit<Outgoing, 'body'> {
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | null;
  readonly signal?: AbortSignal | undefined;
}

/** Connections to one host. They live in a thread of their own, one for all hosts. */
export class HttpConnections {
  readonly #options: DispatcherOptions;
  readonly #meter: LoadMeter | undefined;
  readonly #client = nextNumber++;
  #thread: HttpThread | undefined;
  #isClosed = false;

  constructor(options: DispatcherOptions, meter?: LoadMeter) {
    this.#options = options;
    this.#meter = meter;
  }

  /** @throws Error with a `code` where no answer came; the signal's reason */
  async request(outgoing: OutgoingRequest): Promise<Answer> {
    if (this.#isClosed) throw withCode(new Error('its connections were closed'), 'UND_ERR_CLOSED');
    if (this.#thread?.isOver !== false) {
      this.#thread = HttpThread.running();
      this.#thread.open(this.#client, this.#options);
    }
    return this.#thread.request(this.#client, outgoing, this.#meter);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.close(this.#client);
    this.#thread = undefined;
  }
}

let nextNumber = 1;

const withCode = (error: Error, code: string): Error => Object.assign(error, { code });

/** Above the limit, for calls that no gate holds back: the lease is renewed beside any transfer. */
const SPARE = 2;

/**
 * The gate lets at most `limit` calls through where a long one is among them. Where all are short, a connection waits most
 * of its time: for its turn in three processes, and for a handshake after some requests each.
 */
function connectionsFor(meter: LoadMeter | undefined): number {
  return meter === undefined ? Number.POSITIVE_INFINITY : Math.min(meter.ceiling, 2 * meter.limit);
}

/** A thread that has had no connections for so long ends. */
const IDLE_MS = 5_000;

class HttpThread {
  static #running: HttpThread | undefined;
  readonly #worker: Worker;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #clients = new Map<number, PromiseWithResolvers<void>>();
  #orders: ThreadRequest[] = [];
  #idle: NodeJS.Timeout | undefined;
  #waiting = 0;
  isOver = false;

  static running(): HttpThread {
    if (HttpThread.#running?.isOver !== false) HttpThread.#running = new HttpThread();
    return HttpThread.#running;
  }

  constructor() {
    this.#worker = startThread('http-thread', import.meta.url);
    this.#worker.unref();
    this.#worker.on('message', (reports: readonly ThreadEvent[]) => {
      for (const report of reports) this.#onMessage(report);
    });
    this.#worker.on('error', (error) => this.#end(error.message));
    this.#worker.on('exit', () => this.#end('the thread of the connections has ended'));
  }

  open(client: number, options: DispatcherOptions): void {
    clearTimeout(this.#idle);
    this.#clients.set(client, Promise.withResolvers());
    this.#order({ do: 'open', client, options });
  }

  async close(client: number): Promise<void> {
    const closed = this.#clients.get(client);
    if (closed === undefined || this.isOver) return;
    this.#order({ do: 'close', client });
    await this.#wait(closed.promise);
    if (this.#clients.size === 0) this.#endSoon();
  }

  request(client: number, outgoing: OutgoingRequest, meter: LoadMeter | undefined): Promise<Answer> {
    const id = nextNumber++;
    const pending = new PendingRequest(id, outgoing, meter, {
      send: (order) => this.#order(order),
      wait: (promise) => this.#wait(promise),
      end: () => this.#pending.delete(id),
    });
    this.#pending.set(id, pending);
    pending.begin(client);
    return this.#wait(pending.answer);
  }

  /** Who waits for the thread keeps the process; a connection that is open does not. */
  async #wait<T>(promise: Promise<T>): Promise<T> {
    this.#waiting += 1;
    if (this.#waiting === 1) this.#worker.ref();
    try {
      return await promise;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#worker.unref();
    }
  }

  /** Orders of one turn of the loop go together, but not so many that the thread would wait for them. */
  #order(order: ThreadRequest): void {
    if (this.isOver) return;
    if (this.#orders.length === 0) setImmediate(() => this.#sendOrders());
    this.#orders.push(order);
    if (this.#orders.length === MAX_TOGETHER) this.#sendOrders();
  }

  #sendOrders(): void {
    const orders = this.#orders;
    this.#orders = [];
    if (orders.length > 0 && !this.isOver) this.#worker.postMessage(orders);
  }

  #onMessage(report: ThreadEvent): void {
    if (report.is === 'closed') {
      this.#clients.get(report.client)?.resolve();
      this.#clients.delete(report.client);
    } else this.#pending.get(report.id)?.onMessage(report);
  }

  #endSoon(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#clients.size > 0) return;
      this.#end('it was idle');
      void this.#worker.terminate();
    }, IDLE_MS);
    this.#idle.unref();
  }

  #end(why: string): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const pending of this.#pending.values()) {
      pending.onMessage({ is: 'failed', id: 0, code: 'UND_ERR_SOCKET', message: why });
    }
    for (const closed of this.#clients.values()) closed.resolve();
  }
}

interface Line {
  send(order: ThreadRequest): void;
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Nothing more is to be heard. */
  end(): void;
}

/** One request, as its sender sees it. */
class PendingRequest {
  readonly #id: number;
  readonly #outgoing: OutgoingRequest;
  readonly #meter: LoadMeter | undefined;
  readonly #line: Line;
  readonly #answer = Promise.withResolvers<Answer>();
  #pieces: Iterator<Uint8Array> | AsyncIterator<Uint8Array> | undefined;
  #incoming: Incoming | undefined;
  #isOverloaded = false;
  #isOver = false;
  readonly #onAbort = () => this.#abandon(this.#outgoing.signal?.reason);

  constructor(id: number, outgoing: OutgoingRequest, meter: LoadMeter | undefined, line: Line) {
    this.#id = id;
    this.#outgoing = outgoing;
    this.#meter = meter;
    this.#line = line;
  }

  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  begin(client: number): void {
    const { method, path, headers, body, signal } = this.#outgoing;
    this.#meter?.begin();
    if (signal?.aborted) {
      this.#abandon(signal.reason);
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    const isWhole = body === null || typeof body === 'string' || body instanceof Uint8Array;
    if (!isWhole) this.#pieces = body[Symbol.asyncIterator]();
    const request = { method, path, headers, body: isWhole ? body : ('pieces' as const) };
    const limit = connectionsFor(this.#meter) + SPARE;
    this.#line.send({ do: 'request', client, id: this.#id, request, limit });
  }

  onMessage(report: Exclude<ThreadEvent, { is: 'closed' }>): void {
    switch (report.is) {
      case 'want':
        void this.#sendNext();
        return;
      case 'answer':
        this.#answered(report.status, report.headers, report.body);
        return;
      case 'piece':
        this.#meter?.moved(report.bytes.byteLength);
        this.#incoming?.push(report.bytes);
        return;
      case 'end':
        this.#end();
        this.#incoming?.end();
        return;
      case 'failed': {
        const error = withCode(new Error(report.message), report.code);
        this.#isOverloaded ||= /TIMEOUT|TIMEDOUT/.test(report.code);
        this.#fail(error);
      }
    }
  }

  #answered(status: number, headers: Headers, whole: Uint8Array | null): void {
    answered.publish({ status } satisfies Answered);
    this.#isOverloaded = status === 429 || status === 503;
    if (whole === null) {
      const incoming = new Incoming(this.#id, this.#line, () =>
        this.#abandon(new Error('the answer is not read any more')),
      );
      this.#incoming = incoming;
      this.#answer.resolve({ status, headers, body: incoming, drop: () => incoming.drop() });
      return;
    }
    this.#meter?.moved(whole.byteLength);
    this.#end();
    this.#answer.resolve({ status, headers, body: once(whole), drop: () => undefined });
  }

  async #sendNext(): Promise<void> {
    try {
      const next = await this.#pieces?.next();
      if (this.#isOver) return;
      const bytes = next === undefined || next.done === true ? null : alone(next.value);
      this.#line.send({ do: 'send', id: this.#id, bytes });
    } catch (error) {
      this.#abandon(error);
    }
  }

  #abandon(reason: unknown): void {
    if (this.#isOver) return;
    this.#line.send({ do: 'abandon', id: this.#id });
    this.#fail(reason);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    if (this.#incoming === undefined) answered.publish({ status: null } satisfies Answered);
    this.#end();
    this.#answer.reject(error);
    this.#incoming?.fail(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outgoing.signal?.removeEventListener('abort', this.#onAbort);
    this.#meter?.end(this.#isOverloaded);
    // Who gives the bytes is told that no more of them are wanted.
    void Promise.resolve(this.#pieces?.return?.()).catch(() => undefined);
    this.#line.end();
  }
}

/** The memory around a view would go with it. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/** The body of an answer that comes in pieces. */
class Incoming implements AsyncIterable<Uint8Array> {
  readonly #id: number;
  readonly #line: Line;
  readonly #leave: () => void;
  readonly #waiting: Piece[] = [];
  #news = Promise.withResolvers<void>();
  #outcome: { readonly error: unknown } | 'ended' | undefined;

  constructor(id: number, line: Line, leave: () => void) {
    this.#id = id;
    this.#line = line;
    this.#leave = leave;
  }

  push(bytes: Piece): void {
    this.#waiting.push(bytes);
    this.#news.resolve();
  }

  end(): void {
    this.#outcome ??= 'ended';
    this.#news.resolve();
  }

  fail(error: unknown): void {
    this.#outcome ??= { error };
    this.#news.resolve();
  }

  drop(): void {
    if (this.#outcome === undefined) this.#leave();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const bytes = this.#waiting.shift();
        if (bytes !== undefined) {
          yield lend(bytes, (memory) => this.#line.send({ do: 'give-back', memory }));
          this.#line.send({ do: 'taken', id: this.#id });
          continue;
        }
        if (this.#outcome === 'ended') return;
        if (this.#outcome !== undefined) throw this.#outcome.error;
        await this.#line.wait(this.#news.promise);
        this.#news = Promise.withResolvers();
      }
    } finally {
      this.drop();
    }
  }
}
