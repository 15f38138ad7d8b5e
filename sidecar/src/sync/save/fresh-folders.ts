import { crc32 } from 'node:zlib';
import { nameOf, parentOf, type Space, shortCalls } from '../../spaces/space.ts';
import { forEachLimit } from '../pool.ts';

/** What was just seen to hold nothing of anybody else's is taken to be so for this long. */
const FRESH_MS = 30_000;
const MAX_FOLDERS = 10_000;
/** So many places are looked at one by one rather than by a listing of their folder. */
const FEW = 2;
/** A listing that takes longer costs more than it saves. */
const LONG_LISTING_MS = FRESH_MS / 10;

interface Folder {
  /** When it was last known to hold nothing else, in ms. */
  at: number;
  /** What this save has put there: how many entries, and the sum of their names' checksums. */
  entries: number;
  names: number;
}

/**
 * Folders that a save has made itself: a place in them need not be looked at before something is moved there. In one that
 * takes long to fill a listing says from time to time whether nobody else has put anything there. It counts only where
 * it shows all that this save put there, and nothing else: one that leaves out entries is not believed.
 */
export class FreshFolders {
  readonly #space: Space;
  readonly #folders = new Map<string, Folder>();

  constructor(space: Space) {
    this.#space = space;
  }

  /** The folder was made by this save. */
  made(path: string): void {
    this.put(path);
    this.#folders.set(path, { at: performance.now(), entries: 0, names: 0 });
    const [oldest] = this.#folders.keys();
    if (this.#folders.size > MAX_FOLDERS && oldest !== undefined) this.#folders.delete(oldest);
  }

  /** This save has put something where nothing was. */
  put(path: string): void {
    const folder = this.#folders.get(parentOf(path));
    if (folder === undefined) return;
    folder.entries += 1;
    folder.names += crc32(nameOf(path));
  }

  /** Whether nobody else can have put anything there. */
  isFree(path: string): boolean {
    const folder = this.#folders.get(parentOf(path));
    return folder !== undefined && performance.now() - folder.at < FRESH_MS;
  }

  /** Before these places are filled, and while nothing is on its way into their folders. */
  async renew(places: Iterable<string>): Promise<void> {
    const wanted = new Map<string, number>();
    for (const place of places) {
      const path = parentOf(place);
      const folder = this.#folders.get(path);
      if (folder === undefined || performance.now() - folder.at < FRESH_MS / 2) continue;
      wanted.set(path, (wanted.get(path) ?? 0) + 1);
    }
    const many = [...wanted].filter(([, count]) => count > FEW).map(([path]) => path);
    await forEachLimit(
      many,
      () => shortCalls(this.#space.capabilities),
      (path) => this.#look(path),
    );
  }

  async #look(path: string): Promise<void> {
    const folder = this.#folders.get(path);
    if (folder === undefined) return;
    const at = performance.now();
    const isSame = await this.#holdsOnly(path, folder).catch(() => false);
    if (isSame) folder.at = at;
    if (!isSame || performance.now() - at > LONG_LISTING_MS) this.#folders.delete(path);
  }

  async #holdsOnly(path: string, { entries, names }: Folder): Promise<boolean> {
    let [left, sum] = [entries, 0];
    for await (const { name } of this.#space.list({ path })) {
      left -= 1;
      sum += crc32(name);
      if (left < 0) return false;
    }
    return left === 0 && sum === names;
  }
}
