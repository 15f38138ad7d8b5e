import type { StateStore } from '../state/state.ts';
import { syncFiles } from '../volume/sync-files.ts';

/** Files that wait to be noted, at most; a crash costs as many comparisons. */
const MOST = 4_000;

export interface PlacedFile {
  /** In the space. */
  readonly path: string;
  /** Where it is; null where it is on the disk already. */
  readonly file: string | Buffer | null;
  /** Made in a transaction when it is there. */
  note(): void;
}

/**
 * Notes files as equal on both sides once they are on the disk, many at a time. A file that is noted and lost with the
 * power of the machine would look like one that the user has removed.
 */
export class PlacedFiles {
  readonly #state: StateStore;
  readonly #root: string;
  readonly #onFailed: (path: string, error: unknown) => void;
  #files: PlacedFile[] = [];
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param root of the volume
   * @param onFailed told of a file that could not be brought to the disk and is not noted
   */
  constructor(state: StateStore, root: string, onFailed: (path: string, error: unknown) => void) {
    this.#state = state;
    this.#root = root;
    this.#onFailed = onFailed;
  }

  /** @throws where earlier ones could not be noted */
  async add(placed: PlacedFile): Promise<void> {
    this.#files.push(placed);
    if (this.#files.length < MOST) return;
    // One batch goes to the disk while the next one is gathered.
    await this.#writing;
    // Several may have waited.
    if (this.#files.length >= MOST) this.#begin();
  }

  /** Resolves when all of them are noted. */
  async write(): Promise<void> {
    await this.#writing;
    if (this.#files.length > 0) this.#begin();
    await this.#writing;
  }

  #begin(): void {
    const files = this.#files;
    this.#files = [];
    this.#writing = this.#synced(files).then((placed) =>
      this.#state.transaction(() => {
        for (const { note } of placed) note();
      }),
    );
    // Told to whoever waits next.
    this.#writing.catch(() => undefined);
  }

  /** Those of them that are on the disk. */
  async #synced(files: PlacedFile[]): Promise<PlacedFile[]> {
    try {
      await syncFiles(
        this.#root,
        files.flatMap(({ file }) => (file === null ? [] : [file])),
      );
      return files;
    } catch {
      // Which of them it is only shows one by one.
    }
    const synced: PlacedFile[] = [];
    for (const placed of files) {
      try {
        if (placed.file !== null) await syncFiles(this.#root, [placed.file]);
        synced.push(placed);
      } catch (error) {
        this.#onFailed(placed.path, error);
      }
    }
    return synced;
  }
}
