import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Side } from '../../spaces/space.ts';
import { type Confirmation, Confirmations } from '../save/confirmations.ts';
import type { SaveOptions, SaveResult } from '../save/save.ts';
import { PartialSaveError, RequestError, UnsavedWorkError } from '../sync-errors.ts';
import { placeUpload } from '../volume/place-upload.ts';
import { readClosedMark, writeClosedMark } from './closed-mark.ts';
import { desktopGone } from './desktop-watch.ts';
import { keepLease } from './heartbeats.ts';
import { timed } from './metrics.ts';
import { Progress } from './progress.ts';
import { ProjectOpening } from './project-opening.ts';
import type { ProjectSession } from './project-session.ts';
import type { RunnerOptions } from './runner-options.ts';
import { type SavePhase, saveAll } from './save-all.ts';
import { tellSaved } from './save-report.ts';
import { Sessions } from './sessions.ts';
import { SourceCopy } from './source-copy.ts';
import { StatusBoard } from './status-board.ts';
import { TokenWatch } from './token-watch.ts';
import { checkUnsaved } from './unsaved.ts';
import { untilDone } from './until-done.ts';

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;
const TOKEN_WAIT_MS = 150_000;
const DESKTOP_WAIT_MS = 60_000;

/** The life of the container: copy, open the desktop, save on the interval, save at the end. */
export class Runner {
  readonly board: StatusBoard;
  readonly #options: RunnerOptions;
  readonly #stop = new AbortController();
  /** Ends copying: nobody is to see its outcome. Never aborts a save. */
  readonly #copying = new AbortController();
  /** Everything is over, also the final save. */
  readonly #over = new AbortController();
  /** Ends waits early: a save was asked for, something was confirmed, or the end has come. */
  #wake = new AbortController();
  readonly #confirmed = new Confirmations();
  readonly #sessions: Sessions;
  readonly #tokens: TokenWatch;
  readonly #source: SourceCopy;
  readonly #opening: ProjectOpening;
  #draining: Promise<void> | null = null;
  /** Autosaves in a row that failed. */
  #failures = 0;
  #isOpen = false;
  /** What the final save after SIGTERM had to leave out. */
  #leftOut: PartialSaveError | null = null;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.board = new StatusBoard(options.clock);
    for (const side of ['source', 'project'] as const) {
      this.board.progress[side] = new Progress(options.clock, () => this.board.changed());
    }
    this.#sessions = new Sessions(options, this.board, this.#copying.signal);
    const parts = { ...options, sessions: this.#sessions, board: this.board, confirmed: this.#confirmed };
    this.#source = new SourceCopy(parts);
    this.#opening = new ProjectOpening(parts);
    const closed = readClosedMark(options.paths);
    if (closed !== null) this.board.stayClosed(closed);
    this.#tokens = new TokenWatch({
      ...options,
      sources: options.spaces.tokens ?? {},
      board: this.board,
      onRenewed: () => this.#wakeUp(),
    });
  }

  get project(): ProjectSession | null {
    return this.#sessions.project;
  }

  /** Resolves when the final save after `stop` is complete, or there is none to make. */
  async run(): Promise<void> {
    const { paths, log } = this.#options;
    const { signal } = this.#stop;
    const background = Promise.all([
      keepLease({ ...this.#options, sessions: this.#sessions, board: this.board }, this.#over.signal),
      this.#tokens.run(this.#over.signal),
      this.#source.keepTrying(this.#over.signal),
    ]);
    try {
      if (this.board.phase !== 'drained') this.board.setPhase('copying');
      if (this.board.phase === 'drained') log.info('a drain was completed in this pod: it stays closed');
      else if (existsSync(paths.ready)) await this.#resume();
      else {
        await Promise.all([this.#openSource(), this.#restoreProject()]);
        if (!signal.aborted && !this.#isClosed) await this.#open();
      }
      void checkUnsaved(this.board, this.project, log);
      while (!signal.aborted) await this.#autosave();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    await this.#finish();
    await background;
  }

  /** SIGTERM: the desktop is gone or going. Done again, it changes nothing. */
  stop(): void {
    this.#stop.abort(new Error('sync is ending'));
    if (!this.#isOpen) this.#copying.abort(new Error('sync is ending'));
    this.#wakeUp();
  }

  /** One save as soon as the one under way has ended. @throws what stopped it */
  async saveNow(): Promise<SaveResult> {
    if (!this.#isOpen) throw new Error('there is nothing to save yet: the project is still being restored');
    if (this.board.phase === 'drained') throw new Error('everything is saved, and the instance is closed');
    return this.#saveOnce('saving');
  }

  async refreshSource(): Promise<void> {
    if (this.#sessions.source === null) throw new Error('the source volume is not there yet');
    await this.#source.stageIn();
  }

  /** @returns its path in the project. @throws RequestError where the project is not open, or cannot have such a name */
  placeUpload(upload: string, path: string): Promise<string> {
    const assertOpen = () => {
      if (!this.board.status().ready) throw new RequestError('the project is not open');
    };
    assertOpen();
    return placeUpload(this.#options.paths.projectVolume, upload, path, assertOpen);
  }

  confirm(given: Confirmation): void {
    this.#confirmed.add(given);
    this.#wakeUp();
  }

  /**
   * Closes the desktop, saves everything, and stays closed. Asked again, it answers with the same outcome.
   * @throws what stopped it; the desktop is open again then
   */
  drain(): Promise<void> {
    this.#draining ??= this.#drain().catch((error: unknown) => {
      this.#draining = null;
      throw error;
    });
    return this.#draining;
  }

  /** The container was restarted while Scipion runs: the files on the volume are the truth, nothing is copied there. */
  async #resume(): Promise<void> {
    this.#isOpen = true;
    this.board.setReady(true);
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
      await this.#tokens.assertUsable('source', this.#copying.signal);
      await this.#source.stageIn();
    });
  }

  async #restoreProject(): Promise<void> {
    await this.#untilDone('project', async () => {
      await this.#tokens.assertUsable('project', this.#copying.signal);
      // A desktop whose `ready` went in a run before this one may still be ending.
      await this.#desktopGone(this.#copying.signal);
      await this.#opening.restore();
    });
  }

  async #open(): Promise<void> {
    const { ready } = this.#options.paths;
    this.#sessions.project?.setOpen(true);
    this.#isOpen = true;
    await fs.mkdir(dirname(ready), { recursive: true });
    await fs.writeFile(ready, '', { mode: 0o644 });
    this.board.setReady(true);
    this.board.setPhase('running');
    this.#opening.tell();
  }

  /** A drain is done or under way: the desktop does not open. */
  get #isClosed(): boolean {
    return this.#draining !== null;
  }

  /** Waits for the next turn and takes it. */
  async #autosave(): Promise<void> {
    const { config, clock, log, metrics } = this.#options;
    const interval = config.autosaveIntervalSeconds * 1000;
    const wait =
      this.#failures === 0
        ? interval
        : Math.min(interval, FIRST_RETRY_MS * 2 ** this.#failures, LAST_RETRY_MS);
    const isResting = this.#isClosed || !this.#isOpen;
    this.board.setSave({ nextSaveAt: isResting ? null : new Date(clock.now() + wait).toISOString() });
    await this.#pause(wait, this.#stop.signal);
    if (this.#stop.signal.aborted || this.#isClosed || !this.#isOpen) return;
    try {
      const began = clock.monotonic();
      await this.#saveOnce('saving', { look: 'changed' });
      this.#failures = 0;
      metrics?.missed(Math.floor((clock.monotonic() - began) / interval));
    } catch (error) {
      this.#failures += 1;
      log.warn({ operation: 'save', error: (error as Error).message }, 'a save failed and is tried again');
    }
  }

  /** One save with all that is told about it. */
  async #saveOnce(phase: SavePhase, options: SaveOptions = {}): Promise<SaveResult> {
    const { clock, log, metrics } = this.#options;
    const [began, seen] = [clock.now(), this.board.changes];
    if (phase !== 'saving' || this.board.phase === 'running') this.board.setPhase(phase);
    try {
      const project = await this.#opening.session();
      const [last, confirmedDeletions] = [phase === 'draining', this.#confirmed.deletions];
      const request = { ...options, confirmedDeletions, last };
      const result = await timed(this.#options, 'save', () => project.save(request));
      this.#confirmed.saved(confirmedDeletions, result.heldBack);
      const { savedAt, isWatched } = project;
      const isSure = phase !== 'saving' || isWatched;
      tellSaved(this.board, result, { began, ended: clock.now(), savedAt, seen, isSure });
      if (this.board.changes !== seen) void checkUnsaved(this.board, project, log);
      metrics?.saved(result);
      if (result.saved) log.info({ operation: 'save', ...result }, 'saved');
      return result;
    } catch (error) {
      await this.#opening.rebuildAfter(error, true);
      const problem = this.board.raise(error, 'project');
      this.board.setSave({ lastError: problem.message });
      throw error;
    } finally {
      // A drain may have begun meanwhile.
      if (this.board.phase === 'saving') this.board.setPhase('running');
    }
  }

  async #drain(): Promise<void> {
    const { paths, log } = this.#options;
    const phase = this.board.phase;
    if (this.#leftOut !== null) throw this.#leftOut;
    if (phase === 'drained' || phase === 'stopped') return;
    if (!this.#isOpen) return this.#closeUnopened();
    this.board.setPhase('draining');
    this.board.setSave({ nextSaveAt: null });
    await fs.rm(paths.ready, { force: true });
    this.board.setReady(false);
    try {
      await this.#desktopGone(this.#stop.signal);
      await this.#saveAll('draining', 5);
      this.#confirmed.askUnsaved(null);
      await this.#closed();
      log.info({ operation: 'drain' }, 'everything is saved; the instance stays closed');
    } catch (cause) {
      const error = cause instanceof PartialSaveError ? cause.ofDrain() : cause;
      if (error instanceof PartialSaveError) this.#confirmed.askUnsaved(error.problems);
      log.error(
        { operation: 'drain', error: (error as Error).message },
        'the final save failed; the desktop opens again',
      );
      this.board.raise(error, 'project');
      this.#sessions.project?.setOpen(true);
      if (!this.#stop.signal.aborted) {
        await fs.writeFile(paths.ready, '', { mode: 0o644 });
        this.board.setReady(true);
        this.board.setPhase('running');
      }
      throw error;
    }
  }

  /** The desktop never opened in this run, so the volume holds what it held before. */
  async #closeUnopened(): Promise<void> {
    if (this.#sessions.project === null || this.#sessions.project.mayHoldUnsavedWork) {
      const [problem] = this.board.status().problems;
      throw new UnsavedWorkError(
        'the project volume may hold work of an earlier session that is not saved yet, because the start is not complete' +
          (problem === undefined ? '' : `: ${problem.message}`),
      );
    }
    this.#copying.abort(new Error('the instance is closed'));
    await this.#closed();
  }

  /** From here on nothing writes to the volume in this pod. */
  async #closed(): Promise<void> {
    const { project } = this.#sessions;
    project?.setOpen(false);
    // The last that can fail: with the mark there is no way back.
    await writeClosedMark(this.#options.paths, {
      generation: project?.generation ?? 0,
      savedAt: project?.savedAt ?? null,
    });
    this.board.setPhase('drained');
    await project?.releaseLease().catch((error: unknown) => {
      // It ends by itself when its time is over.
      this.#options.log.warn({ error: (error as Error).message }, 'the lease could not be given back');
    });
  }

  /** @throws DesktopStillRunningError */
  #desktopGone(signal?: AbortSignal): Promise<void> {
    const { paths, clock, desktopWaitMs = DESKTOP_WAIT_MS } = this.#options;
    return desktopGone(paths.vncSocket, desktopWaitMs, clock, signal);
  }

  #saveAll(phase: 'draining' | 'final-saving', attempts: number): Promise<void> {
    const { clock, tokenWaitMs = TOKEN_WAIT_MS } = this.#options;
    return saveAll(() => this.#saveOnce(phase), {
      clock,
      attempts,
      tokenWaitMs,
      mayLeave: (problems) => phase === 'draining' && this.#confirmed.mayLeave(problems),
      pause: (milliseconds, error) => {
        this.board.raise(error, 'project', clock.now() + milliseconds);
        return this.#pause(milliseconds, this.#over.signal);
      },
    });
  }

  /** After SIGTERM. Goes on until all that can be read is saved; only the end of the grace stops it. */
  async #finish(): Promise<void> {
    if (this.#draining !== null) await this.#draining.catch(() => undefined);
    if (this.#isOpen && this.board.phase !== 'drained') {
      await fs.rm(this.#options.paths.ready, { force: true });
      this.board.setReady(false);
      const stillRuns = await this.#desktopGone().catch(() => true);
      await this.#finalSave();
      if (stillRuns !== true && this.#leftOut === null) this.#sessions.project?.setOpen(false);
    }
    await this.#sessions.project?.releaseLease().catch(() => undefined);
    this.board.setPhase('stopped');
    this.#copying.abort(new Error('sync is ending'));
    this.#over.abort();
    this.#sessions.project?.close();
    this.#sessions.source?.close();
  }

  async #finalSave(): Promise<void> {
    try {
      await this.#saveAll('final-saving', Number.POSITIVE_INFINITY);
    } catch (error) {
      if (!(error instanceof PartialSaveError)) throw error;
      // More rounds would not read it. It stays on the volume, and the next start tells of it.
      this.#leftOut = error;
      this.board.raise(error, 'project');
      this.#options.log.error({ operation: 'save', error: error.message }, 'the final save is not complete');
    }
  }

  #untilDone(side: Side, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#copying;
    const pause = (milliseconds: number) => this.#pause(milliseconds, signal);
    return untilDone(side, work, { ...this.#options, board: this.board, signal, pause });
  }

  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#wake.signal]);
    await this.#options.clock.sleep(milliseconds, either).catch(() => undefined);
  }

  #wakeUp(): void {
    const old = this.#wake;
    this.#wake = new AbortController();
    old.abort();
  }
}
