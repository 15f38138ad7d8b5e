import { join } from 'node:path';
import type { Logger } from 'pino';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import type { FileProblems } from '../../../contract/status.ts';
import type { Clock } from '../../clock.ts';
import type { Confirmations } from '../save/confirmations.ts';
import { MissingFilesError } from '../sync-errors.ts';
import { isStateFault } from '../volume/state-fault.ts';
import { WholeMark } from '../volume/whole-mark.ts';
import { type MetricsSink, timed } from './metrics.ts';
import type { ProjectSession } from './project-session.ts';
import type { StatusBoard } from './status-board.ts';
import type { SyncPaths } from './sync-paths.ts';
import type { VolumeSessions } from './volume-sessions.ts';

export interface ProjectOpeningOptions {
  readonly sessions: VolumeSessions;
  readonly board: StatusBoard;
  readonly confirmed: Confirmations;
  readonly paths: SyncPaths;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
}

const MAX_REBUILT = 2;
const NO_PROBLEMS: FileProblems = { total: 0, items: [] };

/** Brings the project to the point where its desktop can open, and its session to the point where it can be saved. */
export class ProjectOpening {
  readonly #options: ProjectOpeningOptions;
  readonly #whole: WholeMark;
  /** Why the desktop opens although nothing can be saved yet. */
  #full: unknown = null;
  /** The session is a new one under an open desktop. */
  #isUnresumed = false;
  #rebuilt = 0;

  constructor(options: ProjectOpeningOptions) {
    this.#options = options;
    this.#whole = new WholeMark(join(options.paths.projectVolume, VOLUME_FOLDERS.state));
  }

  /** Opened, with the lease, and ready to be saved. @throws LeaseHeldError, VolumeNotMountedError */
  async session(): Promise<ProjectSession> {
    const { sessions, confirmed } = this.#options;
    const project = await sessions.openProject(confirmed.takeOver);
    confirmed.takeOver = false;
    if (this.#isUnresumed) {
      await project.resume();
      this.#isUnresumed = false;
      this.#full = null;
    }
    return project;
  }

  /** As `session`, where Scipion runs already. */
  async resumed(): Promise<ProjectSession> {
    try {
      const project = await this.session();
      await project.resume();
      return project;
    } catch (error) {
      await this.rebuildAfter(error, true);
      throw error;
    }
  }

  /**
   * Restore. On a volume that is full and has the whole project the desktop opens without it: only its user can free
   * room. @throws MissingFilesError, UnsavedWorkError, LeaseHeldError, VolumeNotMountedError, SpaceError
   */
  async restore(): Promise<void> {
    try {
      await this.#restore();
    } catch (error) {
      await this.rebuildAfter(error);
      if (!this.#whole.isWhole || !this.#whole.isFull(error)) throw error;
      this.#isUnresumed = true;
      this.#whole.opened();
      // SQLite itself may say no more than that its disk fails.
      this.#full = Object.assign(new Error('the project volume is full', { cause: error }), {
        code: 'ENOSPC',
      });
      this.#options.log.error(
        { error: (error as Error).message },
        'the project volume is full: the desktop opens so that room can be made; nothing can be saved until then',
      );
    }
  }

  /**
   * A state that cannot be applied is put aside with its evidence, and the next attempt rebuilds it from volume and space.
   * Not more often than twice: what comes again then is not the state's fault.
   * @param isOpen the desktop is open: nothing on the volume may be changed
   */
  async rebuildAfter(error: unknown, isOpen = false): Promise<void> {
    if (!isStateFault(error) || this.#rebuilt >= MAX_REBUILT) return;
    this.#rebuilt += 1;
    this.#options.log.error(
      { error: (error as Error).message },
      'the state of the project volume cannot be applied; it is put aside and rebuilt',
    );
    await this.#options.sessions.rebuildProject();
    this.#isUnresumed = isOpen;
  }

  /** After the desktop has opened: what it has to live with. */
  tell(): void {
    if (this.#full !== null) this.#options.board.raise(this.#full, 'project');
  }

  async #restore(): Promise<void> {
    const { board, confirmed, log } = this.#options;
    const project = await this.session();
    const agreed = {
      confirmedMerge: confirmed.merge,
      confirmedDeletions: confirmed.deletions,
      mayOpenWithout: (missing: FileProblems) => confirmed.mayOpenWithout(missing),
    };
    const result = await timed(this.#options, 'restore', () => project.start(agreed)).catch(
      (error: unknown) => {
        this.#missing(error instanceof MissingFilesError ? error.problems : NO_PROBLEMS, true);
        throw error;
      },
    );
    this.#missing(result.missing, false);
    board.setFileProblems('project', 'save', result.notSaved);
    board.addNotices(result.notices);
    const { lost } = result;
    if (lost !== null) board.advise({ code: 'files-removed', space: 'project', message: lost });
    this.#full = result.full ?? null;
    const { generation, restored, removed, savedFirst } = result;
    log.info(
      { operation: 'restore', generation, restored, removed, savedFirst },
      'the project is on its volume',
    );
    board.setSave({ generation, lastSavedAt: project.savedAt, lastError: result.warnings[0] ?? null });
  }

  /** @param isAsked the desktop waits until a person agrees to open it without these files */
  #missing(problems: FileProblems, isAsked: boolean): void {
    this.#options.confirmed.askMissing(isAsked ? problems : null);
    this.#options.board.setFileProblems('project', 'restore', problems);
  }
}
