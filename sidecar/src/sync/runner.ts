import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { SyncConfig } from '../../contract/config.ts';
import type { Clock } from './clock.ts';
import { desktopGone } from './desktop-watch.ts';
import type { DeletionLimits } from './guards.ts';
import { keepLease } from './heartbeats.ts';
import { LeaseHeldError, type LeaseTimes } from './lease.ts';
import { type MetricsSink, timed } from './metrics.ts';
import type { SpaceFactory } from './open-space.ts';
import { awaitsToken, heldBackProblem, isFinal, type Side } from './problems.ts';
import { Progress } from './progress.ts';
import type { ProjectSession } from './project-session.ts';
import type { SaveResult } from './save.ts';
import { Sessions } from './sessions.ts';
import { StatusBoard } from './status-board.ts';
import { UnsavedWorkError } from './sync-errors.ts';
import type { SyncPaths } from './sync-paths.ts';
import { TokenWatch } from './token-watch.ts';

export interface RunnerOptions {
  readonly config: SyncConfig;
  readonly paths: SyncPaths;
  readonly spaces: SpaceFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: MetricsSink;
  readonly limits?: DeletionLimits;
  readonly leaseTimes?: Partial<LeaseTimes>;
  /** Longest wait for the desktop to end in a drain. */
  readonly desktopWaitMs?: number;
  /** How long a drain waits for a token in place of one that ended; a changed Secret takes up to 2 minutes to arrive. */
  readonly tokenWaitMs?: number;
}

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;
/** Files that do not stand still although the desktop is gone get so many more rounds. */
const SETTLE_ROUNDS = 5;
const TOKEN_WAIT_MS = 150_000;

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
  readonly #confirmed = { deletions: false, merge: false, takeOver: false };
  readonly #sessions: Sessions;
  readonly #tokens: TokenWatch;
  #draining: Promise<void> | null = null;
  /** Autosaves in a row that failed. */
  #failures = 0;
  #isOpen = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.board = new StatusBoard(options.clock);
    for (const side of ['source', 'project'] as const) {
      this.board.progress[side] = new Progress(options.clock, () => this.board.changed());
    }
    this.#sessions = new Sessions(options, this.board, this.#copying.signal);
    this.#tokens = new TokenWatch({
      ...options,
      sources: options.spaces.tokens ?? {},
      board: this.board,
      onRenewed: () => this.#wakeUp(),
    });
  }

  /** Opened, and with the lease. @throws LeaseHeldError, VolumeNotMountedError */
  async #openedProject(): Promise<ProjectSession> {
    const project = await this.#sessions.openProject(this.#confirmed.takeOver);
    this.#confirmed.takeOver = false;
    return project;
  }

  get project(): ProjectSession | null {
    return this.#sessions.project;
  }

  /** Resolves when the final save after `stop` is complete, or there is none to make. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    const background = Promise.all([
      keepLease({ ...this.#options, sessions: this.#sessions, board: this.board }, this.#over.signal),
      this.#tokens.run(this.#over.signal),
    ]);
    try {
      this.board.setPhase('copying');
      if (existsSync(this.#options.paths.ready)) await this.#resume();
      else {
        await Promise.all([this.#openSource(), this.#restoreProject()]);
        if (!signal.aborted && !this.#isClosed) await this.#open();
      }
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
    return this.#saveOnce('saving');
  }

  async refreshSource(): Promise<void> {
    if (this.#sessions.source === null) throw new Error('the source volume is not there yet');
    await this.#attempt('source', async () => this.#sessions.source?.stageIn());
  }

  confirm(what: 'deletions' | 'merge' | 'takeOver'): void {
    this.#confirmed[what] = true;
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
      const project = await this.#openedProject();
      await project.resume();
      this.board.setSave({ generation: project.generation, lastSavedAt: project.savedAt });
    });
    if (this.board.phase === 'copying') this.board.setPhase('running');
  }

  async #openSource(): Promise<void> {
    const { log } = this.#options;
    await this.#untilDone('source', async () => {
      await this.#tokens.assertUsable('source', this.#copying.signal);
      const source = await this.#sessions.openSource();
      const result = await timed(this.#options, 'stage-in', () => source.stageIn());
      for (const warning of result.warnings) log.warn(warning);
      const { files, bytes, copied } = result;
      log.info({ operation: 'stage-in', files, bytes, copied }, 'source data is on its volume');
    });
  }

  async #restoreProject(): Promise<void> {
    const { log } = this.#options;
    await this.#untilDone('project', async () => {
      await this.#tokens.assertUsable('project', this.#copying.signal);
      const project = await this.#openedProject();
      const confirmed = {
        confirmedMerge: this.#confirmed.merge,
        confirmedDeletions: this.#confirmed.deletions,
      };
      const result = await timed(this.#options, 'restore', () => project.start(confirmed));
      for (const warning of result.warnings) log.warn(warning);
      const { generation, restored, removed, savedFirst } = result;
      log.info(
        { operation: 'restore', generation, restored, removed, savedFirst },
        'the project is on its volume',
      );
      this.board.setSave({ generation, lastSavedAt: project.savedAt, lastError: result.warnings[0] ?? null });
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
      const began = clock.now();
      await this.#saveOnce('saving');
      this.#failures = 0;
      metrics?.missed(Math.floor((clock.now() - began) / interval));
    } catch (error) {
      this.#failures += 1;
      log.warn({ operation: 'save', error: (error as Error).message }, 'a save failed and is tried again');
    }
  }

  /** One save with all that is told about it. */
  async #saveOnce(phase: 'saving' | 'draining' | 'final-saving'): Promise<SaveResult> {
    const { clock, log, metrics } = this.#options;
    const began = clock.now();
    if (phase !== 'saving' || this.board.phase === 'running') this.board.setPhase(phase);
    try {
      const project = await this.#openedProject();
      const result = await timed(this.#options, 'save', () => project.save(this.#confirmed.deletions));
      if (result.heldBack === null) this.#confirmed.deletions = false;
      this.board.clear('project');
      this.board.warn(heldBackProblem(result.heldBack, new Date(began).toISOString()), 'deletions');
      this.board.setSave({
        lastSavedAt: result.skipped === 0 ? new Date(began).toISOString() : (project.savedAt ?? null),
        generation: result.generation,
        unsavedChanges: result.skipped > 0,
        lastError: null,
        ...(result.saved ? { lastSaveDurationSeconds: (clock.now() - began) / 1000 } : {}),
      });
      metrics?.saved(result);
      if (result.saved) log.info({ operation: 'save', ...result }, 'saved');
      return result;
    } catch (error) {
      const problem = this.board.raise(error, 'project');
      this.board.setSave({ lastError: problem.message, unsavedChanges: null });
      throw error;
    } finally {
      // A drain may have begun meanwhile.
      if (this.board.phase === 'saving') this.board.setPhase('running');
    }
  }

  async #drain(): Promise<void> {
    const { paths, clock, log } = this.#options;
    const phase = this.board.phase;
    if (phase === 'drained' || phase === 'stopped') return;
    if (!this.#isOpen) return this.#closeUnopened();
    this.board.setPhase('draining');
    this.board.setSave({ nextSaveAt: null });
    await fs.rm(paths.ready, { force: true });
    this.board.setReady(false);
    try {
      await desktopGone(paths.vncSocket, this.#options.desktopWaitMs ?? 60_000, clock, this.#stop.signal);
      await this.#saveAll('draining', 5);
      this.#sessions.project?.setOpen(false);
      await this.#sessions.project?.releaseLease();
      this.board.setPhase('drained');
      log.info({ operation: 'drain' }, 'everything is saved; the instance stays closed');
    } catch (error) {
      log.error(
        { operation: 'drain', error: (error as Error).message },
        'the final save failed; the desktop opens again',
      );
      this.board.raise(error, 'project');
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
    await this.#sessions.project.releaseLease();
    this.board.setPhase('drained');
  }

  /**
   * Saves until a round finds nothing left.
   * @param attempts failed rounds before the error is given on; one of the token is waited out for `tokenWaitMs`
   */
  async #saveAll(phase: 'draining' | 'final-saving', attempts: number): Promise<void> {
    const { clock, tokenWaitMs = TOKEN_WAIT_MS } = this.#options;
    const patienceEnds = clock.now() + tokenWaitMs;
    let failures = 0;
    for (let round = 1; ; ) {
      try {
        const result = await this.#saveOnce(phase);
        if (result.skipped === 0) return;
        if (round >= SETTLE_ROUNDS) {
          throw new Error(
            `${result.skipped} files could not be read or did not stand still, so they are not saved`,
          );
        }
        round += 1;
        failures = 0;
        await clock.sleep(1_000);
      } catch (error) {
        failures += 1;
        const isPatient = awaitsToken(error) && clock.now() < patienceEnds;
        const isOver = failures >= attempts || (isFinal(error) && attempts !== Number.POSITIVE_INFINITY);
        if (isOver && !isPatient) throw error;
        const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
        this.board.raise(error, 'project', clock.now() + wait);
        await this.#pause(wait, this.#over.signal);
      }
    }
  }

  /** After SIGTERM. Goes on until everything is saved; only the end of the grace stops it. */
  async #finish(): Promise<void> {
    if (this.#draining !== null) await this.#draining.catch(() => undefined);
    if (this.#isOpen && this.board.phase !== 'drained') {
      await fs.rm(this.#options.paths.ready, { force: true });
      this.board.setReady(false);
      await this.#saveAll('final-saving', Number.POSITIVE_INFINITY);
      this.#sessions.project?.setOpen(false);
    }
    await this.#sessions.project?.releaseLease().catch(() => undefined);
    this.board.setPhase('stopped');
    this.#over.abort();
    this.#sessions.project?.close();
    this.#sessions.source?.close();
  }

  /** Tries for ever, says what is wrong, goes on by itself. Ends with the signal. */
  async #untilDone(side: Side, work: () => Promise<void>): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#copying;
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await this.#attempt(side, work);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const heldBy = error instanceof LeaseHeldError || error instanceof UnsavedWorkError;
        const wait = heldBy
          ? 10_000
          : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
        this.board.progress[side]?.wait();
        this.board.raise(error, side, clock.now() + wait);
        this.#options.log.warn(
          { side, error: (error as Error).message },
          'copying failed and is tried again',
        );
        await this.#pause(wait, signal);
      }
    }
  }

  async #attempt<T>(side: Side, work: () => Promise<T>): Promise<T> {
    const result = await work();
    this.board.clear(side);
    return result;
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
