import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type InstanceSummary, takeLock } from '../../../automation/fleet/index.ts';
import { replaceFileSync } from '../../../automation/tools/replace-file.ts';
import type { InstanceBoard } from '../board.ts';
import type { CpuTime, UserCpuTime } from '../view-types.ts';
import { counted, emptyLedger, type Ledger, ledgerSchema, type Seen } from './ledger.ts';

/** Counts CPU hours at each look of the board, in a file that outlives the console. Of several consoles one counts. */

export interface UsageOptions {
  readonly board: Pick<InstanceBoard, 'listen' | 'at' | 'seen'>;
  /** Of the file, which all consoles on these stacks share. */
  readonly folder: string;
  readonly onProblem: (message: string) => void;
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** ms since some moment. @default performance.now */
  readonly monotonic?: () => number;
}

/** So much is lost at most where the console is killed; it is told as not seen. */
const WRITE_MS = 60_000;
const HOUR = 3600;
const tenths = (seconds: number) => Math.round((seconds / HOUR) * 10) / 10;

export class Usage {
  readonly #options: UsageOptions;
  readonly #file: string;
  #ledger: Ledger;
  #unlock: (() => void) | undefined;
  #stopListening: (() => void) | undefined;
  #seenAt: number | undefined;
  #lookedAt: number | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: UsageOptions) {
    this.#options = options;
    this.#file = join(options.folder, 'usage.json');
    this.#ledger = this.#read();
  }

  start(): void {
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
    this.#stopListening = this.#options.board.listen(() => this.#look());
    this.#look();
  }

  close(): void {
    this.#stopListening?.();
    if (this.#unlock !== undefined) this.#write();
    this.#unlock?.();
    this.#unlock = undefined;
  }

  get since(): string {
    return new Date(this.#ledger.since).toISOString();
  }

  of(name: string): CpuTime | undefined {
    return timeOf(this.#ledger.instances[name]);
  }

  ofUser(id: string): CpuTime | undefined {
    return timeOf(this.#ledger.users[id]);
  }

  /** The most first. */
  users(): readonly UserCpuTime[] {
    return Object.entries(this.#ledger.users)
      .map(([user, sum]) => ({
        user,
        hours: tenths(sum.cpuSeconds),
        notSeenHours: tenths(sum.notSeenSeconds),
      }))
      .toSorted((left, right) => right.hours - left.hours);
  }

  #look(): void {
    const { board } = this.#options;
    if (board.at === undefined || board.at === this.#seenAt) return;
    this.#seenAt = board.at;
    if (this.#unlock === undefined) {
      this.#unlock = takeLock(join(this.#options.folder, 'usage.lock'));
      // What another console has counted, which does it or did it.
      this.#ledger = this.#read();
      this.#lookedAt = undefined;
      if (this.#unlock === undefined) return;
    }
    const at = this.#monotonic();
    const seconds = this.#lookedAt === undefined ? undefined : (at - this.#lookedAt) / 1000;
    this.#lookedAt = at;
    this.#ledger = counted(this.#ledger, board.seen().map(seenOf), seconds, this.#now());
    if (at - this.#writtenAt < WRITE_MS) return;
    this.#writtenAt = at;
    this.#write();
  }

  #write(): void {
    try {
      replaceFileSync(this.#file, JSON.stringify(this.#ledger));
    } catch (error) {
      this.#options.onProblem(`The CPU hours cannot be written: ${(error as Error).message}`);
    }
  }

  #read(): Ledger {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyLedger(this.#now());
      throw error;
    }
    try {
      return ledgerSchema.parse(JSON.parse(text));
    } catch {
      this.#options.onProblem(
        `${this.#file} holds no CPU hours (${text.length} characters); it is kept as usage.damaged.json, and they are counted from now.`,
      );
      replaceFileSync(join(this.#options.folder, 'usage.damaged.json'), text);
      return emptyLedger(this.#now());
    }
  }

  #now = () => (this.#options.now ?? Date.now)();
  #monotonic = () => (this.#options.monotonic ?? (() => performance.now()))();
}

/** A pod that starts or saves has its CPUs, too. */
const seenOf = ({ name, owner = '', size, live, isPaused }: InstanceSummary): Seen => {
  const phase = live?.phase;
  const isKnown = phase !== undefined && phase !== 'unknown';
  const runs = phase === 'running' || phase === 'starting';
  return {
    name,
    owner,
    cpus: isKnown ? (runs ? (size?.cpuMillis ?? 0) / 1000 : 0) : isPaused ? 0 : undefined,
  };
};

const timeOf = (sum: { readonly cpuSeconds: number; readonly notSeenSeconds: number } | undefined) =>
  sum && { hours: tenths(sum.cpuSeconds), notSeenHours: tenths(sum.notSeenSeconds) };
