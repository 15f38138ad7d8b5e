import { isDeepStrictEqual } from 'node:util';
import type { Notice } from '../../../contract/activity.ts';
import {
  EMPTY_TRANSFER,
  type FileProblem,
  type FileProblems,
  MAX_FILE_PROBLEMS,
  type Phase,
  type Problem,
  type SyncStatus,
  type Warning,
} from '../../../contract/status.ts';
import type { Clock } from '../../clock.ts';
import type { Side } from '../../spaces/space.ts';
import type { Progress } from '../progress.ts';
import { ActivityWatch } from './activity.ts';
import { toProblem } from './problems.ts';

const MAX_NOTICES = 5;
const MIN_GAP_MS = 250;

/** What a check of a token found. */
export interface TokenState {
  readonly expiresAt: Date | null;
  readonly warnings: readonly Warning[];
}

/** The one status that everybody asks for; tells listeners of changes, at most four times a second. */
export class StatusBoard {
  readonly activity: ActivityWatch;
  readonly #clock: Clock;
  readonly #listeners = new Set<(status: SyncStatus) => void>();
  readonly #problems = new Map<string, Problem>();
  /** By side and by what was being done. */
  readonly #files = new Map<string, FileProblems>();
  readonly #advice = new Map<string, Warning>();
  readonly #tokens = new Map<Side, TokenState>();
  readonly progress: { source?: Progress; project?: Progress } = {};
  readonly #notices: string[] = [];
  #phase: Phase = 'starting';
  #ready = false;
  #save: SyncStatus['save'] = {
    lastSavedAt: null,
    lastSaveDurationSeconds: null,
    generation: 0,
    unsavedChanges: null,
    nextSaveAt: null,
    lastError: null,
  };
  #volumes: SyncStatus['volumes'] | null = null;
  #notice: Notice | null = null;
  #changes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastSent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    // Whoever comes back ends what was announced because nobody was there.
    const comeBack = () => {
      if (this.#notice?.why === 'idle') this.announce(null);
    };
    this.activity = new ActivityWatch(clock, () => this.#isOpen(), comeBack);
  }

  get phase(): Phase {
    return this.#phase;
  }

  #isOpen = () => this.#ready && (this.#phase === 'running' || this.#phase === 'saving');

  status(): SyncStatus {
    return {
      phase: this.#phase,
      ready: this.#ready,
      source: this.progress.source?.transfer ?? EMPTY_TRANSFER,
      project: this.progress.project?.transfer ?? EMPTY_TRANSFER,
      save: this.#save,
      problems: this.#distinctProblems(),
      ...this.#fileProblems(),
      ...(this.#volumes === null ? {} : { volumes: this.#volumes }),
      warnings: [
        ...[...this.#tokens.values()].flatMap(({ warnings }) => warnings),
        ...this.#notices.map((message) => ({
          code: 'space-repaired' as const,
          space: 'project' as const,
          message,
        })),
        ...this.#advice.values(),
        ...(this.#notice === null ? [] : [warningOf(this.#notice)]),
      ],
      activity: this.activity.view(),
      tokenExpiresAt: Object.fromEntries(
        [...this.#tokens].map(([side, { expiresAt }]) => [side, expiresAt?.toISOString() ?? null]),
      ),
    };
  }

  /** What stops the work and what a check of the token says are often the same: told once, by the one that asks something. */
  #distinctProblems(): Problem[] {
    const known = new Map<string, Problem>();
    for (const problem of this.#problems.values()) {
      const key = `${problem.space}/${problem.code}`;
      if (known.get(key)?.confirm === undefined && (problem.confirm || !known.has(key)))
        known.set(key, problem);
    }
    return [...known.values()];
  }

  /** @param found what is left out of the last copy of this kind; what was left out before keeps the time when it began */
  setFileProblems(side: Side, during: FileProblem['during'], found: FileProblems): void {
    const key = `${side}/${during}`;
    const known = new Map(this.#files.get(key)?.items.map((item) => [item.path, item]));
    const items = found.items.map((item) => {
      const before = known.get(item.path);
      return before?.code === item.code ? { ...item, since: before.since } : item;
    });
    this.#files.set(key, { total: found.total, items });
    this.changed();
  }

  problemsOf(side: Side, during: FileProblem['during']): FileProblems {
    return this.#files.get(`${side}/${during}`) ?? { total: 0, items: [] };
  }

  #fileProblems(): { fileProblems?: FileProblems } {
    if (this.#files.size === 0) return {};
    const all = [...this.#files.values()];
    const items = all.flatMap((each) => each.items).slice(0, MAX_FILE_PROBLEMS);
    return { fileProblems: { total: all.reduce((sum, { total }) => sum + total, 0), items } };
  }

  /** What the project space was found to be otherwise than it was left; told until the next start. */
  addNotices(sentences: readonly string[]): void {
    for (const each of sentences) if (!this.#notices.includes(each)) this.#notices.push(each);
    this.#notices.splice(0, Math.max(0, this.#notices.length - MAX_NOTICES));
    this.changed();
  }

  /** The newest of its kind stays until it is withdrawn or this process ends. */
  advise(warning: Warning): void {
    this.#advice.set(warning.code, warning);
    this.changed();
  }

  /** What was advised holds no longer. */
  withdraw(code: Warning['code']): void {
    if (this.#advice.delete(code)) this.changed();
  }

  /** An end of the session that comes from outside; null: it does not. */
  announce(notice: Notice | null): void {
    if (isDeepStrictEqual(this.#notice, notice)) return;
    this.#notice = notice;
    this.changed();
  }

  setToken(side: Side, state: TokenState): void {
    if (isDeepStrictEqual(this.#tokens.get(side), state)) return;
    this.#tokens.set(side, state);
    this.changed();
  }

  setVolumes(volumes: NonNullable<SyncStatus['volumes']>): void {
    if (isDeepStrictEqual(this.#volumes, volumes)) return;
    this.#volumes = volumes;
    this.changed();
  }

  setPhase(phase: Phase): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.changed();
  }

  /** What a drain left: the save that it ended with. */
  stayClosed({ generation, savedAt }: { generation: number; savedAt: string | null }): void {
    this.setSave({ generation, lastSavedAt: savedAt });
    this.setPhase('drained');
  }

  setReady(ready: boolean): void {
    this.#ready = ready;
    this.changed();
  }

  setSave(save: Partial<SyncStatus['save']>): void {
    this.#save = { ...this.#save, ...save };
    this.changed();
  }

  /** Counts the changes on the project volume that were seen. */
  get changes(): number {
    return this.#changes;
  }

  /** Something on the project volume has changed: so it is not saved. */
  noteChange(): void {
    this.#changes += 1;
    if (this.#save.unsavedChanges !== true) this.setSave({ unsavedChanges: true });
  }

  /** A side has at most one problem at a time; the same one keeps the time when it began. */
  raise(error: unknown, side: Side, retryAtMs?: number): Problem {
    const now = new Date(this.#clock.now()).toISOString();
    const fresh = toProblem(error, side, now);
    const known = this.#problems.get(side);
    const since = known?.code === fresh.code ? known.since : now;
    const problem = {
      ...fresh,
      since,
      ...(retryAtMs === undefined ? {} : { retryAt: new Date(retryAtMs).toISOString() }),
    };
    this.#problems.set(side, problem);
    this.changed();
    return problem;
  }

  /** Something a person should know that does not stop the work. */
  warn(problem: Problem | null, key: string): void {
    if (problem === null) this.#problems.delete(key);
    else this.#problems.set(key, problem);
    this.changed();
  }

  clear(side: Side): void {
    if (this.#problems.delete(side)) this.changed();
  }

  subscribe(listener: (status: SyncStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#lastSent + MIN_GAP_MS - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastSent = Date.now();
      const status = this.status();
      for (const listener of this.#listeners) listener(status);
    }, wait);
    this.#timer.unref();
  }
}

/** Pure. In UTC: the container has no other time. */
function warningOf({ why, at }: Notice): Warning {
  const when = `${at.slice(0, 16).replace('T', ' ')} UTC`;
  const message =
    why === 'idle'
      ? `This desktop is not in use, so it is saved and paused at ${when}. Opening it keeps it running.`
      : `The time of this instance ends: it is saved and paused at ${when}. Nothing is removed. Ask your operators if you need it longer.`;
  return { code: 'pauses-soon', message, at };
}
