import { existsSync } from 'node:fs';
import { type JobsAtEnd, REFUSE_JOBS } from '../../../contract/jobs.ts';
import type { Side } from '../../spaces/space.ts';
import { Progress } from '../progress.ts';
import { type Confirmation, Confirmations } from '../save/confirmations.ts';
import type { SaveResult } from '../save/save.ts';
import { RequestError } from '../sync-errors.ts';
import { type Placement, placeUpload } from '../volume/place-upload.ts';
import { Autosave } from './autosave.ts';
import { readClosedMark } from './closed-mark.ts';
import { DesktopGate } from './desktop-gate.ts';
import { Drain } from './drain.ts';
import { keepLease } from './heartbeats.ts';
import { JobsGate } from './jobs-gate.ts';
import { Lifetime } from './lifetime.ts';
import { ProjectOpening } from './project-opening.ts';
import { ProjectSaver } from './project-saver.ts';
import type { ProjectSession } from './project-session.ts';
import type { RunnerOptions } from './runner-options.ts';
import { SourceCopy } from './source-copy.ts';
import { StatusBoard } from './status-board.ts';
import { TokenWatch } from './token-watch.ts';
import { checkUnsaved } from './unsaved.ts';
import { untilDone } from './until-done.ts';
import { VolumeSessions } from './volume-sessions.ts';

/** The life of the container: copy, open the desktop, save on the interval, save at the end. */
export class Runner {
  readonly board: StatusBoard;
  readonly #options: RunnerOptions;
  readonly #lifetime: Lifetime;
  readonly #confirmed = new Confirmations();
  readonly #sessions: VolumeSessions;
  readonly #tokens: TokenWatch;
  readonly #source: SourceCopy;
  readonly #opening: ProjectOpening;
  readonly #desktop: DesktopGate;
  readonly #saver: ProjectSaver;
  readonly #jobs: JobsGate;
  readonly #drain: Drain;
  readonly #autosave: Autosave;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.board = new StatusBoard(options.clock);
    for (const side of ['source', 'project'] as const) {
      this.board.progress[side] = new Progress(options.clock, () => this.board.changed());
    }
    const lifetime = new Lifetime(options.clock);
    this.#lifetime = lifetime;
    this.#sessions = new VolumeSessions(options, this.board, lifetime.copyingEnded);
    const confirmed = this.#confirmed;
    const shared = { ...options, sessions: this.#sessions, board: this.board, confirmed, lifetime };
    this.#source = new SourceCopy(shared);
    this.#opening = new ProjectOpening(shared);
    this.#desktop = new DesktopGate(shared);
    this.#saver = new ProjectSaver({ ...shared, opening: this.#opening });
    const socket = options.config.hasJobs === true ? options.paths.jobsSocket : null;
    this.#jobs = new JobsGate({ ...shared, socket });
    this.#drain = new Drain({
      ...shared,
      saver: this.#saver,
      desktop: this.#desktop,
      jobs: this.#jobs,
    });
    this.#autosave = new Autosave({
      ...shared,
      saver: this.#saver,
      desktop: this.#desktop,
      drain: this.#drain,
    });
    const closed = readClosedMark(options.paths);
    if (closed !== null) this.board.stayClosed(closed);
    this.#tokens = new TokenWatch({
      ...shared,
      sources: options.spaces.tokens ?? {},
      onRenewed: () => lifetime.wakeUp(),
    });
  }

  get project(): ProjectSession | null {
    return this.#sessions.project;
  }

  /** Resolves when the final save after `stop` is complete, or there is none to make. */
  async run(): Promise<void> {
    const { paths, log } = this.#options;
    const { stopped, over } = this.#lifetime;
    const background = Promise.all([
      keepLease({ ...this.#options, sessions: this.#sessions, board: this.board }, over),
      this.#tokens.run(over),
      this.#source.keepTrying(over),
    ]);
    try {
      if (this.board.phase !== 'drained') this.board.setPhase('copying');
      if (this.board.phase === 'drained') log.info('a drain was completed in this pod: it stays closed');
      else if (existsSync(paths.ready)) await this.#resume();
      else {
        await Promise.all([this.#openSource(), this.#restoreProject()]);
        if (!stopped.aborted && !this.#drain.isClosing) await this.#open();
      }
      void checkUnsaved(this.board, this.project, log);
      await this.#autosave.run();
    } catch (error) {
      if (!stopped.aborted) throw error;
    }
    await this.#finish();
    await background;
  }

  /** SIGTERM: the desktop is gone or going. Done again, it changes nothing. */
  stop(): void {
    this.#lifetime.stop();
    if (!this.#desktop.wasOpened) this.#lifetime.endCopying('sync is ending');
    this.#lifetime.wakeUp();
  }

  /** One save as soon as the one under way has ended. @throws what stopped it */
  async saveNow(): Promise<SaveResult> {
    if (!this.#desktop.wasOpened)
      throw new Error('there is nothing to save yet: the project is still being restored');
    if (this.board.phase === 'drained') throw new Error('everything is saved, and the instance is closed');
    for (;;) {
      const result = await this.#saver.save('saving');
      // The drain sends the rest, or the save after the next start.
      if (result.sending === 0 || this.#drain.isClosing || this.#lifetime.stopped.aborted) return result;
    }
  }

  async refreshSource(): Promise<void> {
    if (this.#sessions.source === null) throw new Error('the source volume is not there yet');
    await this.#source.stageIn();
  }

  /** @returns its path in the project. @throws RequestError where the project is not open, or cannot have such a name */
  placeUpload(placement: Placement): Promise<string> {
    const assertOpen = () => {
      if (!this.board.status().ready) throw new RequestError('the project is not open');
    };
    assertOpen();
    return placeUpload(this.#options.paths.projectVolume, placement, assertOpen);
  }

  confirm(given: Confirmation): void {
    this.#confirmed.add(given);
    this.#lifetime.wakeUp();
  }

  /**
   * Closes the desktop, saves everything, and stays closed. Asked again, it answers with the same outcome.
   * @throws what stopped it; the desktop is open again then
   */
  drain(jobs: JobsAtEnd = REFUSE_JOBS): Promise<void> {
    return this.#drain.run(jobs);
  }

  /** Before a pause: no job writes any more when the last save begins. @throws JobsRunningError */
  async closeJobs(jobs: JobsAtEnd): Promise<void> {
    if (!this.#drain.isAsked) await this.#jobs.closeForPause(jobs);
  }

  /** The container was restarted while Scipion runs: the files on the volume are the truth, nothing is copied there. */
  async #resume(): Promise<void> {
    this.#desktop.foundOpen();
    for (const progress of Object.values(this.board.progress)) progress.done();
    await this.#untilDone('source', async () => {
      await this.#sessions.openSource();
    });
    await this.#untilDone('project', async () => {
      const project = await this.#opening.resumed();
      this.board.setSave({ generation: project.generation, lastSavedAt: project.savedAt });
    });
    if (this.board.phase === 'copying') this.board.setPhase('running');
  }

  async #openSource(): Promise<void> {
    await this.#untilDone('source', async () => {
      await this.#tokens.assertUsable('source', this.#lifetime.copyingEnded);
      await this.#source.stageIn();
    });
  }

  async #restoreProject(): Promise<void> {
    await this.#untilDone('project', async () => {
      await this.#tokens.assertUsable('project', this.#lifetime.copyingEnded);
      // A desktop whose `ready` went in a run before this one may still be ending.
      await this.#desktop.gone(this.#lifetime.copyingEnded);
      await this.#opening.restore();
    });
  }

  async #open(): Promise<void> {
    this.#sessions.project?.setOpen(true);
    await this.#desktop.open();
    this.board.setPhase('running');
    this.#opening.tell();
  }

  /** After SIGTERM. */
  async #finish(): Promise<void> {
    await this.#drain.settled();
    if (this.#desktop.wasOpened && this.board.phase !== 'drained') {
      const { log, config } = this.#options;
      log.info(
        { graceSeconds: config.graceSeconds },
        'the final save begins; what is not saved when the grace is over stays on the volume',
      );
      await this.#desktop.close();
      const isGone = await this.#desktop.gone().then(
        () => true,
        () => false,
      );
      await this.#saver.finalSave();
      if (isGone && this.#saver.leftOut === null) this.#sessions.project?.setOpen(false);
    }
    await this.#sessions.project?.releaseLease().catch(() => undefined);
    this.board.setPhase('stopped');
    this.#lifetime.end();
    this.#sessions.project?.close();
    this.#sessions.source?.close();
  }

  #untilDone(side: Side, work: () => Promise<void>): Promise<void> {
    const signal = this.#lifetime.copyingEnded;
    const pause = (milliseconds: number) => this.#lifetime.pause(milliseconds, signal);
    return untilDone(side, work, { ...this.#options, board: this.board, signal, pause });
  }
}
