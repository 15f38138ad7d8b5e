/** Which stacks a change concerns. Pure. */

export interface ChangedStacks {
  /** Stacks to preview, sorted. */
  readonly stacks: readonly string[];
  /** Stacks whose file the change takes away. */
  readonly removed: readonly string[];
  /** A sentence for the report. */
  readonly because: string;
}

const STACK_FILE = /^stacks\/Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/;

/** What every stack is made of: the program, what it imports, the versions of its packages. */
const PROGRAM: readonly RegExp[] = [
  /^index\.ts$/,
  /^node-version\.mjs$/,
  /^Pulumi\.yaml$/,
  /^package(-lock)?\.json$/,
  /^tsconfig\.json$/,
  /^components\/.*\.ts$/,
  /^stacks\/[^/]*\.ts$/,
  /^sidecar\/contract\/.*\.ts$/,
];

export function stackNameOf(file: string): string | undefined {
  return STACK_FILE.exec(file)?.[1];
}

/**
 * @param changedFiles paths from the root of the repository, of added, changed and deleted files
 * @param stackFiles the stacks' files that exist after the change
 */
export function changedStacks(changedFiles: readonly string[], stackFiles: readonly string[]): ChangedStacks {
  const existing = stackFiles.flatMap((file) => stackNameOf(file) ?? []).toSorted();
  const touched = new Set(changedFiles.flatMap((file) => stackNameOf(file) ?? []));
  const removed = [...touched].filter((stack) => !existing.includes(stack)).toSorted();
  const program = changedFiles.find((file) => PROGRAM.some((pattern) => pattern.test(file)));
  if (program !== undefined) {
    return { stacks: existing, removed, because: `the program changed (${program} and perhaps others)` };
  }
  const stacks = existing.filter((stack) => touched.has(stack));
  const because =
    stacks.length + removed.length === 0 ? 'neither the program nor a stack changed' : 'its file changed';
  return { stacks, removed, because };
}
