/** Which stacks a change concerns. Pure. */

export interface ChangedStacks {
  /** Stacks to preview, sorted. */
  readonly stacks: readonly string[];
  /** Stacks whose file the change takes away. */
  readonly removed: readonly string[];
  /** Stacks that would be previewed, were their names not what a shell, a workflow or Pulumi may take otherwise. */
  readonly refused: readonly string[];
  /** All stacks after the change whose names are allowed, sorted. */
  readonly existing: readonly string[];
  /** A sentence for the report. */
  readonly because: string;
}

const STACK_FILE = /^stacks\/Pulumi\.([^/]+)\.yaml$/s;
/** Pulumi's own rule, and no name that a command could take for an option. */
const STACK_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
export const STACK_NAME_RULE = '1 to 100 of A-Z, a-z, 0-9, "_", "." and "-", a letter or digit first';

/** What every stack is made of: the program, all that it imports or reads, the versions of its packages. */
const PROGRAM: readonly RegExp[] = [
  /^[^/]+\.(ts|mts|cts|js|mjs|cjs|json|yaml)$/,
  /^(components|sidecar\/contract)\//,
  /^stacks\/(?!Pulumi\.[^/]+\.yaml$)/s,
];
const WORDS_ALONE = /\.md$/;

/** What makes previews, judges the program, or brings changes to the instances. */
const GUARDS: readonly RegExp[] = [/^\.github\//, /^automation\//, /^policy\//, /^PulumiPolicy\.yaml$/];
export const isGuard = (file: string): boolean => GUARDS.some((pattern) => pattern.test(file));

function stackNameOf(file: string): string | undefined {
  return STACK_FILE.exec(file)?.[1];
}

/**
 * @param changedFiles paths from the root of the repository, of added, changed and deleted files
 * @param stackFiles the stacks' files that exist after the change
 * @param links of those, which are links, and to what file of the repository
 */
export function changedStacks(
  changedFiles: readonly string[],
  stackFiles: readonly string[],
  links: ReadonlyMap<string, string> = new Map(),
): ChangedStacks {
  const found = stackFiles.flatMap((file) => stackNameOf(file) ?? []).toSorted();
  const { existing = [], odd = [] } = Object.groupBy(found, (stack) =>
    STACK_NAME.test(stack) ? 'existing' : 'odd',
  );
  const changed = new Set(changedFiles);
  const throughLinks = [...links].flatMap(([file, target]) => (changed.has(target) ? [file] : []));
  const touched = new Set([...changedFiles, ...throughLinks].flatMap((file) => stackNameOf(file) ?? []));
  const removed = [...touched].filter((stack) => !found.includes(stack)).toSorted();
  const program = changedFiles.find(
    (file) => !WORDS_ALONE.test(file) && PROGRAM.some((pattern) => pattern.test(file)),
  );
  if (program !== undefined) {
    const because = `the program changed (${program} and perhaps others)`;
    return { stacks: existing, removed, refused: odd, existing, because };
  }
  const stacks = existing.filter((stack) => touched.has(stack));
  const refused = odd.filter((stack) => touched.has(stack));
  const because =
    stacks.length + removed.length + refused.length === 0
      ? 'neither the program nor a stack changed'
      : 'its file changed';
  return { stacks, removed, refused, existing, because };
}
