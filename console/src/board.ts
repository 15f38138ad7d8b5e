import { EventEmitter } from 'node:events';
import pLimit from 'p-limit';
import type { Fleet, InstanceSummary, LiveState } from '../../automation/fleet/index.ts';

/**
 * All instances as they were a moment ago, in memory: a page is answered from here, so that five hundred instances and
 * a slow backend cost its reader nothing. It looks often while somebody looks at it, and seldom else.
 */

const WATCHED_MS = 5_000;
const IDLE_MS = 60_000;
/** After the last question of a page. */
const STILL_WATCHED_MS = 30_000;
/** A look takes at most a quarter of the time. */
const REST = 4;
const DETAIL_MS = 8_000;
const DETAILS_AT_ONCE = 4;
/** Of many that nobody waits for. */
const SWEEP_MS = 120_000;
const SWEEPS_AT_ONCE = 2;

interface Detail {
  readonly at: number;
  readonly live: LiveState;
}

export interface BoardOptions {
  readonly fleet: Pick<Fleet, 'list' | 'live'>;
  readonly onProblem: (error: Error) => void;
}

export class InstanceBoard {
  readonly #options: BoardOptions;
  readonly #news = new EventEmitter<{ news: [] }>();
  readonly #details = new Map<string, Detail>();
  readonly #looks = new Map<string, Promise<LiveState | undefined>>();
  readonly #limit = pLimit(DETAILS_AT_ONCE);
  #instances: ReadonlyMap<string, InstanceSummary> = new Map();
  #at: number | undefined;
  #problem: string | undefined;
  #watchedAt = 0;
  #sweep: Promise<void> | undefined;
  #refresh: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#news.setMaxListeners(0);
  }

  /** The first look; its failure is told by `problem`, and it is tried again. */
  async start(): Promise<void> {
    await this.refresh();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** ms since 1970; undefined: nothing was seen yet. */
  get at(): number | undefined {
    return this.#at;
  }

  /** Why the last look failed. */
  get problem(): string | undefined {
    return this.#problem;
  }

  all(): readonly InstanceSummary[] {
    this.#watch();
    return [...this.#instances.values()];
  }

  /** As `all`, for who only counts: nobody looks at it. */
  seen(): readonly InstanceSummary[] {
    return [...this.#instances.values()];
  }

  find(name: string): InstanceSummary | undefined {
    this.#watch();
    return this.#instances.get(name);
  }

  /** What `sync` of an instance said last; asked again in the background where that is old. */
  detail(name: string): LiveState | undefined {
    const found = this.#details.get(name);
    if (found === undefined || Date.now() > found.at + DETAIL_MS) void this.look(name);
    return found?.live;
  }

  /** As `detail`, without asking. */
  known(name: string): LiveState | undefined {
    return this.#details.get(name)?.live;
  }

  /** Asks all that run, where what they said is old: a few at a time, and not again while that lasts. */
  sweep(): void {
    this.#sweep ??= this.#sweepOnce().finally(() => {
      this.#sweep = undefined;
    });
  }

  async #sweepOnce(): Promise<void> {
    const limit = pLimit(SWEEPS_AT_ONCE);
    const old = [...this.#instances.values()].filter(({ name, live }) => {
      const isUp = live?.phase === 'running' || live?.phase === 'starting';
      return isUp && Date.now() > (this.#details.get(name)?.at ?? 0) + SWEEP_MS;
    });
    await Promise.all(old.map(({ name }) => limit(() => (this.#isClosed ? undefined : this.look(name)))));
  }

  /** Asks an instance itself, once at a time. @returns undefined where it could not be asked */
  look(name: string): Promise<LiveState | undefined> {
    const running = this.#looks.get(name);
    if (running !== undefined) return running;
    const look = this.#limit(async () => {
      try {
        const live = await this.#options.fleet.live(name);
        this.#details.set(name, { at: Date.now(), live });
        this.#news.emit('news');
        return live;
      } catch (error) {
        this.#options.onProblem(error as Error);
        return undefined;
      } finally {
        this.#looks.delete(name);
      }
    });
    this.#looks.set(name, look);
    return look;
  }

  /** Called at each change of what can be seen. @returns what ends it */
  listen(listener: () => void): () => void {
    this.#news.on('news', listener);
    return () => void this.#news.off('news', listener);
  }

  tell(): void {
    this.#news.emit('news');
  }

  /** A look that begins after this call. */
  refresh(): Promise<void> {
    if (this.#refresh === undefined) {
      this.#refresh = this.#read().finally(() => {
        this.#refresh = undefined;
      });
      return this.#refresh;
    }
    this.#next ??= this.#refresh.then(() => {
      this.#next = undefined;
      return this.refresh();
    });
    return this.#next;
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    const began = Date.now();
    try {
      const found = await this.#options.fleet.list({ live: true });
      this.#instances = new Map(found.map((instance) => [instance.name, instance]));
      this.#at = began;
      this.#problem = undefined;
      for (const name of this.#details.keys()) if (!this.#instances.has(name)) this.#details.delete(name);
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#options.onProblem(error as Error);
    }
    this.#news.emit('news');
    if (this.#isClosed) return;
    const isWatched = Date.now() < this.#watchedAt + STILL_WATCHED_MS;
    const rest = Math.max(isWatched ? WATCHED_MS : IDLE_MS, REST * (Date.now() - began));
    this.#timer = setTimeout(() => void this.refresh(), rest).unref();
  }

  #watch(): void {
    const wasWatched = Date.now() < this.#watchedAt + STILL_WATCHED_MS;
    this.#watchedAt = Date.now();
    const isOld = this.#at === undefined || Date.now() > this.#at + WATCHED_MS;
    if (!wasWatched && isOld && this.#refresh === undefined && !this.#isClosed) void this.refresh();
  }
}
