import type { Logger } from 'pino';
import type { JobsAtEnd } from '../../../contract/jobs.ts';
import type { Confirmations } from '../save/confirmations.ts';
import { PartialSaveError, UnsavedWorkError } from '../sync-errors.ts';
import { writeClosedMark } from './closed-mark.ts';
import type { DesktopGate } from './desktop-gate.ts';
import type { JobsGate } from './jobs-gate.ts';
import type { Lifetime } from './lifetime.ts';
import type { ProjectSaver } from './project-saver.ts';
import type { StatusBoard } from './status-board.ts';
import type { SyncPaths } from './sync-paths.ts';
import type { VolumeSessions } from './volume-sessions.ts';

/** Failed rounds of saving in a row before the desktop opens again. */
const ATTEMPTS = 5;

export interface DrainOptions {
  readonly paths: SyncPaths;
  readonly sessions: VolumeSessions;
  readonly saver: ProjectSaver;
  readonly desktop: DesktopGate;
  readonly jobs: JobsGate;
  readonly confirmed: Confirmations;
  readonly board: StatusBoard;
  readonly lifetime: Lifetime;
  readonly log: Logger;
}

/** Closes the desktop, saves everything, and stays closed. */
export class Drain {
  readonly #options: DrainOptions;
  #outcome: Promise<void> | null = null;
  #isClosing = false;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** It is done or under way. */
  get isAsked(): boolean {
    return this.#outcome !== null;
  }

  /** The desktop does not open, and nothing but the drain saves. Not yet while jobs are waited for, which may take days. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Asked again, it answers with the same outcome. @throws what stopped it; the desktop is open again then */
  run(atEnd: JobsAtEnd): Promise<void> {
    this.#outcome ??= this.#run(atEnd).catch((error: unknown) => {
      this.#outcome = null;
      this.#isClosing = false;
      throw error;
    });
    return this.#outcome;
  }

  /** Resolves when none is under way, whatever came of it. */
  async settled(): Promise<void> {
    await this.#outcome?.catch(() => undefined);
  }

  async #run(atEnd: JobsAtEnd): Promise<void> {
    const { board, desktop, jobs, saver, confirmed, lifetime, log } = this.#options;
    const { phase } = board;
    if (saver.leftOut !== null) throw saver.leftOut;
    if (phase === 'drained' || phase === 'stopped') return;
    // Before the session ends, so that who has jobs keeps it.
    await jobs.close(atEnd);
    this.#isClosing = true;
    if (!desktop.wasOpened)
      return this.#closeUnopened().catch(async (error: unknown) => {
        await jobs.open();
        throw error;
      });
    board.setPhase('draining');
    board.setSave({ nextSaveAt: null });
    await desktop.close();
    try {
      await desktop.gone(lifetime.stopped);
      // Nobody can submit any more; what was submitted between the two looks is found by this one.
      await jobs.assertIdle();
      await saver.saveAll('draining', ATTEMPTS);
      confirmed.askUnsaved(null);
      await this.#stayClosed();
      log.info({ operation: 'drain' }, 'everything is saved; the instance stays closed');
    } catch (cause) {
      const error = cause instanceof PartialSaveError ? cause.ofDrain() : cause;
      await this.#reopen(error);
      throw error;
    }
  }

  async #reopen(error: unknown): Promise<void> {
    const { board, desktop, jobs, sessions, confirmed, lifetime, log } = this.#options;
    await jobs.open();
    if (error instanceof PartialSaveError) confirmed.askUnsaved(error.problems);
    log.error(
      { operation: 'drain', error: (error as Error).message },
      'the final save failed; the desktop opens again',
    );
    board.raise(error, 'project');
    sessions.project?.setOpen(true);
    if (lifetime.stopped.aborted) return;
    await desktop.open();
    board.setPhase('running');
  }

  /** The desktop never opened in this run, so the volume holds what it held before. */
  async #closeUnopened(): Promise<void> {
    const { board, sessions, lifetime } = this.#options;
    if (sessions.project === null || sessions.project.mayHoldUnsavedWork) {
      const [problem] = board.status().problems;
      throw new UnsavedWorkError(
        'the project volume may hold work of an earlier session that is not saved yet, because the start is not complete' +
          (problem === undefined ? '' : `: ${problem.message}`),
      );
    }
    lifetime.endCopying('the instance is closed');
    await this.#stayClosed();
  }

  /** From here on nothing writes to the volume in this pod. */
  async #stayClosed(): Promise<void> {
    const { paths, board, sessions, log } = this.#options;
    const { project } = sessions;
    project?.setOpen(false);
    // The last that can fail: with the mark there is no way back.
    await writeClosedMark(paths, {
      generation: project?.generation ?? 0,
      savedAt: project?.savedAt ?? null,
    });
    board.setPhase('drained');
    await project?.releaseLease().catch((error: unknown) => {
      // It ends by itself when its time is over.
      log.warn({ error: (error as Error).message }, 'the lease could not be given back');
    });
  }
}
