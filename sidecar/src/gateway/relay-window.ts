import type { OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ViewOnlyError, type ViewOnlyFilter } from './view-only.ts';
import {
  closeFrame,
  dataFrame,
  FrameReader,
  MAX_HEADER_BYTES,
  PING_FRAME,
  pongFrame,
  writeBinaryHeader,
} from './websocket-frames.ts';

/** Close codes the page may see; 4000 and above are free for applications. */
export const CLOSE_CODES = { sessionEnded: 4401, stopping: 1001, protocolError: 1002 } as const;

export interface WindowOptions {
  readonly pingEveryMs: number;
  readonly isStillAllowed: () => boolean;
  /** Of a window that only looks. */
  readonly filter: ViewOnlyFilter | undefined;
}

/** Proxies on the way cut a connection that is silent for 60 s; noVNC cannot send pings of its own. */
export const PING_EVERY_MS = 25_000;
/** A picture on its way over a slow line delays the answer; only after so many is the browser gone. */
const UNANSWERED_PINGS = 3;
const SESSION_CHECK_MS = 2000;
/** What is read of the desktop at once; also all that is kept of it for a slow browser. */
const READ_BYTES = 128 * 1024;
/** After so much of one window the others have their turn. */
const TURN_BYTES = 256 * 1024;
/** What waits for the desktop before the browser has to: enough to fill its socket again whenever that has room. */
export const WRITE_BYTES = 512 * 1024;
/** For the browser to take the goodbye. */
const CLOSE_MS = 1000;

/**
 * One browser window on the desktop. What the desktop sends is read behind room for a frame's header and written from
 * there, without a copy; the memory is read into again when the kernel has taken all of it.
 */
export class RelayWindow {
  /** How the desktop's socket has to be read. */
  readonly reading: OnReadOpts;
  readonly #browser: Duplex;
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_HEADER_BYTES + READ_BYTES);
  readonly #options: WindowOptions;
  #desktop: Socket | undefined;
  #isWaiting = false;
  /** Writes of desktop bytes whose end has not been told yet. */
  #unwritten = 0;
  #turnBytes = 0;
  #unanswered = 0;

  constructor(browser: Duplex, options: WindowOptions) {
    this.#browser = browser;
    this.#options = options;
    this.reading = {
      buffer: this.#buffer.subarray(MAX_HEADER_BYTES),
      callback: (length) => this.#toBrowser(length),
    };
  }

  /** Relays until either side ends. `head` is what the browser has sent already. */
  open(desktop: Socket, head: Buffer): void {
    this.#desktop = desktop;
    const browser = this.#browser;
    const reader = new FrameReader({
      onData: (payload) => this.#toDesktop(desktop, payload),
      onPing: (payload) => browser.write(pongFrame(payload)),
      onClose: () => this.close(1000),
      onError: () => this.close(CLOSE_CODES.protocolError),
    });
    const onData = (chunk: Buffer) => {
      this.#unanswered = 0;
      desktop.cork();
      reader.push(chunk);
      desktop.uncork();
      if (desktop.writableNeedDrain) browser.pause();
    };
    desktop.on('drain', () => browser.resume());
    desktop.on('end', () => this.#end());
    desktop.on('close', () => this.#end());
    const stopWatching = this.#watch();
    browser.on('end', () => this.#end());
    browser.on('close', () => {
      stopWatching();
      desktop.destroy();
    });
    if (head.length > 0) onData(head);
    browser.on('data', onData);
  }

  /** Says goodbye with a code of WebSockets, and ends. */
  close(code: number, reason = ''): void {
    if (this.#browser.writableEnded) return;
    this.#browser.write(closeFrame(code, reason));
    this.#end();
  }

  #end(): void {
    this.#desktop?.destroy();
    if (this.#browser.writableEnded) return;
    this.#browser.end();
    const timer = setTimeout(() => this.#browser.destroy(), CLOSE_MS);
    this.#browser.once('close', () => clearTimeout(timer));
  }

  #toDesktop(desktop: Socket, payload: Buffer): void {
    const { filter } = this.#options;
    const passed = filter ? this.#filtered(() => filter.toDesktop(payload)) : payload;
    if (passed.length > 0) desktop.write(passed);
  }

  /** Closes the window when what came is nothing for somebody who only looks. */
  #filtered(filter: () => Buffer): Buffer {
    try {
      return filter();
    } catch (error) {
      if (!(error instanceof ViewOnlyError)) throw error;
      this.close(CLOSE_CODES.protocolError);
      return Buffer.alloc(0);
    }
  }

  /** A frame of what has just been read; empty where nothing of it is passed on. */
  #frame(length: number): Buffer {
    const { filter } = this.#options;
    const end = MAX_HEADER_BYTES + length;
    if (filter === undefined) {
      return this.#buffer.subarray(writeBinaryHeader(this.#buffer, MAX_HEADER_BYTES, length), end);
    }
    const passed = this.#filtered(() => filter.toBrowser(this.#buffer.subarray(MAX_HEADER_BYTES, end)));
    return passed.length === 0 ? passed : dataFrame(passed);
  }

  /** Passes on what has just been read; false: nothing more for now. */
  #toBrowser(length: number): boolean {
    const browser = this.#browser;
    if (browser.writableEnded || browser.destroyed) return false;
    const frame = this.#frame(length);
    if (frame.length === 0) return !browser.writableEnded;
    this.#unwritten += 1;
    browser.write(frame, this.#onWritten);
    this.#turnBytes += length;
    if (browser.writableLength > 0) {
      this.#isWaiting = true;
      return false;
    }
    if (this.#turnBytes < TURN_BYTES) return true;
    setImmediate(this.#onTurn);
    return false;
  }

  readonly #onTurn = () => {
    this.#turnBytes = 0;
    this.#desktop?.resume();
  };

  readonly #onWritten = () => {
    this.#unwritten -= 1;
    if (!this.#isWaiting || this.#unwritten > 0) return;
    this.#isWaiting = false;
    this.#onTurn();
  };

  /** Pings, ends a connection whose browser is gone, and one whose session ended. */
  #watch(): () => void {
    const ping = setInterval(() => {
      // While the desktop is slow nothing is read from the browser, so it cannot be heard.
      if (this.#browser.isPaused() || this.#browser.writableEnded) return;
      this.#unanswered += 1;
      if (this.#unanswered > UNANSWERED_PINGS) this.#browser.destroy();
      // One that waits for a slow line already need not be followed by more.
      else if (this.#unanswered === 1 || this.#browser.writableLength === 0) this.#browser.write(PING_FRAME);
    }, this.#options.pingEveryMs);
    const check = setInterval(() => {
      if (!this.#options.isStillAllowed()) this.close(CLOSE_CODES.sessionEnded, 'Log in again.');
    }, SESSION_CHECK_MS);
    return () => {
      clearInterval(ping);
      clearInterval(check);
    };
  }
}
