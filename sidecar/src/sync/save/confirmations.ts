import type { FileProblems } from '../../../contract/status.ts';
import type { HeldBack } from '../plan/guards.ts';

/** What is agreed to by its number, so that nobody agrees to more than was seen. */
export type Counted = 'deletions' | 'missing' | 'unsaved';
export type Confirmation =
  | { readonly what: Counted; readonly count: number }
  | { readonly what: 'merge' | 'takeOver' };

const NOTHING: Record<Counted, string> = {
  deletions: 'no removals are held back',
  missing: 'no files of the project are missing',
  unsaved: 'no drain was refused for files that cannot be saved',
};
const OTHERS: Record<Counted, (count: number) => string> = {
  deletions: (count) => `${count} removals are held back`,
  missing: (count) => `${count} files of the project are missing`,
  unsaved: (count) => `${count} files or folders cannot be saved`,
};

/** What a person agreed to and nothing has used yet. */
export class Confirmations {
  merge = false;
  takeOver = false;
  /** So many removals in one save. */
  deletions = 0;
  /** So many files and folders that the next drain may leave unsaved, though they go with the volume. */
  unsaved = 0;
  #unsavedPaths = new Set<string>();
  /** Of a start that waits: number → what was asked about with it. What is missing may be another at each attempt. */
  readonly #missingAsked = new Map<number, FileProblems>();
  readonly #missingAgreed = { total: 0, paths: new Set<string>() };
  readonly #asked: Record<Counted, number> = { deletions: 0, missing: 0, unsaved: 0 };

  /** @throws where another number is asked about than the one that is agreed to */
  add(given: Confirmation): void {
    if (!('count' in given)) {
      this[given.what] = true;
      return;
    }
    const { what, count } = given;
    const asked = this.#asked[what];
    if (what === 'missing' && this.#agreeToMissing(count)) return;
    if (asked === 0) throw new Error(`${NOTHING[what]}, so there is nothing to confirm`);
    if (count !== asked) {
      throw new Error(
        `${OTHERS[what](asked)}, not ${count}. If that many are meant: ${confirmCommand(asked, what)}`,
      );
    }
    if (what !== 'missing') this[what] = count;
  }

  #agreeToMissing(count: number): boolean {
    const agreed = this.#missingAgreed;
    const asked = this.#missingAsked.get(count);
    if (asked === undefined) return false;
    for (const { path } of asked.items) agreed.paths.add(path);
    agreed.total = Math.max(agreed.total, count, agreed.paths.size);
    return true;
  }

  /** After a complete save. @param used what `deletions` was when it began; it counts for one save */
  saved(used: number, heldBack: HeldBack | null): void {
    this.#asked.deletions = heldBack?.removals ?? 0;
    if (used > 0 || heldBack === null) this.deletions = 0;
  }

  /**
   * A start waits for this to be agreed to; null: it does not any more, and what was agreed to before is over. Until then
   * an agreement counts for what was asked about with its number, also when another attempt has found another number.
   */
  askMissing(problems: FileProblems | null): void {
    this.#asked.missing = problems?.total ?? 0;
    if (problems === null) {
      this.#missingAsked.clear();
      this.#missingAgreed.total = 0;
      this.#missingAgreed.paths.clear();
    } else if (problems.total > 0) {
      this.#missingAsked.set(problems.total, problems);
    }
  }

  /** Whether a person has agreed to a desktop without these, as far as they are named. */
  mayOpenWithout({ total, items }: FileProblems): boolean {
    const { total: agreed, paths } = this.#missingAgreed;
    return total <= agreed && items.every(({ path }) => paths.has(path));
  }

  /** A drain was refused for these; null: it was not. What was agreed to before is over. */
  askUnsaved(problems: FileProblems | null): void {
    this.#asked.unsaved = problems?.total ?? 0;
    this.#unsavedPaths = new Set(problems?.items.map(({ path }) => path));
    this.unsaved = 0;
  }

  /** Whether a person has agreed to lose just these, as far as they are named, and no others. */
  mayLeave({ total, items }: FileProblems): boolean {
    return total <= this.unsaved && items.every(({ path }) => this.#unsavedPaths.has(path));
  }
}

export function confirmCommand(count: number, what: Counted = 'deletions'): string {
  return `sync confirm ${what} ${count}`;
}
