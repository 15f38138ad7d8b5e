import { Glob } from '../../../contract/glob.ts';

/** Which part of the source space is copied: what matches a pattern to include, and none to exclude. */
export interface SelectionPatterns {
  /** Empty: everything. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * Patterns match paths from the root of the space: `*` within a name, `**` over directories, `{a,b}`, `[0-9]`; names
 * that begin with a dot are like others. A pattern that matches a directory stands for everything in it.
 */
export class Selection {
  /** Equal for equal patterns; null: there are none. */
  readonly key: string | null;
  readonly #includes: readonly Glob[];
  readonly #excludes: readonly Glob[];

  /** @throws Error for a pattern that is none; the program judges them before. */
  constructor({ include, exclude }: SelectionPatterns) {
    this.key = include.length + exclude.length === 0 ? null : JSON.stringify({ include, exclude });
    this.#includes = include.map(globOf);
    this.#excludes = exclude.map(globOf);
  }

  /** Whether it is copied, or, for a directory, may hold something that is. */
  has(path: string, isDirectory: boolean): boolean {
    const names = path.split('/');
    const isIn = (glob: Glob) => names.some((_, index) => glob.matches(names, index + 1));
    if (this.#excludes.some(isIn)) return false;
    if (this.#includes.length === 0 || this.#includes.some(isIn)) return true;
    return isDirectory && this.#includes.some(({ bases }) => bases.some((base) => isOnTheWay(path, base)));
  }
}

function globOf(pattern: string): Glob {
  const glob = Glob.parse(pattern);
  if (glob) return glob;
  throw new Error(
    `The pattern ${JSON.stringify(pattern)} cannot be used: expected *, **, ?, [a-z], {a,b} with their brackets closed, inside the space. Change scipion:sourceInclude or scipion:sourceExclude.`,
  );
}

function isOnTheWay(path: string, base: string): boolean {
  return base === '' || `${base}/`.startsWith(`${path}/`) || path.startsWith(`${base}/`);
}
