import { existsSync } from 'node:fs';
import { REPORT_EVERY_MS } from '../../contract/activity.ts';
import { desktopAnswers } from './desktop-probe.ts';
import { JobsClient } from './jobs-client.ts';
import { FilesError } from './project-files.ts';
import { SyncClient } from './sync-client.ts';
import type { Placement } from './uploads.ts';
import { chooseScreen, type GatewayView } from './view.ts';

const PROBE_EVERY_MS = 1500;
/** Where the desktop is open, one probe of so many is made: it only finds out what hangs. */
const PROBES_SKIPPED = 6;
/** A server that paints hard is late; one that is late twice in a row hangs. */
const FAILURES_OF_OPEN = 2;

export interface LiveViewOptions {
  readonly instance: string;
  readonly syncSocket: string;
  readonly vncSocket: string;
  readonly readyFile: string;
  /** Socket of the broker of the jobs; null: the instance has none. */
  readonly jobsSocket: string | null;
  /** @default REPORT_EVERY_MS */
  readonly reportEveryMs?: number;
}

/** The one view of the instance that all open pages share, kept up to date while the gateway runs. */
export class LiveView {
  readonly sync: SyncClient;
  readonly jobs: JobsClient | null;
  readonly #options: LiveViewOptions;
  readonly #listeners = new Set<() => void>();
  #answers = false;
  #relays = 0;
  /** Of them, those that only look. */
  #watchers = 0;
  #stopping = false;
  #probing = false;
  #skipped = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #reports: NodeJS.Timeout | undefined;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.sync = new SyncClient(options.syncSocket, () => this.#changed());
    const isWatched = () => this.#listeners.size > 0;
    this.jobs =
      options.jobsSocket === null
        ? null
        : new JobsClient(options.jobsSocket, { onChange: () => this.#changed(), isWatched });
  }

  /** Whether the project is on the volume, for good: files can be listed, taken and given. */
  get hasProject(): boolean {
    return this.sync.reachability === 'up'
      ? (this.sync.status?.ready ?? false)
      : existsSync(this.#options.readyFile);
  }

  start(): void {
    void this.sync.follow();
    this.jobs?.start();
    this.#timer = setInterval(() => void this.#probe(), PROBE_EVERY_MS);
    this.#reports = setInterval(() => this.#report(), this.#options.reportEveryMs ?? REPORT_EVERY_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#reports);
    await Promise.all([this.sync.close(), this.jobs?.close()]);
  }

  current(): GatewayView {
    const { instance, readyFile } = this.#options;
    const observed = {
      sync: this.sync.reachability,
      status: this.sync.status,
      desktopAnswers: this.#answers,
    };
    const screen = chooseScreen({ ...observed, readyFile: existsSync(readyFile) });
    const [viewers, watchers] = [this.#relays - this.#watchers, this.#watchers];
    const time = new Date().toISOString();
    const jobs = this.jobs?.view ?? null;
    return { instance, ...observed, screen, viewers, watchers, jobs, stopping: this.#stopping, time };
  }

  /** Calls `listener` after each change; returns the function that ends it. A new listener starts the probing. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    void this.#probe();
    void this.jobs?.look();
    return () => this.#listeners.delete(listener);
  }

  get openRelays(): number {
    return this.#relays;
  }

  /** An open desktop answers until a probe says otherwise; when one closes, the server may be gone. */
  relayOpened(isViewOnly: boolean): void {
    this.#relays += 1;
    if (isViewOnly) this.#watchers += 1;
    // A server that hangs lets connections be made, and no more.
    if (this.#failures < FAILURES_OF_OPEN) this.#answers = true;
    this.#changed();
    this.#report();
  }

  relayClosed(isViewOnly: boolean): void {
    this.#relays -= 1;
    if (isViewOnly) this.#watchers -= 1;
    this.#changed();
    this.#report();
    void this.#probe();
  }

  /** Gives a complete upload its place; returns its path in the project. @throws FilesError */
  async placeUpload(placement: Placement): Promise<string> {
    const result = await this.sync.ask('/v1/place-upload', { ...placement });
    if (!result.accepted) throw new FilesError(502, result.code, result.message);
    return (JSON.parse(result.content) as { path: string }).path;
  }

  announceStop(): void {
    this.#stopping = true;
    this.#changed();
  }

  /** What is not heard is not known to `sync`, which then takes nobody for absent. */
  #report(): void {
    if (this.sync.reachability === 'up')
      void this.sync.ask('/v1/activity', { from: 'gateway', windows: this.#relays });
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.#listeners.size === 0) return;
    this.#skipped += 1;
    if (this.#relays > 0 && this.#failures === 0 && this.#skipped <= PROBES_SKIPPED) return;
    this.#skipped = 0;
    this.#probing = true;
    const answers = await desktopAnswers(this.#options.vncSocket);
    this.#probing = false;
    this.#failures = answers ? 0 : this.#failures + 1;
    this.#setAnswers(answers || (this.#relays > 0 && this.#failures < FAILURES_OF_OPEN));
  }

  #setAnswers(answers: boolean): void {
    if (answers === this.#answers) return;
    this.#answers = answers;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
