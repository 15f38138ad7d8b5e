import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import type { DeletionLimits } from '../plan/guards.ts';
import type { Selection } from '../plan/selection.ts';
import type { Progress } from '../progress.ts';
import { type StageInContext, type StageInResult, stageIn } from '../restore/stage-in.ts';
import { assertMounted, type OpenVolume, openVolume } from '../volume/volume.ts';

export interface SourceSessionOptions {
  readonly root: string;
  readonly space: ReadOnlySpace;
  readonly clock: Clock;
  readonly log: Logger;
  readonly progress: Progress;
  readonly limits: DeletionLimits;
  readonly selection?: Selection;
  readonly signal: AbortSignal;
}

/** One run of the engine on the source volume. */
export class SourceSession {
  readonly #volume: OpenVolume;
  readonly #context: StageInContext;
  #running: Promise<StageInResult> | null = null;

  private constructor(options: SourceSessionOptions, volume: OpenVolume) {
    this.#volume = volume;
    const { space, clock, log, progress, limits, signal, selection } = options;
    this.#context = {
      ...volume,
      space,
      clock,
      log,
      progress,
      limits,
      signal,
      ...(selection && { selection }),
    };
  }

  /** @throws VolumeNotMountedError */
  static async open(options: SourceSessionOptions): Promise<SourceSession> {
    return new SourceSession(
      options,
      await openVolume(options.root, 'source', options.space, options.clock.now()),
    );
  }

  /** One at a time: a second caller gets the outcome of the one under way. */
  stageIn(): Promise<StageInResult> {
    this.#running ??= this.#stageIn().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #stageIn(): Promise<StageInResult> {
    const { space, progress } = this.#context;
    const before = progress.transfer;
    // Also while the space does not answer, nobody is told that all is there.
    progress.list();
    try {
      await assertMounted(this.#volume.root, 'source');
      await space.check();
      return await stageIn(this.#context);
    } catch (error) {
      if (before.state === 'done') progress.backTo(before);
      throw error;
    }
  }

  close(): void {
    this.#context.state.close();
  }
}
