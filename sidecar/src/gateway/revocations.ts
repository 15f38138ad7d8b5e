import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { replaceFileSync } from '../replace-file.ts';

/** Logouts that are kept one by one; only who knows the password can make more. */
const MAX_ENTRIES = 10_000;
/** So many are kept whatever the clock says: one that is ahead for a moment makes nobody's logout undone. */
const KEPT_ENTRIES = 1_000;

const fileSchema = z.strictObject({
  version: z.literal(1),
  endedBefore: z.int(),
  kept: z.string(),
  revoked: z.array(z.tuple([z.uuid(), z.int()])),
});

export interface RevocationsOptions {
  /** Kept over a restart of the container; it holds ids of sessions, nothing secret. */
  readonly file: string;
  /** Age at which a session ends by itself, in ms. */
  readonly maxAgeMs: number;
  readonly now: () => number;
  readonly onProblem: (error: Error) => void;
}

/**
 * Which sessions have ended before their time. What cannot be remembered one by one ends every session of an earlier era.
 * An era is the time at which it began, or a little more: no session is opened in one that is over, whatever became of the
 * clock since.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  /** Session → its era. */
  readonly #revoked = new Map<string, number>();
  /** Sessions of an earlier era are over. */
  #endedBefore = 0;
  /** But this one. */
  #kept = '';

  constructor(options: RevocationsOptions) {
    this.#options = options;
    try {
      const kept = fileSchema.parse(JSON.parse(readFileSync(options.file, 'utf8')));
      this.#endedBefore = kept.endedBefore;
      this.#kept = kept.kept;
      for (const [id, era] of kept.revoked) this.#revoked.set(id, era);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#endedBefore = options.now();
      options.onProblem(
        new Error(`${options.file} cannot be read, so every session ends: users log in again.`, { cause }),
      );
    }
  }

  /** Of a session that is opened now. */
  get era(): number {
    return Math.max(this.#options.now(), this.#endedBefore);
  }

  has(id: string, era: number): boolean {
    return (era < this.#endedBefore && id !== this.#kept) || this.#revoked.has(id);
  }

  add(id: string, era: number): void {
    this.#revoked.set(id, era);
    if (id === this.#kept) this.#kept = '';
    const oldest = this.#options.now() - this.#options.maxAgeMs;
    for (const [each, at] of this.#revoked) {
      if (this.#revoked.size <= KEPT_ENTRIES) break;
      if (at <= oldest) this.#revoked.delete(each);
    }
    while (this.#revoked.size > MAX_ENTRIES) {
      const [first, at] = this.#revoked.entries().next().value as [string, number];
      this.#revoked.delete(first);
      this.#endedBefore = Math.max(this.#endedBefore, at + 1);
    }
    this.#save();
  }

  /** Ends all sessions but one. */
  endOthers(kept: string): void {
    this.#endedBefore = this.era + 1;
    this.#kept = kept;
    this.#save();
  }

  #save(): void {
    const { file, onProblem } = this.#options;
    const content: z.infer<typeof fileSchema> = {
      version: 1,
      endedBefore: this.#endedBefore,
      kept: this.#kept,
      revoked: [...this.#revoked],
    };
    try {
      replaceFileSync(file, JSON.stringify(content));
    } catch (cause) {
      onProblem(
        new Error(
          `${file} cannot be written (${(cause as NodeJS.ErrnoException).code}): after a restart of the gateway, ` +
            'sessions that have logged out are valid again until they end by age.',
          { cause },
        ),
      );
    }
  }
}
