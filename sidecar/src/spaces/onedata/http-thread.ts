/** The connections to Onedata, in a thread of their own: TLS and HTTP are half of what a small file costs. See `http-connections.ts`. */
import { parentPort } from 'node:worker_threads';
import type { Dispatcher } from 'undici';
import { type DispatcherOptions, makeDispatcher } from './dispatcher.ts';
import { codeOfCause } from './error-code.ts';
import { PIECE_BYTES, type Piece, PieceMemory } from './pieces.ts';
import {
  HEADERS_READ,
  type Headers,
  MAX_TOGETHER,
  type Outgoing,
  PIECES_AHEAD,
  type ThreadEvent,
  type ThreadRequest,
} from './thread-messages.ts';

// What is told of an error is its code and message, and each connection that a server closes makes some.
Error.stackTraceLimit = 0;

/** With the reason where connections cannot be opened as they are asked for. */
const clients = new Map<number, Client | Error>();
const sentRequests = new Map<number, SentRequest>();
const pieces = new PieceMemory();

let reports: ThreadEvent[] = [];
let moved: ArrayBuffer[] = [];

/** Reports of one turn of the loop go together, as orders do. */
function report(one: ThreadEvent, handedOver?: ArrayBuffer): void {
  if (reports.length === 0) setImmediate(sendReports);
  reports.push(one);
  if (handedOver !== undefined) moved.push(handedOver);
  if (reports.length === MAX_TOGETHER) sendReports();
}

function sendReports(): void {
  const [all, buffers] = [reports, moved];
  reports = [];
  moved = [];
  if (all.length > 0) parentPort?.postMessage(all, buffers);
}

/** The connections to one host, and the requests that wait for one. */
class Client {
  readonly #origin: string;
  readonly #dispatcher: Dispatcher;
  readonly #waiting = new Set<SentRequest>();
  #under = 0;
  #limit = 1;

  constructor(options: DispatcherOptions) {
    this.#origin = options.origin;
    this.#dispatcher = makeDispatcher(options);
  }

  begin(sent: SentRequest, limit: number): void {
    this.#limit = limit;
    this.#waiting.add(sent);
    this.#next();
  }

  /** @returns whether it was still waiting: then it is never sent */
  forget(sent: SentRequest): boolean {
    return this.#waiting.delete(sent);
  }

  ended(): void {
    this.#under -= 1;
    this.#next();
  }

  destroy(): Promise<void> {
    for (const sent of this.#waiting) sent.fail(new Error('its connections were closed'));
    this.#waiting.clear();
    return this.#dispatcher.destroy();
  }

  #next(): void {
    for (const sent of this.#waiting) {
      if (this.#under >= this.#limit) return;
      this.#waiting.delete(sent);
      this.#under += 1;
      sent.send(this.#dispatcher, this.#origin);
    }
  }
}

/** One request and its answer. */
class SentRequest implements Dispatcher.DispatchHandler {
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
  /** A piece, or all of a short body. */
  #memory: Uint8Array<ArrayBuffer> | Piece | null = null;
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
    sentRequests.delete(this.#id);
    report({ is: 'failed', id: this.#id, code: codeOfCause(error), message: error.message });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAbandoned) controller.abort(new Error('the request was abandoned'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // Of an answer that only announces another one, nothing is kept.
    if (status < 200) return;
    this.#status = status;
    this.#headers = pick(headers);
    const length = Number(headers['content-length'] ?? Number.NaN);
    if (length > 0 && length <= WHOLE_BYTES) this.#start(new Uint8Array(length));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const memory = this.#memory ?? this.#start(pieces.take());
      const room = memory.length - this.#used;
      if (room === 0) {
        this.#hand();
        continue;
      }
      const count = Math.min(chunk.length - at, room);
      memory.set(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
    if (this.#used === PIECE_BYTES || performance.now() - this.#begun > OLDEST_MS) this.#hand();
    if (this.#ahead >= PIECES_AHEAD) controller.pause();
  }

  onResponseEnd(): void {
    this.#ended();
    if (this.#isTold) {
      this.#hand();
      report({ is: 'end', id: this.#id });
      return;
    }
    const body = this.#whole();
    report({ is: 'answer', id: this.#id, status: this.#status, headers: this.#headers, body }, body.buffer);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#ended();
    if (this.#isAbandoned) return;
    // What came before a break counts as progress.
    if (this.#status > 0) this.#report();
    this.#hand();
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
    sentRequests.delete(this.#id);
    if (this.#client.forget(this)) return;
    this.#controller?.abort(new Error('the request was abandoned'));
  }

  #ended(): void {
    sentRequests.delete(this.#id);
    this.#body?.end();
    this.#client.ended();
  }

  #report(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    report({ is: 'answer', id: this.#id, status: this.#status, headers: this.#headers, body: null });
  }

  #start<Memory extends Uint8Array<ArrayBuffer> | Piece>(memory: Memory): Memory {
    this.#memory = memory;
    this.#begun = performance.now();
    return memory;
  }

  /** What has come since the last time, if anything. */
  #hand(): void {
    const [memory, used] = [this.#memory, this.#used];
    if (memory === null || used === 0) return;
    this.#report();
    this.#memory = null;
    this.#used = 0;
    this.#ahead += 1;
    const piece = isShared(memory) ? memory : pieces.take();
    if (piece !== memory) piece.set(memory.subarray(0, used));
    report({ is: 'piece', id: this.#id, bytes: used === piece.length ? piece : piece.subarray(0, used) });
  }

  /** All that has come, in memory of its own. */
  #whole(): Uint8Array<ArrayBuffer> {
    const [memory, used] = [this.#memory, this.#used];
    this.#memory = null;
    if (memory === null) return new Uint8Array();
    if (!isShared(memory)) return used === memory.length ? memory : memory.slice(0, used);
    const body = memory.slice(0, used);
    pieces.give(memory.buffer);
    return body;
  }
}

/** Where bytes come slowly, a piece waits no longer than this for more, so that progress and stalls are seen. */
const OLDEST_MS = 200;

/** A body that says to be no longer gets memory of its own, which goes with the answer. */
const WHOLE_BYTES = 1 << 16;

const isShared = (memory: Uint8Array<ArrayBuffer> | Piece): memory is Piece =>
  memory.buffer instanceof SharedArrayBuffer;

function pick(all: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers: Headers = {};
  for (const name of HEADERS_READ) {
    const value = all[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

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

function begin({ client: number, id, request, limit }: Extract<ThreadRequest, { do: 'request' }>): void {
  const client = clients.get(number) ?? new Error('its connections were closed');
  if (client instanceof Error) {
    report({ is: 'failed', id, code: codeOfCause(client), message: client.message });
    return;
  }
  const sent = new SentRequest(id, client, request);
  sentRequests.set(id, sent);
  client.begin(sent, limit);
}

function execute(order: ThreadRequest): void {
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
      sentRequests.get(order.id)?.give(order.bytes);
      return;
    case 'taken':
      sentRequests.get(order.id)?.taken();
      return;
    case 'give-back':
      pieces.give(order.memory);
      return;
    case 'abandon':
      sentRequests.get(order.id)?.abandon();
  }
}

parentPort?.on('message', (orders: readonly ThreadRequest[]) => {
  for (const order of orders) execute(order);
});
