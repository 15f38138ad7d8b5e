import type { FileProblems } from '../../../contract/status.ts';
import type { StateStore } from '../state/state.ts';
import { localFacts } from '../volume/file-copy.ts';

/** Files that a start could not bring, until others are saved in their places. */
export class MissingFiles {
  readonly #state: StateStore;
  #all: FileProblems;
  /** What the volume had there when the desktop opened: perhaps an older version. */
  readonly #before: ReadonlyMap<string, string | null>;

  constructor(state: StateStore, missing: FileProblems) {
    this.#state = state;
    this.#all = missing;
    this.#before = new Map(missing.items.map(({ path }) => [path, this.#saved(path)]));
  }

  /** After a save: those that are still missing. */
  left(): FileProblems {
    const items = this.#all.items.filter(({ path, isFolder }) => {
      const now = isFolder ? null : this.#saved(path);
      return now === null || now === this.#before.get(path);
    });
    this.#all = { total: this.#all.total - (this.#all.items.length - items.length), items };
    return this.#all;
  }

  #saved(path: string): string | null {
    const base = this.#state.base.get(path);
    return base === null || base.kind === 'directory' ? null : localFacts(base);
  }
}
