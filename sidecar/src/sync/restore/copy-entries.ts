import * as fs from 'node:fs/promises';
import type { Clock } from '../../clock.ts';
import {
  isSpaceError,
  joinPath,
  nameOf,
  parentOf,
  type ReadOnlySpace,
  SpaceError,
} from '../../spaces/space.ts';
import { besides } from '../names.ts';
import { forEachLimit } from '../pool.ts';
import { compactTime } from '../save/space-layout.ts';
import type { CopyEntry, CopyTree } from '../state/copy-tree.ts';
import { type LocalTree, utimesSeconds } from '../volume/local-tree.ts';
import { sidesOf } from '../volume/sqlite-set.ts';
import { comingFile, isSideName } from './database-sets.ts';
import { fetchFile } from './fetch-file.ts';

export interface CopyContext {
  readonly space: ReadOnlySpace;
  readonly tree: LocalTree;
  readonly clock: Clock;
  readonly scratch: string;
  readonly partials: string;
  readonly signal?: AbortSignal;
}

export interface Copied {
  files: number;
  bytes: number;
  /** Paths that files and links got; where there are none, those of folders. */
  readonly placed: string[];
  /** What the space does not have any more, as it was. */
  skipped: number;
  readonly missing: string[];
}

/** Saves of the running project come first. */
const AT_ONCE = 4;
/** Paths that are named, at most. */
const NAMED = 1_000;

/**
 * Copies entries of the space to places of the volume where nothing is, with modes, times and hard links. Nothing is
 * replaced: where a name is taken, it becomes `name (restored <time>)`. Saves may go on meanwhile.
 * @param place where an entry goes on the volume
 * @param isNew the folder that all goes to is a new one: what lies in it is known
 * @throws SpaceError; errors of the volume
 */
export async function copyEntries(
  context: CopyContext,
  entries: CopyTree,
  place: (path: string) => string,
  isNew: boolean,
): Promise<Copied> {
  return new Copier(context, entries, place, isNew).run();
}

class Copier {
  readonly #context: CopyContext;
  readonly #entries: CopyTree;
  readonly #place: (path: string) => string;
  readonly #isNew: boolean;
  readonly #result: Copied = { files: 0, bytes: 0, placed: [], skipped: 0, missing: [] };
  /** Folders whose name is taken by something else, or that of a folder above → where they go. */
  readonly #besides = new Map<string, string>();
  /** The folder of the last entry: the next one is in it, mostly. */
  #last = { folder: '', at: '' };
  readonly #made: string[] = [];
  /** Directories that were there before: they stay as they are. */
  readonly #known = new Set<string>();
  /** Link group → its first name. */
  readonly #groups = new Map<string, { readonly at: string; readonly hash: string | null }>();

  constructor(context: CopyContext, entries: CopyTree, place: (path: string) => string, isNew: boolean) {
    this.#context = context;
    this.#entries = entries;
    this.#place = place;
    this.#isNew = isNew;
  }

  async run(): Promise<Copied> {
    for (const entry of this.#entries.entries('directories')) await this.#directory(entry);
    const linked: CopyEntry[] = [];
    await forEachLimit(this.#entries.entries('leaves'), AT_ONCE, async (entry) => {
      // A second name is made from the first, and a side file comes after its database.
      if (entry.linkGroup !== null || isSideName(entry.path)) linked.push(entry);
      else await this.#leaf(entry);
    });
    for (const entry of linked) await this.#leaf(entry);
    this.#finish();
    if (this.#result.placed.length === 0) this.#result.placed.push(...this.#made);
    return this.#result;
  }

  /** Where a leaf goes: to its place, or beside what has taken the name of a folder on the way. */
  #to(path: string): string {
    const to = this.#place(path);
    return joinPath(this.#wayTo(parentOf(to)), nameOf(to));
  }

  #wayTo(folder: string): string {
    if (folder === '') return '';
    if (folder !== this.#last.folder) this.#last = { folder, at: this.#findWay(folder) };
    return this.#last.at;
  }

  #findWay(folder: string): string {
    const known = this.#besides.get(folder);
    if (known !== undefined) return known;
    const above = parentOf(folder);
    const at = joinPath(above === '' ? '' : this.#findWay(above), nameOf(folder));
    const found = this.#context.tree.look(at);
    if (found === null || found.kind === 'directory') return at;
    const free = besides(at, `restored ${compactTime(this.#context.clock.now())}`);
    this.#besides.set(folder, free);
    return free;
  }

  async #directory({ path }: CopyEntry): Promise<void> {
    const { tree } = this.#context;
    const at = this.#wayTo(this.#place(path));
    if (tree.look(at)?.kind === 'directory') {
      this.#known.add(path);
      return;
    }
    await tree.makeDirectory(at);
    if (this.#made.length < NAMED) this.#made.push(at);
  }

  async #leaf(entry: CopyEntry): Promise<void> {
    const to = this.#to(entry.path);
    await this.#context.tree.makeDirectory(parentOf(to));
    try {
      const at = entry.kind === 'symlink' ? await this.#link(entry, to) : await this.#file(entry, to);
      this.#note(at);
      this.#result.files += 1;
      this.#result.bytes += entry.size;
    } catch (error) {
      // It went away meanwhile, or is another version by now.
      if (!isSpaceError(error, 'not-found', 'transfer-broken', 'bad-range')) throw error;
      this.#result.skipped += 1;
      if (this.#result.missing.length < NAMED) this.#result.missing.push(entry.path);
    }
  }

  #note(path: string): void {
    if (this.#result.placed.length < NAMED) this.#result.placed.push(path);
  }

  async #link(entry: CopyEntry, to: string): Promise<string> {
    const { space, tree } = this.#context;
    const target = entry.target ?? (entry.at === null ? '' : await space.readSymlink(entry.at));
    const found = tree.look(to);
    if (found?.kind === 'symlink' && found.target === target) return to;
    const at = await this.#where(to, (path) => tree.newSymlink(target, path));
    if (entry.mtimeNs !== null) tree.setTimes(at, entry.mtimeNs);
    return at;
  }

  async #file(entry: CopyEntry, to: string): Promise<string> {
    const { space, tree, signal } = this.#context;
    const first = entry.linkGroup === null ? undefined : this.#groups.get(entry.linkGroup);
    if (first !== undefined && first.hash === entry.hash)
      return this.#where(to, (path) => tree.newLink(first.at, path));
    const from = entry.at as NonNullable<CopyEntry['at']>;
    // A replaced version is found by its id in the trash, also while it is copied.
    const found = await space.stat(from);
    if (found?.kind !== 'file' || found.size !== entry.size) throw notAsSaved(from.path);
    const fetched = await fetchFile(space, found, this.#context, { signal });
    try {
      if (entry.hash !== null && fetched.hash !== entry.hash) throw notAsSaved(from.path);
      if (entry.mode !== null) await fs.chmod(fetched.file, entry.mode);
      if (entry.mtimeNs !== null)
        await fs.utimes(fetched.file, utimesSeconds(entry.mtimeNs), utimesSeconds(entry.mtimeNs));
      const isDatabase = comingFile(fetched.file) === 'database';
      const at = await this.#where(to, (each) => tree.placeNew(fetched.file, each), isDatabase);
      if (entry.linkGroup !== null) this.#groups.set(entry.linkGroup, { at, hash: entry.hash });
      return at;
    } finally {
      await fs.rm(fetched.file, { force: true });
    }
  }

  /** Makes it at a name that is free. @returns the path that it got */
  async #where(path: string, make: (at: string) => Promise<void>, isDatabase = false): Promise<string> {
    const { tree, clock } = this.#context;
    for (let attempt = 0; ; attempt += 1) {
      const mark = `restored ${compactTime(clock.now())}${attempt < 2 ? '' : `-${attempt}`}`;
      const at = attempt === 0 ? path : besides(path, mark);
      // What lies beside a database would be taken for its own.
      if (isDatabase && !this.#isNew && sidesOf(tree.at(at)).length > 0 && attempt < 100) continue;
      try {
        await make(at);
        return at;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 100) throw error;
      }
    }
  }

  /** Directories get their modes and times last: what is made inside changes them. */
  #finish(): void {
    const { tree } = this.#context;
    for (const { path, mode, mtimeNs } of this.#entries.entries('directories', 'deepest')) {
      if (this.#known.has(path)) continue;
      const at = this.#wayTo(this.#place(path));
      if (tree.look(at)?.kind !== 'directory') continue;
      if (mtimeNs !== null) tree.setTimes(at, mtimeNs);
      if (mode !== null) tree.setMode(at, mode);
    }
  }
}

function notAsSaved(path: string): SpaceError {
  return new SpaceError('not-found', `${path}: the space has another version by now`, { path });
}
