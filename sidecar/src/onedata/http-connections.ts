import { channel } from 'node:diagnostics_channel';
import { Worker } from 'node:worker_threads';
import { lend } from '../sync/spaces/loans.ts';
import type { DispatcherOptions } from './dispatcher.ts';
import type { Headers, Order, Outgoing, Report } from './exchange.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Piece } from './pieces.ts';

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
  /** To be read once; who leaves early ends the transfer. What it yields may be given back (`spaces/loans.ts`). */
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
  request(outgoing: OutgoingRequest): Promise<Answer> {
    if (this.#isClosed) throw new Error('its connections were closed');
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

/** A thread that has had no connections for so long ends. */
const IDLE_MS = 5_000;

class HttpThread {
  static #running: HttpThread | undefined;
  readonly #worker: Worker;
  readonly #exchanges = new Map<number, Exchange>();
  readonly #clients = new Map<number, PromiseWithResolvers<void>>();
  #orders: Order[] = [];
  #idle: NodeJS.Timeout | undefined;
  isOver = false;

  static running(): HttpThread {
    if (HttpThread.#running?.isOver !== false) HttpThread.#running = new HttpThread();
    return HttpThread.#running;
  }

  constructor() {
    // A bundle has the thread beside it under the same name.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`http-thread.${ending}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (reports: readonly Report[]) => {
      for (const report of reports) this.#hear(report);
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
    this.#worker.ref();
    await closed.promise;
    this.#rest();
  }

  request(client: number, outgoing: OutgoingRequest, meter: LoadMeter | undefined): Promise<Answer> {
    const id = nextNumber++;
    const exchange = new Exchange(id, outgoing, meter, (order) => this.#order(order));
    if (this.#exchanges.size === 0) this.#worker.ref();
    this.#exchanges.set(id, exchange);
    exchange.over.finally(() => {
      this.#exchanges.delete(id);
      this.#rest();
    });
    exchange.begin(client);
    return exchange.answer;
  }

  /** Orders of one turn of the loop go as one message. */
  #order(order: Order): void {
    if (this.isOver) return;
    if (this.#orders.length === 0) {
      setImmediate(() => {
        const orders = this.#orders;
        this.#orders = [];
        if (!this.isOver) this.#worker.postMessage(orders);
      });
    }
    this.#orders.push(order);
  }

  #hear(report: Report): void {
    if (report.is === 'closed') {
      this.#clients.get(report.client)?.resolve();
      this.#clients.delete(report.client);
    } else this.#exchanges.get(report.id)?.hear(report);
  }

  /** Nothing under way keeps the process; without connections the thread ends. */
  #rest(): void {
    if (this.#exchanges.size > 0 || this.isOver) return;
    this.#worker.unref();
    if (this.#clients.size > 0) return;
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
    for (const exchange of this.#exchanges.values()) {
      exchange.hear({ is: 'failed', id: 0, code: 'UND_ERR_SOCKET', message: why });
    }
    for (const closed of this.#clients.values()) closed.resolve();
  }
}

type Send = (order: Order) => void;

/** One request, as its sender sees it. */
class Exchange {
  readonly #id: number;
  readonly #outgoing: OutgoingRequest;
  readonly #meter: LoadMeter | undefined;
  readonly #send: Send;
  readonly #answer = Promise.withResolvers<Answer>();
  readonly #over = Promise.withResolvers<void>();
  #pieces: Iterator<Uint8Array> | AsyncIterator<Uint8Array> | undefined;
  #incoming: Incoming | undefined;
  #isOverloaded = false;
  #isOver = false;
  readonly #onAbort = () => this.#abandon(this.#outgoing.signal?.reason);

  constructor(id: number, outgoing: OutgoingRequest, meter: LoadMeter | undefined, send: Send) {
    this.#id = id;
    this.#outgoing = outgoing;
    this.#meter = meter;
    this.#send = send;
  }

  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  /** Resolves when nothing more comes of it. */
  get over(): Promise<void> {
    return this.#over.promise;
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
    this.#send({ do: 'request', client, id: this.#id, request });
  }

  hear(report: Exclude<Report, { is: 'closed' }>): void {
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
        const error = Object.assign(new Error(report.message), { code: report.code });
        this.#isOverloaded ||= /TIMEOUT|TIMEDOUT/.test(report.code);
        this.#fail(error);
      }
    }
  }

  #answered(status: number, headers: Headers, whole: Uint8Array | null): void {
    answered.publish({ status } satisfies Answered);
    this.#isOverloaded = status === 429 || status === 503;
    if (whole === null) {
      const incoming = new Incoming(
        () => this.#send({ do: 'taken', id: this.#id }),
        (memory) => this.#send({ do: 'give-back', memory }),
        () => this.#abandon(new Error('nobody reads the answer')),
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
      const bytes = next === undefined || next.done === true ? null : next.value;
      this.#send({ do: 'send', id: this.#id, bytes });
    } catch (error) {
      this.#abandon(error);
    }
  }

  #abandon(reason: unknown): void {
    if (this.#isOver) return;
    this.#send({ do: 'abandon', id: this.#id });
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
    this.#over.resolve();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

/** The body of an answer that comes in pieces. */
class Incoming implements AsyncIterable<Uint8Array> {
  readonly #taken: () => void;
  readonly #giveBack: (memory: SharedArrayBuffer) => void;
  readonly #leave: () => void;
  readonly #waiting: Piece[] = [];
  #news = Promise.withResolvers<void>();
  #outcome: { readonly error: unknown } | 'ended' | undefined;

  constructor(taken: () => void, giveBack: (memory: SharedArrayBuffer) => void, leave: () => void) {
    this.#taken = taken;
    this.#giveBack = giveBack;
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
          yield lend(bytes, this.#giveBack);
          this.#taken();
          continue;
        }
        if (this.#outcome === 'ended') return;
        if (this.#outcome !== undefined) throw this.#outcome.error;
        await this.#news.promise;
        this.#news = Promise.withResolvers();
      }
    } finally {
      this.drop();
    }
  }
}
