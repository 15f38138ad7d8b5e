import type { IncomingMessage } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CLOSE_CODES, PING_EVERY_MS, RelayWindow } from './relay-window.ts';
import { ViewOnlyFilter } from './view-only.ts';
import { acceptKey } from './websocket-frames.ts';

const MAX_WINDOWS = 12;
/** Of those who only look; the rest is for those who work. */
const MAX_WATCHERS = 6;

/** Who may open a window, or why it is refused: the HTTP status and the sentence. */
export type Admission =
  | { readonly isViewOnly: boolean; readonly status?: never }
  | { readonly status: number; readonly message: string };

export interface RelayOptions {
  readonly vncSocket: string;
  readonly pingEveryMs?: number;
  readonly admit: (request: IncomingMessage) => Admission;
  /** Answers and ends the socket. */
  readonly refuse: (socket: Duplex, status: number, message: string) => void;
  readonly onOpen: (request: IncomingMessage, isViewOnly: boolean) => void;
  readonly onClose: (request: IncomingMessage, isViewOnly: boolean, seconds: number) => void;
}

/** Joins WebSockets of browsers with the desktop's VNC socket, byte for byte, each side waiting for the other. */
export class VncRelay {
  readonly #options: RelayOptions;
  /** Sockets of the windows, also of those that are only being opened: many may ask at the same moment. */
  readonly #sockets = new Set<Duplex>();
  readonly #watchers = new Set<Duplex>();
  readonly #windows = new Set<RelayWindow>();

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Takes over an upgrade request: answers it with a refusal or serves it until either side ends. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { admit, refuse, vncSocket } = this.#options;
    const admission = admit(request);
    if (admission.status !== undefined) {
      refuse(socket, admission.status, admission.message);
      return;
    }
    const { isViewOnly } = admission;
    const { headers, method } = request;
    const accept = acceptKey(headers['sec-websocket-key']);
    const isWebSocket = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
    if (accept === undefined || !isWebSocket || headers['sec-websocket-version'] !== '13') {
      refuse(socket, 400, 'This is no request for a WebSocket of version 13.');
      return;
    }
    if (this.#sockets.size >= MAX_WINDOWS || (isViewOnly && this.#watchers.size >= MAX_WATCHERS)) {
      refuse(socket, 503, 'The desktop is open in too many windows. Close some of them.');
      return;
    }
    this.#sockets.add(socket);
    if (isViewOnly) this.#watchers.add(socket);
    const forget = () => {
      this.#sockets.delete(socket);
      this.#watchers.delete(socket);
    };
    socket.once('close', forget);
    const window = new RelayWindow({
      pingEveryMs: this.#options.pingEveryMs ?? PING_EVERY_MS,
      // Asked again while the connection lasts: a session or link may end before its desktop is closed.
      isStillAllowed: () => admit(request).status === undefined,
      isShared: () => this.#sockets.size > 1,
      filter: isViewOnly ? new ViewOnlyFilter() : undefined,
    });
    const desktop = createConnection({ path: vncSocket, onread: window.reading });
    const unavailable = () => {
      forget();
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
      const answer =
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n${hasBinary ? 'Sec-WebSocket-Protocol: binary\r\n' : ''}\r\n`;
      const openedAt = performance.now();
      this.#windows.add(window);
      this.#options.onOpen(request, isViewOnly);
      socket.once('close', () => {
        this.#windows.delete(window);
        const seconds = Math.round((performance.now() - openedAt) / 1000);
        this.#options.onClose(request, isViewOnly, seconds);
      });
      window.open(socket, desktop, answer, head);
    });
  }

  closeAll(): void {
    for (const window of this.#windows) window.close(CLOSE_CODES.stopping, 'The instance is stopping.');
  }
}
