import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Connection, ConnectionTable } from './connection-table.ts';
import type { SecurityHeaders } from './security-headers.ts';
import { TurnQueue } from './turn-queue.ts';

/** Time from the first byte (or from the connection) to the end of the headers, and to the end of the body. */
const HEADERS_MS = 10_000;
const BODY_MS = 20_000;
/** Longer than the minute after which nginx closes an idle connection, so that it is never cut under a request. */
const IDLE_MS = 72_000;
const SWEEP_MS = 1000;
/** A client that has not taken a complete answer by then does not read. */
const ANSWER_MS = 30_000;
/** For a refused client to read why, and for an unwanted body to be thrown away. */
const LINGER_MS = 1000;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
const MAX_REQUESTS_PER_SOCKET = 1000;

/** More than the kernel hands over at once, so that nobody is given up before the first byte could be read. */
const MAX_FRESH = 600;

export interface GuardOptions {
  /** Sockets of those who hold a session or a device mark. */
  readonly maxKnown: number;
  /** Sockets of everybody else who has asked for something. */
  readonly maxStrangers: number;
  /** Requests of strangers a second: those that only read, and all others. */
  readonly readsPerSecond: number;
  readonly changesPerSecond: number;
  readonly isKnown: (request: IncomingMessage) => boolean;
  readonly headers: SecurityHeaders;
  /** What is said to a stranger whose turn does not come. */
  readonly busy: (headers: IncomingHttpHeaders) => string;
}

/**
 * An HTTP server that strangers cannot stop. One request at a time a socket: whoever sends the next before the answer
 * is out is cut off (browsers and ingresses never do), so that answers cannot pile up. When there are too many sockets
 * the one that was quiet for longest goes, known visitors and strangers apart; a newcomer has time to say who it is.
 * Requests of strangers have a rate that leaves the processor to the desktop's pictures, and wait for their turn.
 */
export class GuardedServer {
  readonly server: Server;
  readonly #options: GuardOptions;
  readonly #table: ConnectionTable;
  readonly #reads: TurnQueue;
  readonly #changes: TurnQueue;
  readonly #sweep: NodeJS.Timeout;

  constructor(options: GuardOptions, listener: RequestListener) {
    this.#options = options;
    const { maxKnown, maxStrangers } = options;
    this.#table = new ConnectionTable({ fresh: MAX_FRESH, stranger: maxStrangers, known: maxKnown });
    const maxWaiting = Math.floor(maxStrangers / 2);
    this.#reads = new TurnQueue({ perSecond: options.readsPerSecond, maxWaiting });
    this.#changes = new TurnQueue({ perSecond: options.changesPerSecond, maxWaiting });
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      this.#request(request, response, listener);
    this.server = createServer(
      {
        headersTimeout: HEADERS_MS,
        requestTimeout: BODY_MS,
        connectionsCheckingInterval: SWEEP_MS,
        keepAliveTimeout: IDLE_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
        // Answered by us, because Node's own answer has no security headers.
        requireHostHeader: false,
      },
      onRequest,
    );
    this.server.maxHeadersCount = MAX_HEADERS;
    this.server.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
    this.server.maxConnections = 2 * (MAX_FRESH + maxKnown + maxStrangers);
    this.server.on('connection', (socket) => this.#table.add(socket));
    this.server.on('checkExpectation', onRequest);
    this.#sweep = setInterval(() => this.#endUnread(), SWEEP_MS).unref();
    this.server.on('close', () => {
      clearInterval(this.#sweep);
      this.#reads.close();
      this.#changes.close();
    });
  }

  /** The socket of this request is not to be given up for others until the returned function is called. */
  hold(request: IncomingMessage): () => void {
    const connection = this.#table.of(request.socket);
    if (connection === undefined) return () => undefined;
    connection.held += 1;
    return () => {
      connection.held -= 1;
    };
  }

  /** Hands on upgrade requests, unless an answer is still on its way to the same client. */
  onUpgrade(listener: (request: IncomingMessage, head: Buffer) => void): void {
    this.server.on('upgrade', (request, socket, head) => {
      // From here on nobody else listens: without this a client that resets the connection would end the process.
      socket.on('error', () => socket.destroy());
      const connection = this.#table.of(request.socket);
      if (connection === undefined || connection.response) socket.destroy();
      else listener(request, head);
    });
  }

  /** Counts the socket of an upgrade to those of known visitors, for as long as it lives. */
  keepUpgraded(request: IncomingMessage): void {
    const connection = this.#table.of(request.socket);
    if (connection === undefined) return;
    connection.held += 1;
    this.#table.put(connection, 'known');
  }

  /** For what Node could not read as HTTP, or waited for in vain. */
  clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#table.of(socket as Socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    if (connection?.isEnding) return;
    if (connection?.response) {
      this.#endSoon(socket);
      return;
    }
    const status =
      error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
    this.refuse(socket, status, 'The request was not understood or took too long.');
  }

  /**
   * Answers without the HTTP server and ends the socket, whether the client reads or not; not at once, so that whoever
   * comes back for every refusal comes slowly.
   */
  refuse(socket: Duplex, status: number, message: string): void {
    const body = `${message}\n`;
    const lines = Object.entries(this.#options.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n${lines.join('')}` +
        `content-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    this.#endSoon(socket);
  }

  #request(request: IncomingMessage, response: ServerResponse, listener: RequestListener): void {
    const connection = this.#table.of(request.socket);
    if (connection === undefined || connection.response) {
      // Thousands more may be in the bytes that have come already, and Node makes objects for each. 2 stops its parser,
      // as at an upgrade. This is not a documented interface of Node; the test of pipelining tells when it changes.
      const { parser } = request.socket as ParsedSocket;
      if (parser) parser.onIncoming = () => 2;
      this.#endSoon(request.socket);
      return;
    }
    connection.response = response;
    const kind = this.#options.isKnown(request) ? 'known' : 'stranger';
    this.#table.put(connection, kind);
    request.on('error', () => undefined);
    // The time to take an answer is counted from its end: a large file may take hours before.
    response.on('prefinish', () => {
      connection.since = performance.now();
    });
    response.on('close', () => {
      connection.response = undefined;
      this.#table.put(connection, kind);
      if (!request.complete) this.#endSoon(request.socket);
    });
    if (request.httpVersion === '1.1' && request.headers.host === undefined) {
      this.refuse(request.socket, 400, 'The request names no host.');
    } else if (kind === 'known') {
      listener(request, response);
    } else {
      this.#wait(connection, request, () => listener(request, response));
    }
  }

  #wait(connection: Connection, request: IncomingMessage, run: () => void): void {
    const turns = request.method === 'GET' || request.method === 'HEAD' ? this.#reads : this.#changes;
    connection.held += 1;
    const release = (then: () => void) => () => {
      connection.held -= 1;
      then();
    };
    turns.take({
      isWanted: () => !connection.socket.destroyed,
      run: release(run),
      drop: release(() => this.refuse(request.socket, 503, this.#options.busy(request.headers))),
    });
  }

  /** Nothing more is read; what was answered still goes out. */
  #endSoon(socket: Duplex): void {
    const connection = this.#table.of(socket as Socket);
    if (connection === undefined) socket.destroy();
    if (connection === undefined || connection.isEnding) return;
    connection.isEnding = true;
    socket.pause();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  #endUnread(): void {
    const before = performance.now() - ANSWER_MS;
    for (const { socket, response, since } of this.#table.all()) {
      if (response?.writableEnded && since < before) socket.destroy();
    }
  }
}

/** Node's own HTTP parser, which it keeps at the socket. */
type ParsedSocket = Socket & { readonly parser?: { onIncoming: () => number } | null };
