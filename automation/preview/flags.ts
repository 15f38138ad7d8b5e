import type { Flag } from './report.ts';
import { loadStack } from './stack-preview.ts';

/** What flags are found by. */
export interface StackFacts {
  readonly stack: string;
  readonly namespace: string;
  /** Absent when the stack names none in clear. */
  readonly projectSpace?: string;
  readonly discards: boolean;
}

const MAX_NAMED = 5;

/** Undefined for a stack file that cannot be read: its own preview says so. */
export async function readFacts(directory: string, stack: string): Promise<StackFacts | undefined> {
  try {
    const { config, secretKeys } = await loadStack(directory, stack);
    const clear = (key: string) => (secretKeys.includes(key) ? undefined : config[key]);
    const projectSpace = clear('scipion:projectSpaceId');
    return {
      stack,
      namespace: clear('scipion:namespace') || stack,
      ...(projectSpace ? { projectSpace } : {}),
      discards: clear('scipion:discardUnsavedChanges') === 'true',
    };
  } catch {
    return undefined;
  }
}

/** The flags of each stack that has any, among all stacks that there are. Pure. */
export function flagsOf(all: readonly StackFacts[]): ReadonlyMap<string, readonly Flag[]> {
  const byNamespace = Map.groupBy(all, ({ namespace }) => namespace);
  const bySpace = Map.groupBy(all, ({ projectSpace }) => projectSpace);
  return new Map(
    all.flatMap((facts) => {
      const shared = (kind: Flag['kind'], group: readonly StackFacts[] = []): Flag[] => {
        const others = group.map(({ stack }) => stack).filter((stack) => stack !== facts.stack);
        if (others.length === 0) return [];
        return [{ kind, with: others.slice(0, MAX_NAMED), more: Math.max(0, others.length - MAX_NAMED) }];
      };
      const flags: Flag[] = [
        ...shared('namespace', byNamespace.get(facts.namespace)),
        ...(facts.projectSpace === undefined ? [] : shared('projectSpace', bySpace.get(facts.projectSpace))),
        ...(facts.discards ? [{ kind: 'discards' as const, with: [], more: 0 }] : []),
      ];
      return flags.length > 0 ? [[facts.stack, flags] as const] : [];
    }),
  );
}
