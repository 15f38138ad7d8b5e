import { EMPTY_TRANSFER, type Transfer } from '../../contract/status.ts';
import type { Clock } from '../clock.ts';

/** Counts one copy as it goes. Reporting only: nothing is decided by it. */
export class Progress {
  #transfer: Transfer = EMPTY_TRANSFER;
  readonly #clock: Clock;
  readonly #changed: () => void;
  /** Bytes and time of the last rate, which is a moving average. */
  #mark = { at: 0, bytes: 0 };
  /** Bytes in all since this process began, for metrics. */
  totalBytes = 0;

  constructor(clock: Clock, changed: () => void = () => undefined) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get transfer(): Transfer {
    return this.#transfer;
  }

  list(): void {
    this.#set({ ...EMPTY_TRANSFER, state: 'listing' });
  }

  begin(files: number, bytes: number): void {
    this.#mark = { at: this.#clock.monotonic(), bytes: 0 };
    this.#set({ ...EMPTY_TRANSFER, state: 'copying', filesTotal: files, bytesTotal: bytes });
  }

  bytes(count: number): void {
    this.totalBytes += count;
    const bytesDone = this.#transfer.bytesDone + count;
    const now = this.#clock.monotonic();
    let { bytesPerSecond, secondsLeft } = this.#transfer;
    const elapsed = (now - this.#mark.at) / 1000;
    if (elapsed >= 1) {
      const rate = Math.max(0, bytesDone - this.#mark.bytes) / elapsed;
      bytesPerSecond = bytesPerSecond === null ? rate : bytesPerSecond * 0.7 + rate * 0.3;
      this.#mark = { at: now, bytes: bytesDone };
      const left = Math.max(0, (this.#transfer.bytesTotal ?? 0) - bytesDone);
      secondsLeft = bytesPerSecond > 0 ? left / bytesPerSecond : null;
    }
    this.#set({ ...this.#transfer, bytesDone, bytesPerSecond, secondsLeft });
  }

  file(): void {
    this.#set({ ...this.#transfer, filesDone: this.#transfer.filesDone + 1 });
  }

  /** After an attempt at more that has come to nothing. */
  backTo(transfer: Transfer): void {
    this.#set(transfer);
  }

  wait(): void {
    if (this.#transfer.state !== 'done')
      this.#set({ ...this.#transfer, state: 'waiting', bytesPerSecond: null, secondsLeft: null });
  }

  done(): void {
    const { filesDone, bytesDone } = this.#transfer;
    this.#set({
      state: 'done',
      filesDone,
      filesTotal: this.#transfer.filesTotal ?? filesDone,
      bytesDone,
      bytesTotal: this.#transfer.bytesTotal ?? bytesDone,
      bytesPerSecond: null,
      secondsLeft: 0,
    });
  }

  #set(transfer: Transfer): void {
    this.#transfer = transfer;
    this.#changed();
  }
}
