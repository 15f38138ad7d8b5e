import type { Clock } from '../../clock.ts';

/** What of the process ends when, and the waits that end early. */
export class Lifetime {
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #copying = new AbortController();
  readonly #over = new AbortController();
  #wake = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** SIGTERM came. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** No one is to see the outcome of copying any more. Never aborts a save. */
  get copyingEnded(): AbortSignal {
    return this.#copying.signal;
  }

  /** Everything is over, also the final save. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  stop(): void {
    this.#stop.abort(new Error('sync is ending'));
  }

  endCopying(reason: string): void {
    this.#copying.abort(new Error(reason));
  }

  end(): void {
    this.endCopying('sync is ending');
    this.#over.abort();
  }

  /** Ends early with the signal, and where something happened that a wait may have been for. */
  async pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#wake.signal]);
    await this.#clock.sleep(milliseconds, either).catch(() => undefined);
  }

  /** A save was asked for, something was confirmed, or the end has come. */
  wakeUp(): void {
    const old = this.#wake;
    this.#wake = new AbortController();
    old.abort();
  }
}
