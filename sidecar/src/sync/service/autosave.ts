import type { Logger } from 'pino';
import { type BackOff, backOffMs } from '../../back-off.ts';
import type { Clock } from '../../clock.ts';
import type { DesktopGate } from './desktop-gate.ts';
import type { Drain } from './drain.ts';
import type { Lifetime } from './lifetime.ts';
import type { LiveSettings } from './live-settings.ts';
import type { MetricsSink } from './metrics.ts';
import type { ProjectSaver } from './project-saver.ts';
import type { StatusBoard } from './status-board.ts';

const AFTER_FAILURES: BackOff = { firstMs: 4_000, maxMs: 60_000 };

export interface AutosaveOptions {
  readonly settings: LiveSettings;
  readonly saver: ProjectSaver;
  readonly desktop: DesktopGate;
  readonly drain: Drain;
  readonly board: StatusBoard;
  readonly lifetime: Lifetime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
}

/** Saves on the interval while the desktop is open; sooner where the save before failed. */
export class Autosave {
  readonly #options: AutosaveOptions;
  /** In a row. */
  #failures = 0;
  /** The last save has left a large file half-way. */
  #isSending = false;

  constructor(options: AutosaveOptions) {
    this.#options = options;
  }

  /** Ends with SIGTERM. */
  async run(): Promise<void> {
    const { stopped } = this.#options.lifetime;
    while (!stopped.aborted) {
      await this.#nextTurn();
      if (!stopped.aborted && !this.#isResting) await this.#save();
    }
  }

  get #isResting(): boolean {
    const { desktop, drain } = this.#options;
    return drain.isClosing || !desktop.wasOpened;
  }

  get #intervalMs(): number {
    return this.#options.settings.now.autosaveIntervalSeconds * 1000;
  }

  get #waitMs(): number {
    if (this.#failures === 0) return this.#isSending ? 0 : this.#intervalMs;
    return Math.min(this.#intervalMs, backOffMs(this.#failures, AFTER_FAILURES));
  }

  /** An interval that changes meanwhile counts from when the wait began. */
  async #nextTurn(): Promise<void> {
    const { settings, board, clock, lifetime } = this.#options;
    const began = clock.monotonic();
    for (let isDue = false; !isDue; ) {
      const { changed } = settings;
      const left = Math.max(0, this.#waitMs - (clock.monotonic() - began));
      board.setSave({ nextSaveAt: this.#isResting ? null : new Date(clock.now() + left).toISOString() });
      await lifetime.pause(left, AbortSignal.any([lifetime.stopped, changed]));
      isDue = !changed.aborted || lifetime.stopped.aborted;
    }
  }

  async #save(): Promise<void> {
    const { saver, clock, log, metrics } = this.#options;
    try {
      const began = clock.monotonic();
      const { sending } = await saver.save('saving', { scope: 'changed' });
      this.#failures = 0;
      this.#isSending = sending > 0;
      metrics?.missed(Math.floor((clock.monotonic() - began) / this.#intervalMs));
    } catch (error) {
      this.#failures += 1;
      log.warn({ operation: 'save', error: (error as Error).message }, 'a save failed and is tried again');
    }
  }
}
