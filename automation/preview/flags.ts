import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadWithoutSecrets } from '../recording/config.ts';
import type { Flag } from './report.ts';
import { fileName, loadStack } from './stack-preview.ts';

/** What flags are found by. */
export interface StackFacts {
  readonly stack: string;
  readonly namespace: string;
  /** Absent when the stack names none in clear. */
  readonly projectSpace?: string;
  readonly discards: boolean;
  /** What no manifest shows: name of the key → its text. Never shown; it may hold a secret. */
  readonly unseen: Readonly<Record<string, string>>;
}

const MAX_NAMED = 5;
const OWN = 'scipion:';

/** What no manifest shows, of the base: each stack's, and what a stack has that is not there yet. */
export interface Before {
  readonly site: StackFacts['unseen'];
  readonly stacks: ReadonlyMap<string, StackFacts>;
}

/** Undefined where the base cannot be read: nothing is compared then. */
export async function readBefore(
  directory: string | undefined,
  facts: readonly (StackFacts | undefined)[],
): Promise<Before | undefined> {
  if (directory === undefined) return undefined;
  try {
    const { config } = await loadWithoutSecrets(directory, 'a-stack-that-is-not-there');
    const site = { ...othersOf(config), ...(await headOf(directory, 'Pulumi.yaml')) };
    const known = facts.flatMap((each) => (each === undefined ? [] : [[each.stack, each] as const]));
    return { site, stacks: new Map(known) };
  } catch {
    return undefined;
  }
}

const othersOf = (config: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith(OWN)));

/** Undefined for a stack file that cannot be read: its own preview says so. */
export async function readFacts(directory: string, stack: string): Promise<StackFacts | undefined> {
  try {
    const { config, secretKeys } = await loadStack(directory, stack);
    // As the program reads them.
    const clear = (key: string) => (secretKeys.includes(key) ? undefined : config[key]?.trim());
    const projectSpace = clear('scipion:projectSpaceId');
    return {
      stack,
      namespace: clear('scipion:namespace') || stack,
      ...(projectSpace ? { projectSpace } : {}),
      discards: clear('scipion:discardUnsavedChanges') === 'true',
      unseen: {
        ...othersOf(config),
        ...(await headOf(directory, fileName(stack))),
        ...(await headOf(directory, 'Pulumi.yaml')),
      },
    };
  } catch {
    return undefined;
  }
}

/** Everything of a file of Pulumi but the configuration: backend, runtime, who keeps the secrets. */
async function headOf(directory: string, file: string): Promise<Record<string, string>> {
  const content: unknown = parse(await readFile(join(directory, file), 'utf8'), { merge: true });
  if (typeof content !== 'object' || content === null) return {};
  const { config: _, description: __, ...head } = content as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(head).map(([key, value]) => [`${key} of ${file}`, JSON.stringify(value)]),
  );
}

/** Keys that are not as they were. */
function unseenChanges({ site, stacks }: Before, after: StackFacts): string[] {
  const known = stacks.get(after.stack)?.unseen ?? site;
  const keys = [...new Set([...Object.keys(known), ...Object.keys(after.unseen)])].toSorted();
  return keys.filter((key) => known[key] !== after.unseen[key]);
}

/** The flags of each stack that has any, among all stacks that there are. Pure. */
export function flagsOf(all: readonly StackFacts[], before?: Before): ReadonlyMap<string, readonly Flag[]> {
  const byNamespace = Map.groupBy(all, ({ namespace }) => namespace);
  const bySpace = Map.groupBy(all, ({ projectSpace }) => projectSpace);
  const named = (kind: Flag['kind'], names: readonly string[]): Flag[] =>
    names.length === 0
      ? []
      : [{ kind, with: names.slice(0, MAX_NAMED), more: Math.max(0, names.length - MAX_NAMED) }];
  return new Map(
    all.flatMap((facts) => {
      const shared = (kind: Flag['kind'], group: readonly StackFacts[] = []): Flag[] =>
        named(
          kind,
          group.map(({ stack }) => stack).filter((stack) => stack !== facts.stack),
        );
      const flags: Flag[] = [
        ...shared('namespace', byNamespace.get(facts.namespace)),
        ...(facts.projectSpace === undefined ? [] : shared('projectSpace', bySpace.get(facts.projectSpace))),
        ...(facts.discards ? [{ kind: 'discards' as const, with: [], more: 0 }] : []),
        ...(before === undefined ? [] : named('unseen', unseenChanges(before, facts))),
      ];
      return flags.length > 0 ? [[facts.stack, flags] as const] : [];
    }),
  );
}
