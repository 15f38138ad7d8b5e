/** The connections to Onedata, in a thread of their own: TLS and HTTP are half of what a small file costs. See `http-connections.ts`. */
import { parentPort } from 'node:worker_threads';
import type { Dispatcher } from 'undici';
import { type DispatcherOptions, makeDispatcher } from './dispatcher.ts';
import { codeOfCause } from './error-code.ts';
import { type Headers, type Order, type Outgoing, PIECES_AHEAD, type Report } from './exchange.ts';
import { PIECE_BYTES, type Piece, PieceMemory } from './pieces.ts';

/** With the reason where connections cannot be opened as they are asked for. */
const clients = new Map<number, Client | Error>();
const exchanges = new Map<number, Exchange>();
const memory = new PieceMemory();

let reports: Report[] = [];
let moved: ArrayBuffer[] = [];

/** Reports of one turn of the loop go as one message: each message costs far more than what is in it. */
function report(one: Report, handedOver?: ArrayBuffer): void {
  if (reports.length === 0) {
    setImmediate(() => {
      const [all, buffers] = [reports, moved];
      reports = [];
      moved = [];
      parentPort?.postMessage(all, buffers);
    });
  }
  reports.push(one);
  if (handedOver !== undefined) moved.push(handedOver);
}

/** The connections to one host, and the requests that wait for one. */
class Client {
  readonly #origin: string;
  readonly #dispatcher: Dispatcher;
  readonly #waiting = new Set<Exchange>();
  #under = 0;
  #limit = 1;

  constructor(options: DispatcherOptions) {
    this.#origin = options.origin;
    this.#dispatcher = makeDispatcher(options);
  }

  begin(exchange: Exchange, limit: number): void {
    this.#limit = limit;
    this.#waiting.add(exchange);
    this.#next();
  }

  /** @returns whether it was still waiting: then it is never sent */
  forget(exchange: Exchange): boolean {
    return this.#waiting.delete(exchange);
  }

  ended(): void {
    this.#under -= 1;
    this.#next();
  }

  destroy(): Promise<void> {
    for (const exchange of this.#waiting) exchange.fail(new Error('its connections were closed'));
    this.#waiting.clear();
    return this.#dispatcher.destroy();
  }

  #next(): void {
    for (const exchange of this.#waiting) {
      if (this.#under >= this.#limit) return;
      this.#waiting.delete(exchange);
      this.#under += 1;
      exchange.send(this.#dispatcher, this.#origin);
    }
  }
}

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #id: number;
  readonly #client: Client;
  readonly #outgoing: Outgoing;
  readonly #body: SentPieces | null;
  #controller: Dispatcher.DispatchController | undefined;
  #isAbandoned = false;
  #status = 0;
  #headers: Headers = {};
  /** The answer was reported, its body goes on in pieces. */
  #isTold = false;
  #piece: Piece | null = null;
  #used = 0;
  #begun = 0;
  /** Pieces that were reported and not taken yet. */
  #ahead = 0;

  constructor(id: number, client: Client, outgoing: Outgoing) {
    this.#id = id;
    this.#client = client;
    this.#outgoing = outgoing;
    this.#body = outgoing.body === 'pieces' ? new SentPieces(id) : null;
  }

  send(dispatcher: Dispatcher, origin: string): void {
    const { method, path, headers, body } = this.#outgoing;
    try {
      const content = (this.#body ?? body) as string | null;
      dispatcher.dispatch({ origin, method, path, headers, body: content }, this);
    } catch (error) {
      this.fail(error as Error);
      this.#client.ended();
    }
  }

  fail(error: Error): void {
    exchanges.delete(this.#id);
    report({ is: 'failed', id: this.#id, code: codeOfCause(error), message: error.message });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAbandoned) controller.abort(new Error('nobody waits for it'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // Of an answer that only announces another one, nothing is kept.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#piece === null) {
        this.#piece = memory.take();
        this.#begun = performance.now();
      }
      const room = this.#piece.length - this.#used;
      if (room === 0) {
        this.#hand(this.#piece);
        continue;
      }
      const count = Math.min(chunk.length - at, room);
      this.#piece.set(
        at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count),
        this.#used,
      );
      this.#used += count;
      at += count;
    }
    const piece = this.#piece;
    if (piece === null) return;
    const isFull = this.#used === PIECE_BYTES;
    if (isFull || performance.now() - this.#begun > OLDEST_MS) this.#hand(piece);
    if (this.#ahead >= PIECES_AHEAD) controller.pause();
  }

  onResponseEnd(): void {
    this.#ended();
    if (this.#isTold) {
      if (this.#used > 0 && this.#piece !== null) this.#hand(this.#piece);
      report({ is: 'end', id: this.#id });
      return;
    }
    const body = this.#piece?.slice(0, this.#used) ?? new Uint8Array();
    if (this.#piece !== null) memory.give(this.#piece.buffer);
    this.#piece = null;
    report({ is: 'answer', id: this.#id, status: this.#status, headers: this.#headers, body }, body.buffer);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#ended();
    if (this.#isAbandoned) return;
    // What came before a break counts as progress.
    if (this.#status > 0) this.#tell();
    if (this.#used > 0 && this.#piece !== null) this.#hand(this.#piece);
    this.fail(error);
  }

  give(bytes: Uint8Array | null): void {
    this.#body?.give(bytes);
  }

  taken(): void {
    this.#ahead -= 1;
    if (this.#ahead < PIECES_AHEAD && this.#controller?.paused) this.#controller.resume();
  }

  abandon(): void {
    this.#isAbandoned = true;
    exchanges.delete(this.#id);
    if (this.#client.forget(this)) return;
    this.#controller?.abort(new Error('nobody waits for it'));
  }

  #ended(): void {
    exchanges.delete(this.#id);
    this.#body?.end();
    this.#client.ended();
  }

  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    report({ is: 'answer', id: this.#id, status: this.#status, headers: this.#headers, body: null });
  }

  #hand(piece: Piece): void {
    this.#tell();
    const bytes = this.#used === piece.length ? piece : piece.subarray(0, this.#used);
    this.#piece = null;
    this.#used = 0;
    this.#ahead += 1;
    report({ is: 'piece', id: this.#id, bytes });
  }
}

/** Where bytes come slowly, a piece waits no longer than this for more, so that progress and stalls are seen. */
const OLDEST_MS = 200;

/** The body of a request that comes piece by piece. Each is asked for when the connection has room. */
class SentPieces {
  readonly #id: number;
  #next = Promise.withResolvers<Uint8Array | null>();

  constructor(id: number) {
    this.#id = id;
  }

  give(bytes: Uint8Array | null): void {
    this.#next.resolve(bytes);
  }

  /** Nothing more is wanted. */
  end(): void {
    this.#next.resolve(null);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      report({ is: 'want', id: this.#id });
      const bytes = await this.#next.promise;
      if (bytes === null) return;
      this.#next = Promise.withResolvers();
      yield bytes;
    }
  }
}

/** What is wrong with the options of one client is told to that one alone. */
function opened(options: DispatcherOptions): Client | Error {
  try {
    return new Client(options);
  } catch (error) {
    return error as Error;
  }
}

function begin({ client: number, id, request, limit }: Extract<Order, { do: 'request' }>): void {
  const client = clients.get(number) ?? new Error('its connections were closed');
  if (client instanceof Error) {
    report({ is: 'failed', id, code: codeOfCause(client), message: client.message });
    return;
  }
  const exchange = new Exchange(id, client, request);
  exchanges.set(id, exchange);
  client.begin(exchange, limit);
}

function carryOut(order: Order): void {
  switch (order.do) {
    case 'open':
      clients.set(order.client, opened(order.options));
      return;
    case 'close': {
      const client = clients.get(order.client);
      const closed = () => report({ is: 'closed', client: order.client });
      clients.delete(order.client);
      if (client instanceof Client) client.destroy().then(closed, closed);
      else closed();
      return;
    }
    case 'request':
      begin(order);
      return;
    case 'send':
      exchanges.get(order.id)?.give(order.bytes);
      return;
    case 'taken':
      exchanges.get(order.id)?.taken();
      return;
    case 'give-back':
      memory.give(order.memory);
      return;
    case 'abandon':
      exchanges.get(order.id)?.abandon();
  }
}

parentPort?.on('message', (orders: readonly Order[]) => {
  for (const order of orders) carryOut(order);
});
