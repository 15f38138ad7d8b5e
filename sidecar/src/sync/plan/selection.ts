import picomatch from 'picomatch';

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
  readonly #includes: readonly ((path: string) => boolean)[];
  /** Directories before the first wildcard of each pattern: on the way there nothing is left out. */
  readonly #bases: readonly string[];
  readonly #excludes: readonly ((path: string) => boolean)[];

  constructor({ include, exclude }: SelectionPatterns) {
    this.key = include.length + exclude.length === 0 ? null : JSON.stringify({ include, exclude });
    const wanted = include.map(normal);
    this.#includes = wanted.map(matcher);
    this.#bases = wanted.map((pattern) => picomatch.scan(pattern).base);
    this.#excludes = exclude.map(normal).map(matcher);
  }

  /** Whether it is copied, or, for a directory, may hold something that is. */
  has(path: string, isDirectory: boolean): boolean {
    const paths = withParents(path);
    if (this.#excludes.some((matches) => paths.some(matches))) return false;
    if (this.#includes.length === 0) return true;
    if (this.#includes.some((matches) => paths.some(matches))) return true;
    return isDirectory && this.#bases.some((base) => isOnTheWay(path, base));
  }
}

function matcher(pattern: string): (path: string) => boolean {
  const matches = picomatch(pattern, { dot: true, nonegate: true });
  // A second argument, as `some` gives one, would ask for more than yes or no.
  return (path) => matches(path);
}

function normal(pattern: string): string {
  return pattern.replace(/^\/+|\/+$/g, '');
}

function withParents(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function isOnTheWay(path: string, base: string): boolean {
  return base === '' || `${base}/`.startsWith(`${path}/`) || path.startsWith(`${base}/`);
}
