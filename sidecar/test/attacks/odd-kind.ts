import type { Kind } from './harness.ts';

/**
 * - `kept`: it is saved and comes back as it was.
 * - `named`: it stays behind; status and drain say so by its name, and the drain ends with code 3.
 * - `left`: by design it is not saved, and nobody waits for it: sockets, pipes, devices.
 * - `honest`: either of the first two, as the moment has it; what is said is true.
 */
export type Fate = 'kept' | 'named' | 'left' | 'honest';

export interface OddKind {
  readonly name: string;
  readonly fate: Fate;
  /** It is known to fail, for this reason, where a space of this kind is used. */
  readonly fails?: { readonly [kind in Kind]?: string };
  /** Puts it into this folder, which is its own. @returns a function that ends it, or nothing */
  readonly make: (folder: string) => unknown;
  /** What comes of it in a space that is a directory, where that is something else. */
  readonly inSpace?: Fate;
  /** A project space gives it another name, see Limits. */
  readonly isRenamed?: boolean;
  /** It stays root's. */
  readonly isForeign?: boolean;
  /** Where the content that comes back is not that of the end, as of a database that is being written. */
  readonly isAlive?: boolean;
}

/** Whether this path came through a link to `/etc`. */
export const isOfTheSystem = (path: string) => path.endsWith('/passwd');
