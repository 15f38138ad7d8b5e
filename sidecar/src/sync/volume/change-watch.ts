import { type FSWatcher, lstatSync, readFileSync, statfsSync, watch, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalEntry } from '../model.ts';
import { joinPath, parentOf } from '../spaces/space.ts';
import type { LocalTree } from './local-tree.ts';

/**
 * File systems on which inotify reports every change: none of them can be changed by another machine.
 * @see linux/magic.h: ext, xfs, btrfs, tmpfs, f2fs, zfs
 */
const LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1]);
/** Each watched directory costs 3 to 4 KiB of memory. */
const MAX_DIRECTORIES = 25_000;
/** Looks at changed directories before one at everything: a change through a memory map makes no event. */
const LOOKS_BETWEEN_FULL_ONES = 12;
/** More events of one directory say nothing new before the next look. */
const MUTED_AFTER = 64;
const BARRIER_MS = 5_000;

export interface ChangeWatchOptions {
  /** Folder on the file system of the tree, for files by which events are known to have arrived. */
  readonly folder: string;
  /** Called once, where looks at changed directories alone are not possible, with the reason. */
  readonly onOff?: (reason: string) => void;
  readonly maxDirectories?: number;
  readonly looksBetweenFullOnes?: number;
}

interface Watched {
  readonly path: string;
  readonly inode: bigint;
  /** As the look at the directory above saw it. */
  ctimeNs: bigint;
  readonly children: Map<string, Watched>;
  watcher: FSWatcher | null;
  events: number;
  /** The directory at this path was moved, removed or replaced. */
  isStale: boolean;
}

/**
 * Knows in which directories something may have happened since they were last looked at. Each is watched by inotify
 * from before it is read, and stays on the list until a look finds nothing new in it. Whatever may have been missed
 * makes the next look one at everything: a full queue of the kernel, a limit of watches, a late event, a
 * file system that other machines write.
 */
export class ChangeWatch {
  readonly #tree: LocalTree;
  readonly #options: ChangeWatchOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #dirty = new Set<string>();
  /** Names by which the kernel's watch of an inode calls itself: that of its first path. */
  readonly #ownNames = new Map<bigint, { name: string; handles: number }>();
  readonly #queueLimit = queueLimit();
  #off: string | null = null;
  #doubts = 1;
  #settledDoubts = 0;
  #looks = 0;
  #burst = 0;
  #barrier: FSWatcher | null = null;
  #barriers = 0;
  #onBarrier: ((name: string) => void) | null = null;

  constructor(tree: LocalTree, options: ChangeWatchOptions) {
    this.#tree = tree;
    this.#options = options;
    try {
      if (!LOCAL_FILE_SYSTEMS.has(statfsSync(tree.root).type))
        this.#turnOff('the file system is not a local one');
    } catch (error) {
      this.#turnOff((error as Error).message);
    }
  }

  /** Why nothing is watched; null where it is. */
  get offReason(): string | null {
    return this.#off;
  }

  /** Something may have happened that no event tells of: the next look is one at everything. */
  doubt(): void {
    this.#doubts += 1;
  }

  /** @returns directories to look at, parents first; null: all of them */
  async changed(): Promise<string[] | null> {
    if (this.#off !== null) return null;
    this.#looks += 1;
    if (this.#looks > (this.#options.looksBetweenFullOnes ?? LOOKS_BETWEEN_FULL_ONES)) return null;
    if (this.#doubts !== this.#settledDoubts) return null;
    if (!(await this.#eventsArrived())) this.doubt();
    return this.#doubts === this.#settledDoubts ? [...this.#dirty].sort() : null;
  }

  /** Begins a look at everything. @returns to be called when it is complete */
  lookAtAll(): () => void {
    if (this.#off !== null) return () => undefined;
    const { ino: inode, ctimeNs } = lstatSync(this.#tree.root, { bigint: true });
    const root = this.#watched.get('');
    if (root !== undefined && (root.isStale || root.inode !== inode)) this.#drop(root);
    if (!this.#watched.has('')) this.#add('', { inode, ctimeNs });
    const doubts = this.#doubts;
    return () => {
      this.#settledDoubts = doubts;
      this.#looks = 0;
    };
  }

  /** Whether it is one of the directories that are known. */
  follows(path: string): boolean {
    return this.#watched.has(path);
  }

  /** To be called before a directory is read. */
  follow(path: string): void {
    if (this.#off !== null) return;
    this.#dirty.delete(path);
    const node = this.#watched.get(path);
    if (node === undefined) return;
    node.events = 0;
    if (node.watcher === null) this.#open(node);
  }

  /**
   * To be called after a directory was read.
   * @param directories the directories in it, by name
   * @param isSettled there is nothing in it that the next look has to see again
   * @returns those in it that were not watched so far, and have to be looked at with all below them
   */
  looked(path: string, directories: ReadonlyMap<string, LocalEntry>, isSettled: boolean): string[] {
    const node = this.#watched.get(path);
    if (this.#off !== null || node === undefined)
      return [...directories.keys()].map((name) => joinPath(path, name));
    for (const [name, child] of node.children) {
      const entry = directories.get(name);
      if (!child.isStale && entry?.inode === child.inode) {
        child.ctimeNs = entry.ctimeNs;
        continue;
      }
      this.#drop(child);
      node.children.delete(name);
    }
    const unknown: string[] = [];
    for (const [name, entry] of directories) {
      if (node.children.has(name)) continue;
      const child = this.#add(entry.path, entry);
      node.children.set(name, child);
      unknown.push(child.path);
    }
    if (!isSettled || node.watcher === null) this.#dirty.add(path);
    return unknown;
  }

  close(): void {
    this.#off ??= 'it is closed';
    for (const { watcher } of this.#watched.values()) watcher?.close();
    this.#barrier?.close();
    this.#watched.clear();
    this.#dirty.clear();
  }

  #add(path: string, { inode, ctimeNs }: Pick<LocalEntry, 'inode' | 'ctimeNs'>): Watched {
    const node: Watched = {
      path,
      inode,
      ctimeNs,
      children: new Map(),
      watcher: null,
      events: 0,
      isStale: false,
    };
    this.#watched.set(path, node);
    // Until it has been read.
    this.#dirty.add(path);
    const limit = this.#options.maxDirectories ?? MAX_DIRECTORIES;
    if (this.#watched.size > limit) this.#turnOff(`there are more than ${limit} directories`);
    return node;
  }

  #open(node: Watched): void {
    const at = this.#tree.at(node.path);
    try {
      const watcher = watch(at, { persistent: false, encoding: 'buffer' as never });
      node.watcher = watcher;
      const own = baseName(at);
      const known = this.#ownNames.get(node.inode) ?? { name: own, handles: 0 };
      known.handles += 1;
      this.#ownNames.set(node.inode, known);
      const ownNames = [own, known.name];
      watcher.on('change', (type, name) =>
        this.#happened(node, type, name as unknown as Buffer | null, ownNames),
      );
      watcher.on('error', () => this.#turnOff('a watch failed'));
      // Its time is seen in the directory above, which was read before.
      if (lstatSync(at, { bigint: true }).ctimeNs !== node.ctimeNs) this.#dirty.add(parentOf(node.path));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // It is on the list as long as it cannot be watched.
      if (!['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'].includes(code)) this.#turnOff((error as Error).message);
    }
  }

  #happened(node: Watched, type: string, name: Buffer | null, ownNames: readonly string[]): void {
    this.#count(1);
    if (this.#off !== null || this.#watched.get(node.path) !== node) return;
    this.#dirty.add(node.path);
    node.events += 1;
    if (node.events === MUTED_AFTER) this.#mute(node);
    if (type !== 'rename') return;
    // Its own time has changed, which is seen in the directory above.
    this.#dirty.add(parentOf(node.path));
    if (name === null || (node.path === '' && ownNames.includes(name.toString('latin1')))) {
      this.doubt();
      if (node.path === '') node.isStale = true;
      return;
    }
    const child = node.children.get(name.toString('utf8'));
    if (child !== undefined) child.isStale = true;
    // So an event of the directory itself looks; one of an entry with the same name does no harm.
    if (ownNames.includes(name.toString('latin1'))) node.isStale = true;
  }

  /** All events that wait arrive in one turn of the loop. As many as the kernel can hold: it may have dropped some. */
  #count(events: number): void {
    if (this.#burst === 0) {
      setImmediate(() => {
        this.#burst = 0;
      });
    }
    this.#burst += events;
    if (this.#burst >= this.#queueLimit / 2) this.doubt();
  }

  #mute(node: Watched): void {
    const { watcher } = node;
    node.watcher = null;
    if (watcher !== null) this.#closeLater(watcher, node.inode);
  }

  #drop(node: Watched): void {
    for (const child of node.children.values()) this.#drop(child);
    this.#watched.delete(node.path);
    this.#dirty.delete(node.path);
    this.#mute(node);
  }

  /** Not before the events that wait now have arrived: those of a closed watch would not be counted. */
  #closeLater(watcher: FSWatcher, inode: bigint): void {
    setImmediate(() =>
      setImmediate(() => {
        watcher.close();
        this.#count(1);
        const known = this.#ownNames.get(inode);
        if (known === undefined) return;
        known.handles -= 1;
        if (known.handles === 0) this.#ownNames.delete(inode);
      }),
    );
  }

  /** Whether every event of what happened before the call is here: events keep their order, and this makes one. */
  async #eventsArrived(): Promise<boolean> {
    const { folder } = this.#options;
    this.#barriers += 1;
    const name = `look-${this.#barriers}`;
    let timer: NodeJS.Timeout | undefined;
    try {
      await fs.mkdir(folder, { recursive: true });
      this.#barrier ??= watch(folder, { persistent: false }, (_type, found) =>
        this.#onBarrier?.(String(found)),
      );
      const arrived = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), BARRIER_MS);
        this.#onBarrier = (found) => {
          if (found === name) resolve(true);
        };
      });
      writeFileSync(join(folder, name), '');
      return await arrived;
    } catch {
      // A full or broken volume: the save itself will say so.
      return false;
    } finally {
      clearTimeout(timer);
      this.#onBarrier = null;
      await fs.unlink(join(folder, name)).catch(() => undefined);
    }
  }

  #turnOff(reason: string): void {
    if (this.#off !== null) return;
    this.#off = reason;
    this.close();
    this.#options.onOff?.(reason);
  }
}

function baseName(path: Buffer): string {
  return path.subarray(path.lastIndexOf('/') + 1).toString('latin1');
}

function queueLimit(): number {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8')) || 16_384;
  } catch {
    return 16_384;
  }
}
