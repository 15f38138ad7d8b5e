import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { Confirmations } from '../save/confirmations.ts';
import type { SaveOptions, SaveResult } from '../save/save.ts';
import { PartialSaveError } from '../sync-errors.ts';
import type { Lifetime } from './lifetime.ts';
import { type MetricsSink, timed } from './metrics.ts';
import type { ProjectOpening } from './project-opening.ts';
import { type SavePhase, saveAll } from './save-all.ts';
import { tellSaved } from './save-report.ts';
import type { StatusBoard } from './status-board.ts';
import { checkUnsaved } from './unsaved.ts';

const TOKEN_WAIT_MS = 150_000;

export interface ProjectSaverOptions {
  readonly opening: ProjectOpening;
  readonly board: StatusBoard;
  readonly confirmed: Confirmations;
  readonly lifetime: Lifetime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
  readonly tokenWaitMs?: number;
}

/** Saves the project, with all that is told about it. */
export class ProjectSaver {
  readonly #options: ProjectSaverOptions;
  #leftOut: PartialSaveError | null = null;

  constructor(options: ProjectSaverOptions) {
    this.#options = options;
  }

  /** What the final save after SIGTERM had to leave out. */
  get leftOut(): PartialSaveError | null {
    return this.#leftOut;
  }

  /** One save. @throws what stopped it */
  async save(phase: SavePhase, options: SaveOptions = {}): Promise<SaveResult> {
    const { clock, log, metrics, board, opening, confirmed } = this.#options;
    const [began, seen] = [clock.now(), board.changes];
    if (phase !== 'saving' || board.phase === 'running') board.setPhase(phase);
    try {
      const project = await opening.session();
      const [last, confirmedDeletions] = [phase === 'draining', confirmed.deletions];
      const request = { ...options, confirmedDeletions, last };
      const result = await timed(this.#options, 'save', () => project.save(request));
      confirmed.saved(confirmedDeletions, result.heldBack);
      const { savedAt, isWatched } = project;
      const isSure = phase !== 'saving' || isWatched;
      tellSaved(board, result, { began, ended: clock.now(), savedAt, seen, isSure });
      if (project.missing !== null) board.setFileProblems('project', 'restore', project.missing);
      if (board.changes !== seen) void checkUnsaved(board, project, log);
      metrics?.saved(result);
      if (result.saved) log.info({ operation: 'save', ...result }, 'saved');
      return result;
    } catch (error) {
      await opening.rebuildAfter(error, true);
      const problem = board.raise(error, 'project');
      board.setSave({ lastError: problem.message });
      throw error;
    } finally {
      // A drain may have begun meanwhile.
      if (board.phase === 'saving') board.setPhase('running');
    }
  }

  /** @throws what stopped it after so many failed rounds in a row; PartialSaveError where all is saved but what cannot be read */
  saveAll(phase: 'draining' | 'final-saving', attempts: number): Promise<void> {
    const { clock, board, confirmed, lifetime, tokenWaitMs = TOKEN_WAIT_MS } = this.#options;
    // One round after the other need not read all of the manifest.
    const readSegments = new Set<string>();
    return saveAll(() => this.save(phase, { readSegments }), {
      clock,
      attempts,
      tokenWaitMs,
      mayLeave: (problems) => phase === 'draining' && confirmed.mayLeave(problems),
      pause: (milliseconds, error) => {
        board.raise(error, 'project', clock.now() + milliseconds);
        return lifetime.pause(milliseconds, lifetime.over);
      },
    });
  }

  /** After SIGTERM. Continues until all that can be read is saved; only the end of the grace stops it. */
  async finalSave(): Promise<void> {
    const { board, log } = this.#options;
    try {
      await this.saveAll('final-saving', Number.POSITIVE_INFINITY);
    } catch (error) {
      if (!(error instanceof PartialSaveError)) throw error;
      // More rounds would not read it. It stays on the volume, and the next start tells of it.
      this.#leftOut = error;
      board.raise(error, 'project');
      log.error({ operation: 'save', error: error.message }, 'the final save is not complete');
    }
  }
}
