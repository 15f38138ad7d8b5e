import type { IncomingMessage } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';

/** Proxies on the way cut a connection that is silent for 60 s; noVNC cannot send pings of its own. */
export const PING_EVERY_MS = 25_000;
/** A picture on its way over a slow line delays the answer; only after so many is the browser gone. */
const UNANSWERED_PINGS = 3;
/** Largest message of a browser: its clipboard. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
/** Bytes on their way to a browser before the desktop has to wait. */
const BUFFER_BYTES = 1024 * 1024;
const MAX_RELAYS = 12;
const SESSION_CHECK_MS = 2000;

/** Close codes the page may see; 4000 and above are free for applications. */
export const CLOSE_CODES = { sessionEnded: 4401, stopping: 1001 } as const;

export interface RelayOptions {
  readonly vncSocket: string;
  readonly pingEveryMs?: number;
  /** Undefined lets the connection in, else the HTTP status and sentence of the refusal. */
  readonly admit: (request: IncomingMessage) => { status: number; message: string } | undefined;
  /** Answers and ends the socket. */
  readonly refuse: (socket: Duplex, status: number, message: string) => void;
  /** Asked again while the connection lasts: a session may end before its desktop is closed. */
  readonly isStillAllowed: (request: IncomingMessage) => boolean;
  readonly onOpen: (request: IncomingMessage) => void;
  readonly onClose: (request: IncomingMessage, seconds: number) => void;
}

/** Joins WebSockets of browsers with the desktop's VNC socket, byte for byte, each side waiting for the other. */
export class VncRelay {
  readonly #options: RelayOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Takes over an upgrade request: answers it with a refusal or serves it until either side ends. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From here on nobody else listens: without this a browser that resets the connection would end the process.
    socket.on('error', () => socket.destroy());
    const refusal =
      this.#server.clients.size >= MAX_RELAYS
        ? { status: 503, message: 'The desktop is open in too many windows. Close some of them.' }
        : this.#options.admit(request);
    if (refusal) {
      this.#options.refuse(socket, refusal.status, refusal.message);
      return;
    }
    const desktop = createConnection(this.#options.vncSocket);
    const unavailable = () => this.#options.refuse(socket, 503, 'The desktop does not answer yet.');
    desktop.once('error', unavailable);
    desktop.once('connect', () => {
      desktop.off('error', unavailable);
      desktop.on('error', () => desktop.destroy());
      if (socket.destroyed) {
        desktop.destroy();
        return;
      }
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        void this.#serve(webSocket, desktop, request);
      });
    });
  }

  closeAll(): void {
    for (const client of this.#server.clients)
      client.close(CLOSE_CODES.stopping, 'The instance is stopping.');
  }

  async #serve(webSocket: WebSocket, desktop: Socket, request: IncomingMessage): Promise<void> {
    const openedAt = performance.now();
    webSocket.on('error', () => webSocket.terminate());
    const stopWatching = this.#watch(webSocket, request);
    this.#options.onOpen(request);
    const browser = createWebSocketStream(webSocket, { highWaterMark: BUFFER_BYTES });
    const directions = [pipeline(browser, desktop), pipeline(desktop, browser)];
    await Promise.race(directions).catch(() => undefined);
    desktop.destroy();
    webSocket.terminate();
    await Promise.allSettled(directions);
    stopWatching();
    this.#options.onClose(request, Math.round((performance.now() - openedAt) / 1000));
  }

  /** Pings, ends a connection whose browser is gone, and one whose session ended. */
  #watch(webSocket: WebSocket, request: IncomingMessage): () => void {
    let unanswered = 0;
    const heard = () => {
      unanswered = 0;
    };
    webSocket.on('pong', heard);
    webSocket.on('message', heard);
    const ping = setInterval(() => {
      // While the desktop is slow nothing is read from the browser, so it cannot be heard.
      if (webSocket.isPaused) return;
      unanswered += 1;
      if (unanswered > UNANSWERED_PINGS) webSocket.terminate();
      else webSocket.ping();
    }, this.#options.pingEveryMs ?? PING_EVERY_MS);
    const check = setInterval(() => {
      if (!this.#options.isStillAllowed(request)) webSocket.close(CLOSE_CODES.sessionEnded, 'Log in again.');
    }, SESSION_CHECK_MS);
    return () => {
      clearInterval(ping);
      clearInterval(check);
    };
  }
}
