import type { IncomingMessage } from 'node:http';
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { CLOSE_CODES, PING_EVERY_MS, RelayWindow, WRITE_BYTES } from './relay-window.ts';
import { acceptKey } from './websocket-frames.ts';

const MAX_WINDOWS = 12;

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
  /** Sockets of the windows, also of those that are only being opened: many may ask at the same moment. */
  readonly #sockets = new Set<Duplex>();
  readonly #windows = new Set<RelayWindow>();

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Takes over an upgrade request: answers it with a refusal or serves it until either side ends. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { admit, refuse, vncSocket } = this.#options;
    const refusal = admit(request);
    if (refusal) {
      refuse(socket, refusal.status, refusal.message);
      return;
    }
    const { headers, method } = request;
    const accept = acceptKey(headers['sec-websocket-key']);
    const isWebSocket = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
    if (accept === undefined || !isWebSocket || headers['sec-websocket-version'] !== '13') {
      refuse(socket, 400, 'This is no request for a WebSocket of version 13.');
      return;
    }
    if (this.#sockets.size >= MAX_WINDOWS) {
      refuse(socket, 503, 'The desktop is open in too many windows. Close some of them.');
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const window = new RelayWindow(socket, this.#options.pingEveryMs ?? PING_EVERY_MS, () =>
      this.#options.isStillAllowed(request),
    );
    const options = { path: vncSocket, onread: window.reading, writableHighWaterMark: WRITE_BYTES };
    const desktop = createConnection(options);
    const unavailable = () => {
      this.#sockets.delete(socket);
      refuse(socket, 503, 'The desktop does not answer yet.');
    };
    desktop.once('error', unavailable);
    desktop.once('connect', () => {
      desktop.off('error', unavailable);
      desktop.on('error', () => desktop.destroy());
      if (socket.destroyed) {
        desktop.destroy();
        return;
      }
      const hasBinary = headers['sec-websocket-protocol']
        ?.split(',')
        .some((name) => name.trim() === 'binary');
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          `Sec-WebSocket-Accept: ${accept}\r\n${hasBinary ? 'Sec-WebSocket-Protocol: binary\r\n' : ''}\r\n`,
      );
      const openedAt = performance.now();
      this.#windows.add(window);
      this.#options.onOpen(request);
      socket.once('close', () => {
        this.#windows.delete(window);
        this.#options.onClose(request, Math.round((performance.now() - openedAt) / 1000));
      });
      window.open(desktop, head);
    });
  }

  closeAll(): void {
    for (const window of this.#windows) window.close(CLOSE_CODES.stopping, 'The instance is stopping.');
  }
}
