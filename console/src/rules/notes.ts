import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceFileSync } from '../../../automation/tools/replace-file.ts';
import { RULE_REASONS, type RuleReason } from '../view-types.ts';
import type { Note } from './judge.ts';

/** What is known of instances that are warned, and of those that were paused for it; it outlives the process. */

const noteSchema = z.object({
  warnedMs: z.number().min(0),
  isTold: z.boolean(),
  waitMs: z.number().min(0),
});
const entrySchema = z.object({
  idle: noteSchema.optional(),
  expiry: noteSchema.optional(),
  /** Why it is paused. */
  paused: z.enum(RULE_REASONS).optional(),
});
const fileSchema = z.record(z.string(), entrySchema);
type Entry = z.output<typeof entrySchema>;

export class RuleNotes {
  readonly #file: string;
  #entries: Map<string, Entry>;

  /** @param onDamaged it is begun anew, so that everybody is warned again before anything is paused */
  constructor(folder: string, onDamaged: (message: string) => void) {
    this.#file = join(folder, 'notes.json');
    this.#entries = new Map();
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return;
    }
    try {
      this.#entries = new Map(Object.entries(fileSchema.parse(JSON.parse(text))));
    } catch {
      onDamaged(
        `${this.#file} holds no notes of warnings (${text.length} characters); all warnings begin again.`,
      );
    }
  }

  of(name: string, why: RuleReason): Note | undefined {
    return this.#entries.get(name)?.[why];
  }

  paused(name: string): RuleReason | undefined {
    return this.#entries.get(name)?.paused;
  }

  set(name: string, why: RuleReason, note: Note | undefined): void {
    this.#change(name, { [why]: note });
  }

  setPaused(name: string, paused: RuleReason | undefined): void {
    this.#change(name, { paused });
  }

  /** Forgets all others. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
  }

  write(): void {
    const text = JSON.stringify(Object.fromEntries(this.#entries));
    replaceFileSync(this.#file, text);
  }

  #change(name: string, changes: { readonly [K in keyof Entry]: Entry[K] | undefined }): void {
    const all = { ...this.#entries.get(name), ...changes };
    const left = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    if (Object.keys(left).length === 0) this.#entries.delete(name);
    else this.#entries.set(name, left);
  }
}
