import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import {
  type Fleet,
  FleetError,
  type InstanceSummary,
  type LiveState,
  takeLock,
} from '../../../automation/fleet/index.ts';
import type { AuditLog } from '../audit.ts';
import type { InstanceBoard } from '../board.ts';
import type { ConsoleConfig } from '../config.ts';
import { type Operations, TooManyError } from '../operations.ts';
import { RULE_REASONS, type RuleReason, type RuleView } from '../view-types.ts';
import { type Judged, judgeRule, type Note, type RuleSettings, type Verdict } from './judge.ts';
import { RuleNotes } from './notes.ts';
import { type RuleNews, sendNews } from './webhook.ts';

/** Looks at all instances every few minutes, warns, and pauses what is due, after a save that succeeded. */

export interface RulesOptions {
  readonly config: Pick<ConsoleConfig, 'idle' | 'expiry' | 'webhook' | 'publicOrigin'>;
  readonly fleet: Pick<Fleet, 'live' | 'status' | 'pauseSaved' | 'announce'>;
  readonly board: InstanceBoard;
  readonly operations: Operations;
  readonly audit: AuditLog;
  readonly logger: Logger;
  /** Of the notes and of the lock by which one console of several does it. */
  readonly folder: string;
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** ms since some moment. @default performance.now */
  readonly monotonic?: () => number;
}

const EVERY_MS = 5 * 60_000;
/** Pages come first. */
const FIRST_MS = 30_000;
/** A longer time between two looks is not counted: nobody looked. */
const MAX_COUNTED_MS = 2 * EVERY_MS;
/** Few enough that pages need not wait for their own looks. */
const LOOKS_AT_ONCE = 2;
/** After a pause that did not succeed. */
const AGAIN_MS = 3_600_000;
/** A webhook that fails so often is left alone until the next round. */
const MAX_FAILURES = 3;
const MINUTE_MS = 60_000;

const HOUR_MS = 3_600_000;
const settingsOf = ({ idle, expiry }: RulesOptions['config']): RuleSettings => ({
  ...(idle
    ? { idle: { pauseAfterMs: idle.pauseAfterHours * HOUR_MS, warnMs: idle.warnHours * HOUR_MS } }
    : {}),
  ...(expiry ? { expiry: { warnMs: expiry.warnDays * 24 * HOUR_MS } } : {}),
});

export class Rules {
  readonly #options: RulesOptions;
  readonly #settings: RuleSettings;
  #notes: RuleNotes;
  readonly #views = new Map<string, RuleView>();
  #unlock: (() => void) | undefined;
  #lookedAt: number | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RulesOptions) {
    this.#options = options;
    this.#settings = settingsOf(options.config);
    // Where nothing is asked for, nothing is left on the disk.
    if (this.isOn) mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    this.#notes = this.#open();
  }

  /** Whether there is anything to do. */
  get isOn(): boolean {
    return Object.keys(this.#settings).length > 0;
  }

  /** What the pages say of an instance. */
  of(name: string): RuleView | undefined {
    const paused = this.#notes.paused(name);
    return paused === undefined ? this.#views.get(name) : { why: paused };
  }

  start(): void {
    if (this.isOn) this.#again(FIRST_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#round;
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** One look at all of them; the next one comes by itself. */
  round(): Promise<void> {
    this.#round ??= this.#look()
      .catch((error: Error) => this.#options.logger.error(`the idle rules: ${error.message}`))
      .finally(() => {
        this.#round = undefined;
      });
    return this.#round;
  }

  #again(wait: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.round().finally(() => this.#again(EVERY_MS)), wait).unref();
  }

  #open(): RuleNotes {
    return new RuleNotes(this.#options.folder, (message) => this.#options.logger.error(message));
  }

  #now = () => (this.#options.now ?? Date.now)();
  #monotonic = () => (this.#options.monotonic ?? (() => performance.now()))();

  async #look(): Promise<void> {
    const { board, folder } = this.#options;
    if (!this.isOn) return;
    if (this.#unlock === undefined) {
      this.#unlock = takeLock(join(folder, 'rules.lock'));
      // What another console on these stacks has counted, which does it or did it.
      this.#notes = this.#open();
      if (this.#unlock === undefined) return;
    }
    const at = this.#monotonic();
    const elapsedMs = Math.min(at - (this.#lookedAt ?? at), MAX_COUNTED_MS);
    this.#lookedAt = at;
    this.#failures = 0;
    await board.refresh();
    if (board.problem !== undefined) return;
    const all = board.all();
    const limit = pLimit(LOOKS_AT_ONCE);
    await Promise.all(all.map((one) => limit(() => this.#one(one, elapsedMs))));
    const names = new Set(all.map(({ name }) => name));
    this.#notes.keep(names);
    for (const name of this.#views.keys()) if (!names.has(name)) this.#views.delete(name);
    this.#notes.write();
    board.tell();
  }

  async #one(summary: InstanceSummary, elapsedMs: number): Promise<void> {
    const { board, logger } = this.#options;
    const { name } = summary;
    if (this.#isClosed) return;
    const isUp = summary.live?.phase === 'running' || summary.live?.phase === 'starting';
    if (isUp && summary.isPaused !== true) this.#notes.setPaused(name, undefined);
    const live = isUp ? await board.look(name) : summary.live;
    const found = RULE_REASONS.map((why) => {
      const note = this.#notes.of(name, why);
      const verdict = judgeRule(why, this.#settings, { summary, live, note, now: this.#now(), elapsedMs });
      if (verdict.kind === 'fine') this.#notes.set(name, why, undefined);
      return { why, verdict };
    });
    const warned = found
      .flatMap(({ why, verdict }) => (isWarning(verdict) ? [{ why, verdict }] : []))
      .toSorted((left, right) => left.verdict.at - right.verdict.at);
    try {
      for (const { why, verdict } of warned) await this.#warn(summary, why, verdict);
      const [first] = warned;
      const isKnown = found.some(({ verdict }) => verdict.kind === 'unknown');
      if (first !== undefined)
        this.#views.set(name, { why: first.why, at: new Date(first.verdict.at).toISOString() });
      else if (!isKnown) this.#views.delete(name);
      // Where the page cannot say it (an older `sync`), console and webhook do.
      await this.#announce(name, live, first).catch((error: Error) =>
        logger.warn({ instance: name }, `the idle rules: ${error.message}`),
      );
      if (first?.verdict.kind === 'due') await this.#pause(summary, first.why, first.verdict.note);
    } catch (error) {
      logger.warn({ instance: name }, `the idle rules: ${(error as Error).message}`);
    }
  }

  async #warn(summary: InstanceSummary, why: RuleReason, { note, at }: Warning): Promise<void> {
    const isTold = note.isTold || (await this.#tell(summary, { event: 'will-be-paused', why, at }));
    this.#notes.set(summary.name, why, { ...note, isTold });
  }

  /** The page of the desktop says it, too; a pod that is another one is told again. */
  async #announce(
    name: string,
    live: LiveState | undefined,
    first: { readonly why: RuleReason; readonly verdict: Warning } | undefined,
  ): Promise<void> {
    const { fleet } = this.#options;
    if (live?.sync === undefined) return;
    const told = live.sync.warnings?.find(({ code }) => code === 'pauses-soon')?.at;
    if (first === undefined) {
      if (told !== undefined) await fleet.announce(name, null);
      return;
    }
    const { why, verdict } = first;
    const at = Math.ceil(verdict.at / MINUTE_MS) * MINUTE_MS;
    // A minute more or less is no news.
    if (told !== undefined && Math.abs(Date.parse(told) - at) <= 2 * MINUTE_MS) return;
    await fleet.announce(name, { why, at: new Date(at).toISOString() });
  }

  async #pause(summary: InstanceSummary, why: RuleReason, note: Note): Promise<void> {
    const { operations, fleet, audit, board, logger } = this.#options;
    const { name } = summary;
    const user = { id: `rule:${why}`, name: why, isOperator: false };
    const stillDue = async () => {
      const fresh = await fleet.status(name);
      // The operation that asks is the one that runs.
      const { operation: _, ...left } = fresh;
      const judged: Judged = { summary: left, live: fresh.live, note, now: this.#now(), elapsedMs: 0 };
      if (judgeRule(why, this.#settings, judged).kind !== 'due')
        throw new FleetError('stopped', `${name} is in use again, or was paused already. Nothing was done.`);
    };
    audit.write({ user: user.id, action: 'pause', instance: name, outcome: 'begun' });
    let failure: string | undefined;
    try {
      const { operation } = await operations.begin(user, () => fleet.pauseSaved(name, stillDue));
      await operation.result;
    } catch (error) {
      // Many are paused already, or somebody does something with it: the next look comes.
      if (error instanceof TooManyError) return;
      if (error instanceof FleetError && (error.code === 'busy' || error.code === 'stopped')) return;
      failure = (error as Error).message;
    }
    const at = this.#now();
    if (failure === undefined) {
      logger.info({ instance: name, why }, 'paused by a rule');
      for (const each of RULE_REASONS) this.#notes.set(name, each, undefined);
      this.#notes.setPaused(name, why);
      this.#views.delete(name);
    } else this.#notes.set(name, why, { ...note, isTold: true, waitMs: AGAIN_MS });
    // What was done is known even if the process ends before the round does.
    this.#notes.write();
    board.tell();
    const event = failure === undefined ? 'paused' : 'not-paused';
    await this.#tell(summary, { event, why, at, ...(failure === undefined ? {} : { message: failure }) });
  }

  /** @returns whether it is told; without a webhook nobody has to be */
  async #tell(
    { name, owner }: InstanceSummary,
    news: Pick<RuleNews, 'event' | 'why' | 'message'> & { readonly at: number },
  ): Promise<boolean> {
    const { config, logger } = this.#options;
    if (config.webhook === undefined) return true;
    if (this.#failures >= MAX_FAILURES) return false;
    try {
      await sendNews(config.webhook, {
        ...news,
        instance: name,
        owner: owner ?? null,
        at: new Date(news.at).toISOString(),
        page: `${config.publicOrigin}/instances/${name}`,
      });
      return true;
    } catch (error) {
      this.#failures += 1;
      logger.warn({ instance: name, event: news.event }, (error as Error).message);
      return false;
    }
  }
}

type Warning = Extract<Verdict, { readonly note: Note }>;
const isWarning = (verdict: Verdict): verdict is Warning => 'note' in verdict;
