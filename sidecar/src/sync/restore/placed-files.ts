import type { StateStore } from '../state/state.ts';
import { syncFiles } from '../volume/sync-files.ts';

/** Files that wait to be noted, at most; a crash costs as many comparisons. */
const MOST = 4_000;

/**
 * Notes files as equal on both sides once they are on the disk, many at a time. A file that is noted and lost with the
 * power of the machine would look like one that the user has removed.
 */
export class PlacedFiles {
  readonly #state: StateStore;
  readonly #root: string;
  #files: (string | Buffer)[] = [];
  #notes: (() => void)[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** @param root of the volume */
  constructor(state: StateStore, root: string) {
    this.#state = state;
    this.#root = root;
  }

  /**
   * @param file where it is; null where it is on the disk already
   * @param note made in a transaction when it is there
   * @throws where earlier ones could not be brought to the disk
   */
  async add(file: string | Buffer | null, note: () => void): Promise<void> {
    if (file !== null) this.#files.push(file);
    this.#notes.push(note);
    if (this.#notes.length < MOST) return;
    // One batch goes to the disk while the next one is gathered.
    await this.#writing;
    // Several may have waited.
    if (this.#notes.length >= MOST) this.#begin();
  }

  /** Resolves when all of them are noted. */
  async write(): Promise<void> {
    await this.#writing;
    if (this.#notes.length > 0) this.#begin();
    await this.#writing;
  }

  #begin(): void {
    const [files, notes] = [this.#files, this.#notes];
    this.#files = [];
    this.#notes = [];
    this.#writing = syncFiles(this.#root, files).then(() =>
      this.#state.transaction(() => {
        for (const note of notes) note();
      }),
    );
    // Told to whoever waits next.
    this.#writing.catch(() => undefined);
  }
}
