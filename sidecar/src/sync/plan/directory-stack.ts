import { joinPath } from '../../spaces/space.ts';

export interface Place {
  readonly directory: string;
  /**
   * It is no directory of the volume, so nothing below it is: the disk is not asked. Where a link has taken its place,
   * the path would lead to the files behind the link, as if they were still here.
   */
  readonly isGone: boolean;
}

interface Siblings {
  readonly parent: string;
  readonly names: string[];
  readonly isGone: boolean;
}

/** The places that a walk still has to go to; the last ones come first. Paths are only made when their turn comes. */
export class DirectoryStack {
  readonly #stack: Siblings[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param names of directories in `parent`; of the root itself, the empty one */
  add(parent: string, names: Iterable<string>, isGone = false): void {
    const siblings = { parent, names: [...names], isGone };
    if (siblings.names.length === 0) return;
    this.#stack.push(siblings);
    this.#size += siblings.names.length;
  }

  next(): Place | undefined {
    const siblings = this.#stack.at(-1);
    const name = siblings?.names.pop();
    if (siblings === undefined || name === undefined) return undefined;
    if (siblings.names.length === 0) this.#stack.pop();
    this.#size -= 1;
    return { directory: joinPath(siblings.parent, name), isGone: siblings.isGone };
  }

  /** At most so many of the next ones, as long as they are there. */
  nextPresent(limit: number): string[] {
    const directories: string[] = [];
    while (directories.length < limit && this.#stack.at(-1)?.isGone === false) {
      const place = this.next();
      if (place !== undefined) directories.push(place.directory);
    }
    return directories;
  }
}
