import type { FSWatcher } from 'node:fs';
import { joinPath } from '../../spaces/space.ts';

/**
 * A directory that is watched. There are thousands, so it is kept small: no path but its own name, and no map before
 * there is a directory in it.
 */
export class Watched {
  /** null for the root, which stands for the whole tree. */
  readonly parent: Watched | null;
  readonly name: string;
  readonly inode: bigint;
  /** As the look at the directory above saw it. */
  ctimeNs: bigint;
  /** The directories in it that are watched; null: none so far. */
  children: Map<string, Watched> | null = null;
  watcher: FSWatcher | null = null;
  events = 0;
  /** Watches of this inode that are open, where this is the first of them. */
  handles = 0;
  /** The directory at this path was moved, removed or replaced. */
  isStale = false;
  /** It is no part of the tree any more; events of its watch may still come. */
  isDropped = false;

  constructor(parent: Watched | null, name: string, inode: bigint, ctimeNs: bigint) {
    this.parent = parent;
    this.name = name;
    this.inode = inode;
    this.ctimeNs = ctimeNs;
  }

  get path(): string {
    return this.parent === null ? '' : joinPath(this.parent.path, this.name);
  }

  /** The watched directory at a path below this one. */
  find(path: string): Watched | undefined {
    if (path === '') return this;
    let node: Watched | undefined = this;
    for (const name of path.split('/')) node = node?.children?.get(name);
    return node;
  }

  /** Itself, and all below it. */
  *all(): Iterable<Watched> {
    yield this;
    for (const child of this.children?.values() ?? []) yield* child.all();
  }
}
