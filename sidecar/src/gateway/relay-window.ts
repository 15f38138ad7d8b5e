import type { OnReadOpts, Socket } from 'node:net';
import { takeOver } from './take-over.ts';
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
  /** Whether other windows are open. */
  readonly isShared: () => boolean;
  /** Of a window that only looks. */
  readonly filter: ViewOnlyFilter | undefined;
}

/** Proxies on the way cut a connection that is silent for 60 s; noVNC cannot send pings of its own. */
export const PING_EVERY_MS = 25_000;
/** A picture on its way over a slow line delays the answer; only after so many is the browser gone. */
const UNANSWERED_PINGS = 3;
const SESSION_CHECK_MS = 2000;
/** What is read at once of either side; of the desktop also all that is kept for a slow browser. */
const READ_BYTES = 128 * 1024;
/** After so much of one window the process looks at everything else that waits. */
const TURN_BYTES = 256 * 1024;
/** The same where other windows are open: each key there waits for a turn of this one, and its answer for another. */
const SHARED_TURN_BYTES = 64 * 1024;
/** Reads of the browser that wait for a slow desktop: enough to fill its socket again whenever that has room. */
const MAX_WAITING_READS = 4;
const NOTHING = Buffer.alloc(0);
/** For the browser to take the goodbye. */
const CLOSE_MS = 1000;

/**
 * One browser window on the desktop. What the desktop sends is read behind room for a frame's header and written from
 * there, without a copy; the memory is read into again when the kernel has taken all of it. What the browser sends is
 * unmasked where it was read and written from there.
 */
export class RelayWindow {
  /** How the desktop's socket has to be read. */
  readonly reading: OnReadOpts;
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_HEADER_BYTES + READ_BYTES);
  readonly #options: WindowOptions;
  readonly #reader: FrameReader;
  #browser: Socket | undefined;
  #desktop: Socket | undefined;
  #isWaiting = false;
  /** Writes of desktop bytes whose end has not been told yet. */
  #unwritten = 0;
  #turnBytes = 0;
  #unanswered = 0;
  /** Memory for the browser's bytes that is not in use. */
  readonly #free: Buffer[] = [];
  #waitingReads = 0;
  #isBrowserPaused = false;
  #browserTurnBytes = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
    const whole = this.#buffer.subarray(MAX_HEADER_BYTES);
    const shared = whole.subarray(0, SHARED_TURN_BYTES);
    this.reading = {
      buffer: () => (options.isShared() ? shared : whole),
      callback: (length) => this.#toBrowser(length),
    };
    this.#reader = new FrameReader({
      onData: (payload) => this.#toDesktop(payload),
      onPing: (payload) => this.#browser?.write(pongFrame(payload)),
      onClose: () => this.close(1000),
      onError: () => this.close(CLOSE_CODES.protocolError),
    });
  }

  /**
   * Relays until either side ends.
   * @param accepted the browser's connection, which is taken from it
   * @param answer to the upgrade
   * @param head what the browser has sent already
   */
  open(accepted: Socket, desktop: Socket, answer: string, head: Buffer): void {
    const { socket: browser, early } = takeOver(accepted, {
      buffer: () => this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length, buffer) => this.#fromBrowser(buffer as Buffer, length),
    });
    this.#browser = browser;
    this.#desktop = desktop;
    browser.write(answer);
    desktop.on('end', () => this.#end());
    desktop.on('close', () => this.#end());
    const stopWatching = this.#watch(browser);
    browser.on('end', () => this.#end());
    browser.on('close', () => {
      stopWatching();
      desktop.destroy();
    });
    const first = Buffer.concat([head, early]);
    if (first.length > 0) this.#reader.push(first);
    browser.resume();
  }

  /** Passes on what has just been read into the buffer; false: nothing more for now. */
  #fromBrowser(buffer: Buffer, length: number): boolean {
    this.#unanswered = 0;
    this.#reader.push(buffer.subarray(0, length));
    const desktop = this.#desktop as Socket;
    if (desktop.writableLength === 0 || desktop.destroyed) {
      this.#free.push(buffer);
    } else {
      this.#waitingReads += 1;
      // Told when everything before it has been written.
      desktop.write(NOTHING, () => this.#release(buffer));
    }
    this.#browserTurnBytes += length;
    if (this.#waitingReads >= MAX_WAITING_READS) {
      this.#isBrowserPaused = true;
      return false;
    }
    if (this.#browserTurnBytes < this.#turn()) return true;
    setImmediate(this.#onBrowserTurn);
    return false;
  }

  #release(buffer: Buffer): void {
    this.#free.push(buffer);
    this.#waitingReads -= 1;
    if (!this.#isBrowserPaused) return;
    this.#isBrowserPaused = false;
    this.#onBrowserTurn();
  }

  #turn(): number {
    return this.#options.isShared() ? SHARED_TURN_BYTES : TURN_BYTES;
  }

  readonly #onBrowserTurn = () => {
    this.#browserTurnBytes = 0;
    if (!this.#isBrowserPaused) this.#browser?.resume();
  };

  /** Says goodbye with a code of WebSockets, and ends. */
  close(code: number, reason = ''): void {
    if (this.#browser?.writableEnded) return;
    this.#browser?.write(closeFrame(code, reason));
    this.#end();
  }

  #end(): void {
    this.#desktop?.destroy();
    const browser = this.#browser;
    if (browser === undefined || browser.writableEnded) return;
    browser.end();
    const timer = setTimeout(() => browser.destroy(), CLOSE_MS);
    browser.once('close', () => clearTimeout(timer));
  }

  #toDesktop(payload: Buffer): void {
    const { filter } = this.#options;
    const passed = filter ? this.#filtered(() => filter.toDesktop(payload)) : payload;
    if (passed.length > 0) this.#desktop?.write(passed);
  }

  /** Closes the window when what came is nothing for somebody who only looks. */
  #filtered(filter: () => Buffer): Buffer {
    try {
      return filter();
    } catch (error) {
      if (!(error instanceof ViewOnlyError)) throw error;
      this.close(CLOSE_CODES.protocolError);
      return NOTHING;
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
    if (browser === undefined || browser.writableEnded || browser.destroyed) return false;
    const frame = this.#frame(length);
    if (frame.length === 0) return !browser.writableEnded;
    this.#unwritten += 1;
    browser.write(frame, this.#onWritten);
    this.#turnBytes += length;
    if (browser.writableLength > 0) {
      this.#isWaiting = true;
      return false;
    }
    if (this.#turnBytes < this.#turn()) return true;
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
  #watch(browser: Socket): () => void {
    const ping = setInterval(() => {
      // While the desktop is slow nothing is read from the browser, so it cannot be heard.
      if (this.#isBrowserPaused || browser.writableEnded) return;
      this.#unanswered += 1;
      if (this.#unanswered > UNANSWERED_PINGS) browser.destroy();
      // One that waits for a slow line already need not be followed by more.
      else if (this.#unanswered === 1 || browser.writableLength === 0) browser.write(PING_FRAME);
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
