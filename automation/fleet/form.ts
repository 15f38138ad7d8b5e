import { notesOf } from '../../stacks/fields.ts';
import { SETTING_FIELDS } from '../../stacks/schema.ts';
import { cpuQuantity } from '../../stacks/units.ts';
import type { InstanceSummary } from './instances.ts';
import { problemsOfKey, type StackValues, type Tokens, type Values, withChanges } from './settings.ts';
import type { ReadableSpace } from './token-spaces.ts';

/** What a new instance is asked for, by the questions of a terminal and by the form of a page. Pure. */

/** In the order in which it is asked. */
export const FORM_LABELS = {
  sourceSpaceId: 'space with the raw data',
  projectSpaceId: 'space that keeps your work',
  onedataHost: 'provider of both spaces',
  version: 'Scipion release',
  cpuGuaranteed: 'CPUs that are always there',
  cpuLimit: 'CPUs that may be used where others leave them',
  memory: 'memory',
  sourceVolumeSize: 'volume for the copy of the raw data',
  projectVolumeSize: 'volume for your work',
} as const;
export type FormKey = keyof typeof FORM_LABELS;
export const FORM_KEYS = Object.keys(FORM_LABELS) as readonly FormKey[];

/** Those that a number, a size or a choice answers; what is left is found by the tokens. */
export const SIZE_KEYS = [
  'version',
  'cpuGuaranteed',
  'cpuLimit',
  'memory',
  'sourceVolumeSize',
  'projectVolumeSize',
] as const satisfies readonly FormKey[];

export type Side = 'source' | 'project';

export const SIDE_LABELS: Readonly<Record<Side, { readonly token: string; readonly space: string }>> = {
  source: { token: 'Token that reads the raw data', space: 'Space with the raw data' },
  project: { token: 'Token that reads and writes your work', space: 'Space that keeps your work' },
};

/** As one would type it: of the stack or site, else of the schema. */
export function presetOf(key: FormKey, { values }: StackValues): string {
  const own = values[key];
  if (own !== undefined) return own;
  const preset = SETTING_FIELDS[key].safeParse(undefined).data;
  return typeof preset === 'number' ? cpuQuantity(preset) : String(preset ?? '');
}

export interface Draft {
  readonly settings: Values;
  readonly secrets: Tokens;
}

/** What is allowed, where the draft's answer to this key is not; undefined: it is right. */
export function wrongAnswer(key: FormKey, name: string, base: StackValues, draft: Draft): string | undefined {
  const [problem] = problemsOfKey(withChanges(name, base, draft), key);
  if (problem === undefined) return undefined;
  return (
    /allowed: (.*?)(; set it|; take it away|$)/.exec(problem)?.[1] ?? notesOf(SETTING_FIELDS[key]).allowed
  );
}

/** Other instances on a project space: of two only one can write it, the other one waits for its lease. */
export function othersOnSpace(
  spaceId: string | undefined,
  name: string,
  instances: readonly InstanceSummary[],
): readonly InstanceSummary[] {
  return instances.filter((other) => other.name !== name && other.projectSpaceId === spaceId);
}

/** Providers of all these spaces, where there is something to choose; else none. */
export function hostChoices(spaces: readonly ReadableSpace[]): readonly string[] {
  const lists = spaces.map(({ providers }) => providers);
  if (lists.length < 2 || lists.every((list) => list.length === 1)) return [];
  return (lists[0] ?? []).filter((host) => lists.every((list) => list.includes(host)));
}
