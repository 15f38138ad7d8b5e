import { type FSWatcher, lstatSync, readFileSync, statfsSync, watch, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { parentOf } from '../../spaces/space.ts';
import type { LocalTree } from './local-tree.ts';
import type { SeenDirectory } from './unchanged.ts';
import { Watched } from './watched.ts';

/**
 * File systems on which inotify reports every change: none of them can be changed by another machine.
 * @see linux/magic.h: ext, xfs, btrfs, tmpfs, f2fs, zfs
 */
const LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1]);
/** Each watched directory costs about 1.5 KiB of memory. */
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
  /** Called at each change that is seen. */
  readonly onChange?: () => void;
  readonly maxDirectories?: number;
  readonly looksBetweenFullOnes?: number;
}

/** A watch with the directory that it is of, so that all watches share their listeners. */
interface NodeWatcher extends FSWatcher {
  [WATCHED]?: Watched;
}

const WATCHED = Symbol('watched');

/**
 * Knows in which directories something may have happened since they were last looked at. Each is watched by inotify
 * from before it is read, and stays on the list until a look finds nothing new in it. Whatever may have been missed
 * makes the next look one at everything: a full queue of the kernel, a limit of watches, a late event, a
 * file system that other machines write.
 */
export class ChangeWatch {
  readonly #tree: LocalTree;
  readonly #options: ChangeWatchOptions;
  readonly #onChange: (type: string, name: string | Buffer | null) => void;
  readonly #onError = () => this.#turnOff('a watch failed');
  #root: Watched | null = null;
  #size = 0;
  readonly #dirty = new Set<string>();
  /** The kernel has one watch of an inode, which calls itself by the name that the first of ours had. */
  readonly #firsts = new Map<bigint, Watched>();
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
    const happened = this.#happened.bind(this);
    this.#onChange = function (this: NodeWatcher, type, name) {
      if (this[WATCHED] !== undefined) happened(this[WATCHED], type, name as Buffer | null);
    };
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
  requireFullScan(): void {
    this.#doubts += 1;
  }

  /** @returns directories to look at, parents first; null: all of them */
  async changed(): Promise<string[] | null> {
    if (this.#off !== null) return null;
    this.#looks += 1;
    if (this.#looks > (this.#options.looksBetweenFullOnes ?? LOOKS_BETWEEN_FULL_ONES)) return null;
    if (this.#doubts !== this.#settledDoubts) return null;
    if (!(await this.#eventsArrived())) this.requireFullScan();
    return this.#doubts === this.#settledDoubts ? [...this.#dirty].sort() : null;
  }

  /** Begins a look at everything. @returns to be called when it is complete */
  lookAtAll(): () => void {
    if (this.#off !== null) return () => undefined;
    const { ino: inode, ctimeNs } = lstatSync(this.#tree.root, { bigint: true });
    if (this.#root !== null && (this.#root.isStale || this.#root.inode !== inode)) {
      this.#drop(this.#root);
      this.#root = null;
    }
    this.#root ??= this.#add(null, '', { inode, ctimeNs });
    const doubts = this.#doubts;
    return () => {
      this.#settledDoubts = doubts;
      this.#looks = 0;
    };
  }

  /** Whether it is one of the directories that are known. */
  follows(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** To be called before a directory is read. */
  follow(path: string): void {
    if (this.#off !== null) return;
    this.#dirty.delete(path);
    const node = this.#find(path);
    if (node === undefined) return;
    node.events = 0;
    if (node.watcher === null) this.#open(node);
  }

  /**
   * To be called after a directory was read.
   * @param directories the directories in it, by name
   * @param isSettled there is nothing in it that the next look has to see again
   * @returns names of those in it that were not watched so far, and have to be looked at with all below them
   */
  looked(path: string, directories: ReadonlyMap<string, SeenDirectory>, isSettled: boolean): string[] {
    const node = this.#find(path);
    if (this.#off !== null || node === undefined) return [...directories.keys()];
    for (const [name, child] of node.children ?? []) {
      const entry = directories.get(name);
      if (!child.isStale && entry?.inode === child.inode) {
        child.ctimeNs = entry.ctimeNs;
        continue;
      }
      this.#drop(child);
      node.children?.delete(name);
    }
    const unknown: string[] = [];
    for (const [name, entry] of directories) {
      if (node.children?.has(name)) continue;
      node.children ??= new Map();
      node.children.set(name, this.#add(node, name, entry));
      unknown.push(name);
    }
    if (!isSettled || node.watcher === null) this.#dirty.add(path);
    return unknown;
  }

  close(): void {
    this.#off ??= 'it is closed';
    for (const { watcher } of this.#root?.all() ?? []) watcher?.close();
    this.#barrier?.close();
    this.#root = null;
    this.#firsts.clear();
    this.#dirty.clear();
  }

  #find(path: string): Watched | undefined {
    return this.#root?.find(path);
  }

  #add(parent: Watched | null, name: string, { inode, ctimeNs }: SeenDirectory): Watched {
    const node = new Watched(parent, name, inode, ctimeNs);
    this.#size += 1;
    // Until it has been read.
    this.#dirty.add(node.path);
    const limit = this.#options.maxDirectories ?? MAX_DIRECTORIES;
    if (this.#size > limit) this.#turnOff(`there are more than ${limit} directories`);
    return node;
  }

  #open(node: Watched): void {
    const at = this.#tree.at(node.path);
    try {
      const watcher: NodeWatcher = watch(at, { persistent: false, encoding: 'buffer' as never });
      watcher[WATCHED] = node;
      node.watcher = watcher;
      const first = this.#firsts.get(node.inode) ?? node;
      first.handles += 1;
      this.#firsts.set(node.inode, first);
      watcher.on('change', this.#onChange);
      watcher.on('error', this.#onError);
      // Its time is seen in the directory above, which was read before.
      if (lstatSync(at, { bigint: true }).ctimeNs !== node.ctimeNs) this.#dirty.add(parentOf(node.path));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      // It is on the list as long as it cannot be watched.
      if (!['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'].includes(code)) this.#turnOff((error as Error).message);
    }
  }

  #happened(node: Watched, type: string, name: Buffer | null): void {
    this.#count(1);
    if (this.#off !== null || node.isDropped) return;
    const { path } = node;
    this.#dirty.add(path);
    this.#options.onChange?.();
    node.events += 1;
    if (node.events === MUTED_AFTER) this.#mute(node);
    if (type !== 'rename') return;
    // Its own time has changed, which is seen in the directory above.
    this.#dirty.add(parentOf(path));
    const ofItself = name !== null && this.#ownNames(node).includes(name.toString('latin1'));
    if (name === null || (path === '' && ofItself)) {
      this.requireFullScan();
      if (path === '') node.isStale = true;
      return;
    }
    const child = node.children?.get(name.toString('utf8'));
    if (child !== undefined) child.isStale = true;
    // So an event of the directory itself looks; one of an entry with the same name does no harm.
    if (ofItself) node.isStale = true;
  }

  /** What an event of the directory itself may be called. */
  #ownNames(node: Watched): string[] {
    const first = this.#firsts.get(node.inode) ?? node;
    return [node, first].map(({ path }) => baseName(this.#tree.at(path)));
  }

  /** All events that wait arrive in one turn of the loop. As many as the kernel can hold: it may have dropped some. */
  #count(events: number): void {
    if (this.#burst === 0) {
      setImmediate(() => {
        this.#burst = 0;
      });
    }
    this.#burst += events;
    if (this.#burst >= this.#queueLimit / 2) this.requireFullScan();
  }

  #mute(node: Watched): void {
    const { watcher } = node;
    node.watcher = null;
    if (watcher !== null) this.#closeLater(watcher, node.inode);
  }

  #drop(node: Watched): void {
    for (const child of node.children?.values() ?? []) this.#drop(child);
    node.isDropped = true;
    this.#size -= 1;
    this.#dirty.delete(node.path);
    this.#mute(node);
  }

  /** Not before the events that wait now have arrived: those of a closed watch would not be counted. */
  #closeLater(watcher: FSWatcher, inode: bigint): void {
    setImmediate(() =>
      setImmediate(() => {
        watcher.close();
        this.#count(1);
        const first = this.#firsts.get(inode);
        if (first === undefined) return;
        first.handles -= 1;
        if (first.handles === 0) this.#firsts.delete(inode);
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
