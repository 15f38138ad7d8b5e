import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { OPENING_TOLERANCE_SECONDS, type Opening } from '../../contract/opening-code.ts';
import { replaceFileSync } from '../replace-file.ts';

const TOLERANCE_MS = OPENING_TOLERANCE_SECONDS * 1000;

const fileSchema = z.strictObject({
  version: z.literal(1),
  since: z.int(),
  used: z.array(z.tuple([z.string(), z.int()])),
});

export interface UsedCodesOptions {
  /** Kept over a restart of the container; it holds ids, nothing secret. */
  readonly file: string;
  readonly onProblem: (error: Error) => void;
  /** In ms since 1970. */
  readonly now: () => number;
}

/**
 * Which codes of a console were used. Where nothing is known of the time before, as in a new pod, a code that was made
 * before counts as used; and a code whose use cannot be written down opens nothing.
 */
export class UsedCodes {
  readonly #options: UsedCodesOptions;
  /** Id → when it ends by itself. */
  readonly #used = new Map<string, number>();
  /** Codes that were made earlier were perhaps used. */
  #since: number;

  constructor(options: UsedCodesOptions) {
    this.#options = options;
    this.#since = options.now();
    try {
      const kept = fileSchema.parse(JSON.parse(readFileSync(options.file, 'utf8')));
      this.#since = kept.since;
      for (const [id, endsAt] of kept.used) this.#used.set(id, endsAt);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
        options.onProblem(
          new Error(`${options.file} cannot be read, so codes that a console made before now open nothing.`, {
            cause,
          }),
        );
      }
      this.#save();
    }
  }

  /**
   * Uses a code up; false when it was used, or may have been. One that a clock made which is ahead is waited for, at
   * most by the tolerance: so none is used before its time, and whatever began later than that knows it for used.
   */
  async take({ id, madeAt, endsAt }: Opening): Promise<boolean> {
    const early = madeAt - this.#options.now();
    if (early > 0) await setTimeout(Math.min(early, TOLERANCE_MS));
    const now = this.#options.now();
    // The clock was ahead when this began, and was put right: else no code would be taken until it is that late again.
    if (this.#since > now) this.#since = now;
    if (madeAt < this.#since || this.#used.has(id)) return false;
    for (const [each, end] of this.#used) if (end + TOLERANCE_MS < now) this.#used.delete(each);
    this.#used.set(id, endsAt);
    return this.#save();
  }

  #save(): boolean {
    const { file, onProblem } = this.#options;
    const content: z.infer<typeof fileSchema> = { version: 1, since: this.#since, used: [...this.#used] };
    try {
      replaceFileSync(file, JSON.stringify(content));
      return true;
    } catch (cause) {
      onProblem(
        new Error(
          `${file} cannot be written (${(cause as NodeJS.ErrnoException).code}), so codes of a console open nothing.`,
          { cause },
        ),
      );
      return false;
    }
  }
}
