import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import type { FileProblems } from '../../../contract/status.ts';
import type { Clock } from '../../clock.ts';
import type { Rate } from '../../spaces/bandwidth.ts';
import type { Space } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { collectDifferences } from '../plan/collect.ts';
import type { DeletionLimits } from '../plan/guards.ts';
import { decodeItem, type PlanSummary, printableItem, summarise } from '../plan/plan.ts';
import { resolveDifferences } from '../plan/resolve.ts';
import type { Progress } from '../progress.ts';
import { forgetSettling } from '../restore/database-sets.ts';
import { type RepairResult, repairSpace } from '../restore/repair.ts';
import {
  type FolderRestoreRequest,
  type FolderRestoreResult,
  planFolderRestore,
  restoreToFolder,
} from '../restore/restore-to-folder.ts';
import { type StartOptions, type StartResult, startProject } from '../restore/start.ts';
import { listTrash, restoreFromTrash, type TrashItem } from '../restore/trash-content.ts';
import { lastVerification, type Verification, verifySpace } from '../restore/verify.ts';
import { tidyAfterStart } from '../restore/volume-trash.ts';
import { readHead } from '../save/head.ts';
import { soundHead } from '../save/head-copies.ts';
import { forgetOtherHistory, knownGeneration, noteSave } from '../save/histories.ts';
import { Lease, type LeaseRecord, type LeaseTimes, readLease } from '../save/lease.ts';
import { loadManifest } from '../save/manifest.ts';
import { inOwnFolder } from '../save/own-folder.ts';
import { recover } from '../save/recover.ts';
import type { SaveRetention } from '../save/retention.ts';
import { type SaveOptions, type SaveResult, save } from '../save/save.ts';
import { listSaves, type SavesList } from '../save/saves-list.ts';
import { tidySegments } from '../save/segments.ts';
import { DEFAULT_RETENTION, tidyTrash } from '../save/trash.ts';
import { UnsavedWorkError } from '../sync-errors.ts';
import { ChangeWatch } from '../volume/change-watch.ts';
import { openRoot } from '../volume/open-root.ts';
import { Reserve } from '../volume/reserve.ts';
import { markSaved } from '../volume/save-mark.ts';
import { assertMounted, type OpenVolume, openVolume } from '../volume/volume.ts';
import { WholeMark } from '../volume/whole-mark.ts';
import { MissingFiles } from './missing-files.ts';
import type { ProjectContext } from './project-context.ts';

export interface SessionOptions {
  readonly root: string;
  readonly space: Space;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly progress: Progress;
  readonly limits: DeletionLimits;
  readonly leaseTimes?: Partial<LeaseTimes>;
  /** Which older saves are kept, asked whenever the trash is tidied. @default DEFAULT_SAVE_RETENTION */
  readonly retention?: () => SaveRetention;
  readonly signal: AbortSignal;
  /** Called at each change on the volume that is seen, also at those that this program makes. */
  readonly onChange?: () => void;
  /** Room on the volume that is kept for saving. @default 32 MiB */
  readonly reserveBytes?: number;
}

export interface PrintablePlan {
  readonly summary: PlanSummary;
  readonly items: readonly Record<string, unknown>[];
  readonly more: boolean;
  /** What the next save would have to leave out, as far as a look tells. */
  readonly fileProblems: FileProblems;
}

const PLAN_ITEMS = 10_000;

/** One run of the engine on the project volume. Its operations run one at a time, in the order they were asked for. */
export class ProjectSession {
  readonly #options: SessionOptions;
  readonly #volume: OpenVolume;
  readonly #context: ProjectContext;
  readonly #reserve: Reserve;
  readonly #whole: WholeMark;
  #turn: Promise<unknown> = Promise.resolve();
  #verifying: Promise<Verification> | null = null;
  #missing: MissingFiles | null = null;

  private constructor(options: SessionOptions, volume: OpenVolume, reserve: Reserve) {
    this.#options = options;
    this.#volume = volume;
    this.#reserve = reserve;
    const lease = new Lease(options.space, {
      holder: options.instance,
      volumeId: volume.volumeId,
      clock: options.clock,
      ...(options.leaseTimes === undefined ? {} : { times: options.leaseTimes }),
    });
    const { space, instance, clock, log, progress, limits, signal, onChange } = options;
    volume.tree.onLeftOut = () => {
      volume.tree.onLeftOut = undefined;
      log.info('sockets, pipes and devices on the project volume are not saved');
    };
    const changes = new ChangeWatch(volume.tree, {
      folder: join(volume.scratch, 'looks'),
      ...(onChange && { onChange }),
      onOff: (reason) => log.info({ reason }, 'each save looks at the whole volume'),
    });
    const makeRoom = (bytes: number) => reserve.makeRoom(bytes);
    const own = { space, instance, clock, log, progress, limits, signal, lease, changes, makeRoom };
    this.#context = { ...volume, ...own };
    this.#whole = new WholeMark(join(options.root, VOLUME_FOLDERS.state));
  }

  /** @throws VolumeNotMountedError */
  static async open(options: SessionOptions): Promise<ProjectSession> {
    const { root, space, clock, log, reserveBytes } = options;
    const reserve = new Reserve(join(root, VOLUME_FOLDERS.state), log, reserveBytes);
    const volume = await reserve.with(() => openVolume(root, 'project', space, clock.now()));
    const session = new ProjectSession(options, volume, reserve);
    // Files that no state knows of: whatever they are, nobody can say that they are saved.
    if (isUnknown(volume) && (await readdir(volume.tree.root)).length > 0) session.setOpen(true);
    return session;
  }

  /** Why the state of the volume was begun anew, null where it was whole. */
  get damaged(): string | null {
    return this.#volume.damaged;
  }
  get generation(): number {
    return knownGeneration(this.#context.state);
  }
  get savedAt(): string | null {
    return this.#context.state.meta('saved-at');
  }
  get heartbeatMs(): number {
    return this.#context.lease.heartbeatMs;
  }

  /** @throws LeaseHeldError */
  async acquireLease(takeOver = false): Promise<LeaseRecord> {
    return this.#exclusive(async () => {
      await this.#options.space.check();
      // A space of a newer version is left as it is: not even a lease is taken there.
      await inOwnFolder(this.#options.space, () => readHead(this.#options.space));
      const { state, lease } = this.#context;
      const known = state.json<string[]>('sessions', []);
      const sessions = known.includes(lease.session) ? known : [...known, lease.session];
      // Before the space can show it: a crash in between must find its own session here.
      state.durably(() => state.setJson('sessions', sessions.slice(-20)));
      const record = await lease.acquire(sessions, takeOver, Number(state.meta('fence') ?? 0));
      state.setMeta('fence', String(record.fence));
      return record;
    });
  }

  async heartbeat(): Promise<void> {
    await this.#context.lease.heartbeat();
  }

  get holdsLease(): boolean {
    return this.#context.lease.held;
  }

  async lease(): Promise<LeaseRecord | null> {
    return (await readLease(this.#options.space))?.record ?? null;
  }

  async releaseLease(): Promise<void> {
    await this.#exclusive(() => this.#context.lease.release());
  }

  /** Restore; Scipion is closed. */
  start(options: StartOptions): Promise<StartResult> {
    return this.#exclusive(async () => {
      await this.#assertMounted();
      openRoot(this.#context.tree.root);
      try {
        this.#context.changes?.requireFullScan();
        const onRestore = () => this.#whole.set(false);
        const result = await startProject(this.#context, { ...options, onRestore });
        for (const warning of result.warnings) this.#options.log.warn(warning);
        await tidyAfterStart(this.#context);
        await this.#reserve.refill(() => this.#context.tree.freeBytes());
        this.#missing = new MissingFiles(this.#context.state, result.missing);
        if (result.unsaved === 0) this.setOpen(false);
        this.#whole.set(true);
        this.#markSaved();
        return result;
      } catch (error) {
        // A removal of the instance has to wait for its owner's choice.
        if (error instanceof UnsavedWorkError) this.setOpen(true);
        throw error;
      }
    });
  }

  /** Instead of `start` where Scipion runs already: nothing on the volume is touched. */
  resume(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#assertMounted();
      // Noted before Scipion was opened, but perhaps in a state that is lost.
      this.setOpen(true);
      if (this.#whole.mayHoldUnsavedWork) this.#whole.set(true);
      this.#context.changes?.requireFullScan();
      const { state, space } = this.#context;
      forgetSettling(state);
      await recover(this.#context);
      const sound = await soundHead(this.#context);
      // What else was set back with the head must not count as newer at the next start.
      if (sound.isSetBack) forgetOtherHistory(this.#context, sound);
      const { head } = sound;
      if (head === null || head === 'damaged') return;
      // Only a state that was begun anew has neither.
      if (state.meta('manifest-segments') === null) await loadManifest(space, state, head);
      if (state.meta('generation') === null) noteSave(state, head);
    });
  }

  save(options: SaveOptions): Promise<SaveResult> {
    return this.#exclusive(async () => {
      await this.#assertMounted();
      const result = await save(this.#context, options);
      if (result.saved) this.#markSaved();
      if (result.saved) await this.#reserve.refill(() => this.#context.tree.freeBytes());
      // The save is complete, whatever becomes of old versions.
      if (result.saved) {
        const damaged = await this.#tidySpace();
        if (damaged.length > 0) return { ...result, notices: [...(result.notices ?? []), ...damaged] };
      }
      return result;
    });
  }

  /** What the start could not bring and nobody has put there since, as far as it is saved; null: this session has made no start. */
  get missing(): FileProblems | null {
    return this.#missing?.left() ?? null;
  }

  /** Whether changes on the volume are seen as they happen. */
  get isWatched(): boolean {
    return this.#context.changes?.offReason === null;
  }

  /** Whether the next save would find something to do; null where nothing is watched, and so nothing is known for long. */
  hasChanges(): Promise<boolean | null> {
    return this.#exclusive(async () => {
      const { state } = this.#context;
      const unread = new FileFailures(this.#context, 'project', 'save');
      await collectDifferences(this.#context, false, unread, 'changed');
      const found = state.pending.count() > 0;
      state.pending.clear();
      return this.isWatched ? found : null;
    });
  }

  /** What the next save would do, from a look at volume and space. Changes nothing. */
  plan(): Promise<PrintablePlan> {
    return this.#exclusive(async () => {
      const { state } = this.#context;
      const unread = new FileFailures(this.#context, 'project', 'save');
      await collectDifferences(this.#context, false, unread);
      await resolveDifferences(this.#context, 'running', false, unread);
      const items: Record<string, unknown>[] = [];
      const all = function* () {
        for (const row of state.pending.rows(null)) yield decodeItem(row.data);
      };
      for (const item of all()) if (items.length < PLAN_ITEMS) items.push(printableItem(item));
      const more = state.pending.count() > items.length;
      const plan = { summary: summarise(all()), items, more, fileProblems: unread.problems };
      state.pending.clear();
      return plan;
    });
  }

  /** Copies what a save has at a path into a new folder of the project. @throws RequestError */
  async restoreAside(request: FolderRestoreRequest): Promise<FolderRestoreResult> {
    const plan = await this.#exclusive(async () => {
      await this.#assertMounted();
      return planFolderRestore(this.#context, request, this.generation);
    });
    return restoreToFolder(this.#context, plan);
  }

  trash(most: number): Promise<{ items: TrashItem[]; more: boolean }> {
    return listTrash(this.#context.space, most);
  }

  saves(): Promise<SavesList> {
    return listSaves(this.#context);
  }

  /** Beside saves; one at a time: asked again, it is the same check. @throws SpaceError */
  verify(bytesPerSecond: Rate, signal?: AbortSignal): Promise<Verification> {
    this.#verifying ??= verifySpace(this.#context, bytesPerSecond, signal).finally(() => {
      this.#verifying = null;
    });
    return this.#verifying;
  }

  /** The check that is under way, or the last one; null: none was made. */
  get verification(): Verification | null {
    return lastVerification(this.#context.state);
  }

  /** @throws RequestError */
  repair(): Promise<RepairResult> {
    return this.#exclusive(async () => {
      await this.#assertMounted();
      this.#context.changes?.requireFullScan();
      return repairSpace(this.#context);
    });
  }

  /** @throws RequestError */
  async restoreFromTrash(
    path: string,
    of: string | null,
  ): Promise<{ restored: string[]; missing: string[] }> {
    await this.#assertMounted();
    return restoreFromTrash(this.#context, path, of);
  }

  /** Noted on the volume before the desktop may write, taken back after a complete final save. */
  setOpen(open: boolean): void {
    try {
      this.#context.state.durably(() =>
        this.#context.state.setMeta('open-since', open ? String(Date.now()) : null),
      );
    } catch (error) {
      if (!open || !this.#whole.isFull(error)) throw error;
      this.#whole.opened();
    }
  }

  /** The desktop wrote, or may have written, since the last complete save. */
  get mayHoldUnsavedWork(): boolean {
    return this.#whole.mayHoldUnsavedWork || this.#context.state.meta('open-since') !== null;
  }

  close(): void {
    this.#context.changes?.close();
    this.#context.state.close();
  }

  async #assertMounted(): Promise<void> {
    await assertMounted(this.#volume.root, 'project');
    // The state of a volume that was taken away is an open file without a name.
    if (!existsSync(this.#volume.scratch)) await assertMounted(this.#volume.scratch, 'project');
  }

  #markSaved(): void {
    markSaved(join(this.#options.root, VOLUME_FOLDERS.state), this.#context.state);
  }

  /** @returns sentences on what was found damaged */
  async #tidySpace(): Promise<readonly string[]> {
    try {
      const { damaged } = await tidyTrash(this.#context, DEFAULT_RETENTION, this.#options.retention?.());
      await tidySegments(this.#context);
      return damaged.map((sentence) => `${sentence}. To mend it: sync verify, then sync repair`);
    } catch (error) {
      this.#options.log.warn(
        { error: (error as Error).message },
        'the trash of the project space could not be tidied',
      );
      return [];
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#reserve.with(work));
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

/** A state that was just begun: no run has restored or saved with it. */
function isUnknown({ state }: OpenVolume): boolean {
  return state.meta('sessions') === null && state.meta('generation') === null;
}
