import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { DEFAULT_LIMITS } from '../plan/guards.ts';
import { Selection } from '../plan/selection.ts';
import type { Progress } from '../progress.ts';
import { retentionOf } from '../save/retention.ts';
import { STATE_FILE } from '../volume/known-format.ts';
import { setStateAside } from '../volume/open-state.ts';
import { ProjectSession } from './project-session.ts';
import type { RunnerOptions } from './runner-options.ts';
import { SourceSession } from './source-session.ts';
import type { StatusBoard } from './status-board.ts';

/** The engine on both volumes, each opened when it is first needed and the volume is there. */
export class VolumeSessions {
  project: ProjectSession | null = null;
  source: SourceSession | null = null;
  readonly #options: RunnerOptions;
  readonly #board: StatusBoard;
  /** Ends copying to the volumes. */
  readonly #signal: AbortSignal;

  constructor(options: RunnerOptions, board: StatusBoard, signal: AbortSignal) {
    this.#options = options;
    this.#board = board;
    this.#signal = signal;
  }

  /** @throws VolumeNotMountedError */
  async openSource(): Promise<SourceSession> {
    this.source ??= await SourceSession.open({
      ...this.#common('source'),
      root: this.#options.paths.sourceVolume,
      space: this.#options.spaces.source(),
      selection: new Selection({
        include: this.#options.config.sourceInclude ?? [],
        exclude: this.#options.config.sourceExclude ?? [],
      }),
    });
    return this.source;
  }

  /** Opened, and with the lease. @throws LeaseHeldError, VolumeNotMountedError */
  async openProject(takeOver: boolean): Promise<ProjectSession> {
    const { paths, spaces, config, settings, leaseTimes, log } = this.#options;
    if (this.project === null) {
      this.project = await ProjectSession.open({
        ...this.#common('project'),
        root: paths.projectVolume,
        space: spaces.project(),
        instance: config.instance,
        retention: () => retentionOf(settings.now.keepSaves),
        onChange: () => this.#board.noteChange(),
        ...(leaseTimes === undefined ? {} : { leaseTimes }),
      });
      const reason = this.project.damaged;
      if (reason !== null)
        log.error({ reason }, 'the state of the project volume was damaged and is rebuilt');
    }
    if (!this.project.holdsLease) await this.project.acquireLease(takeOver);
    return this.project;
  }

  /** The state of the project volume is put aside as evidence; the next opening begins a new one by comparing. */
  async rebuildProject(): Promise<void> {
    const { paths, clock } = this.#options;
    const { project } = this;
    this.project = null;
    await project?.releaseLease().catch(() => undefined);
    project?.close();
    setStateAside(join(paths.projectVolume, VOLUME_FOLDERS.state, STATE_FILE), clock.now());
  }

  #common(side: 'source' | 'project') {
    const { clock, log, limits } = this.#options;
    const progress = this.#board.progress[side] as Progress;
    return { clock, log, progress, limits: limits ?? DEFAULT_LIMITS, signal: this.#signal };
  }
}
