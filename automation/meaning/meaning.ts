import { isDeepStrictEqual } from 'node:util';
import { type Change, LIVE_SYNC_SETTINGS } from '../../stacks/changes.ts';
import { parseSizeBytes } from '../../stacks/units.ts';

/** What an `up` means for the user of an instance, in sentences. Pure: from two recordings, or from a preview of the engine. */

/** Properties without secrets: those read `<secret>` or `[secret]`. */
export type Plain = { readonly [key: string]: unknown };

/** One resource before and after; a side is absent where the resource is. */
export interface ResourceChange {
  readonly type: string;
  readonly before?: Plain;
  readonly after?: Plain;
}

export interface Meaning {
  readonly change: Change | 'creates' | 'removes' | 'starts';
  readonly text: string;
}

/** The gravest first. */
export const GRAVITY: readonly Meaning['change'][] = [
  'refused',
  'removes',
  'pauses',
  'at the next start',
  'starts',
  'creates',
  'grows',
  'in place',
];

/** What to say where nothing is. */
export const NOTHING = 'nothing for the user';

/** Empty: nothing for the user. */
export function meaningOf(changes: readonly ResourceChange[]): Meaning[] {
  const isKind = (kind: string) => (change: ResourceChange) => change.type.endsWith(kind);
  const workload = changes.find(isKind(':StatefulSet'));
  if (workload !== undefined && workload.before === undefined)
    return [{ change: 'creates', text: 'creates the instance' }];
  if (workload !== undefined && workload.after === undefined) {
    const text =
      'removes the instance, after its work is saved to the project space; a save that fails stops it';
    return [{ change: 'removes', text }];
  }
  const found = changes.flatMap((change) => {
    const known = Object.entries(READERS).find(([kind]) => isKind(kind)(change));
    return known ? known[1](change) : [];
  });
  const restart = uniqueWords(found.filter(({ change }) => change === 'at the next start'));
  const others = found.filter(({ change }) => change !== 'at the next start');
  const all: Meaning[] = [
    ...others,
    ...(restart.length === 0
      ? []
      : [
          {
            change: 'at the next start' as const,
            text: `takes effect at the next start of the pod, the session goes on until then: ${restart.join(', ')}`,
          },
        ]),
  ];
  return all
    .filter(({ text }, index) => all.findIndex((other) => other.text === text) === index)
    .toSorted((left, right) => GRAVITY.indexOf(left.change) - GRAVITY.indexOf(right.change));
}

const uniqueWords = (meanings: readonly Meaning[]) => [...new Set(meanings.map(({ text }) => text))];

const READERS: Readonly<Record<string, (change: ResourceChange) => Meaning[]>> = {
  ':Stash': identityMeaning,
  ':StatefulSet': workloadMeaning,
  ':ConfigMap': settingsMeaning,
  ':PersistentVolumeClaim': claimMeaning,
  ':Secret': ({ before, after }) =>
    before && after ? [inPlace('new tokens or password, used within two minutes')] : [],
  ':Ingress': addressMeaning,
  ':HTTPRoute': addressMeaning,
  ':NetworkPolicy': () => [inPlace('whom the pod may reach, and who may reach it')],
  ':ResourceQuota': () => [inPlace('the quota of the namespace')],
  ':LimitRange': () => [inPlace('limits of other pods in the namespace')],
};

const inPlace = (what: string): Meaning => ({
  change: 'in place',
  text: `changes in place, without a restart: ${what}`,
});
const atStart = (text: string): Meaning => ({ change: 'at the next start', text });

/** What says whose work this is; `components/identity-changes.ts` refuses a change of it. */
function identityMeaning({ before, after }: ResourceChange): Meaning[] {
  const [old, asked] = [plainAt(before, 'input'), plainAt(after, 'input')];
  if (old === undefined || asked === undefined) return [];
  const keys = [...new Set([...Object.keys(old), ...Object.keys(asked)])].toSorted();
  const changed = keys.filter((key) => old[key] !== asked[key] && !isGrowth(key, old[key], asked[key]));
  const shown = (value: unknown) => (value === undefined ? 'none' : `"${value}"`);
  return changed.map((key) => ({
    change: 'refused',
    text: `refused while the instance exists: scipion:${key} from ${shown(old[key])} to ${shown(asked[key])}`,
  }));
}

const bytes = (size: unknown) => parseSizeBytes(String(size)) ?? 0;
const isGrowth = (key: string, from: unknown, to: unknown) =>
  key.endsWith('VolumeSize') && bytes(to) >= bytes(from);

function claimMeaning({ before, after }: ResourceChange): Meaning[] {
  const storage = (side: Plain | undefined) => plainAt(side, 'spec', 'resources', 'requests')?.storage;
  const [from, to] = [storage(before), storage(after)];
  if (from === undefined || to === undefined || bytes(to) <= bytes(from)) return [];
  const name = String(plainAt(after, 'metadata')?.name ?? '');
  const volume = name.endsWith('project')
    ? 'project volume'
    : name.endsWith('source')
      ? 'source volume'
      : name;
  const text = `grows the ${volume} from ${from} to ${to}, where the storage class can`;
  return [{ change: 'grows', text }];
}

function workloadMeaning({ before, after }: ResourceChange): Meaning[] {
  const [old, asked] = [plainAt(before, 'spec'), plainAt(after, 'spec')];
  const stops = Number(old?.replicas) > 0 && asked?.replicas === 0;
  const starts = old?.replicas === 0 && Number(asked?.replicas) > 0;
  const words = changedPaths(old?.template, asked?.template).map(templateWord);
  return [
    ...(stops
      ? [{ change: 'pauses', text: 'stops the desktop after a last save; both volumes stay' } as const]
      : []),
    ...(starts ? [{ change: 'starts', text: 'starts the desktop again, from its volumes' } as const] : []),
    ...[...new Set(words)].map(atStart),
  ];
}

/** Of a path in the template of the pod. */
const TEMPLATE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/app\.kubernetes\.io\/version$/, 'version'],
  [/\.image$/, 'images'],
  [/\.(resources|emptyDir)\b/, 'CPUs, memory or scratch'],
  [/\.env\b/, 'environment of the desktop'],
  [/\.(volumes|volumeMounts)\b/, 'volumes of the pod'],
  [/\.(nodeSelector|tolerations|affinity|priorityClassName|runtimeClassName)\b/, 'where the pod runs'],
  [/\.hostUsers$/, 'users of the pod'],
  [/\.terminationGracePeriodSeconds$/, 'time of the final save'],
];
const templateWord = (path: string) =>
  TEMPLATE_WORDS.find(([expression]) => expression.test(path))?.[1] ?? 'settings of the pod';

const SYNC_WORDS: Readonly<Record<string, string>> = { graceSeconds: 'time of the final save' };

/** Settings of `sync` and `gateway`, JSON texts by file name. */
function settingsMeaning({ before, after }: ResourceChange): Meaning[] {
  return changedPaths(parsedData(before), parsedData(after)).map((path) => {
    const [, , key = path] = path.split('.');
    const word =
      SYNC_WORDS[key] ??
      key.replace(/\[.*$/, '').replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
    return LIVE_SYNC_SETTINGS.includes(key) ? inPlace(word) : atStart(word);
  });
}

function parsedData(side: Plain | undefined): Plain {
  const data = Object.entries(plainAt(side, 'data') ?? {});
  return Object.fromEntries(
    data.map(([name, text]) => {
      try {
        return [name.replaceAll('.', '-'), JSON.parse(String(text))];
      } catch {
        return [name.replaceAll('.', '-'), text];
      }
    }),
  );
}

function addressMeaning({ before, after }: ResourceChange): Meaning[] {
  const [from, to] = [hostOf(before), hostOf(after)];
  if (from === undefined || to === undefined || from === to)
    return [inPlace('how browsers reach the instance')];
  return [inPlace(`the address, from ${from} to ${to}`)];
}

function hostOf(side: Plain | undefined): unknown {
  const spec = plainAt(side, 'spec');
  const [rule] = Array.isArray(spec?.rules) ? spec.rules : [];
  const [name] = Array.isArray(spec?.hostnames) ? spec.hostnames : [];
  return (rule as Plain | undefined)?.host ?? name;
}

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function plainAt(value: unknown, ...path: readonly string[]): Plain | undefined {
  const found = path.reduce<unknown>((at, key) => (isPlain(at) ? at[key] : undefined), value);
  return isPlain(found) ? found : undefined;
}

/** `.spec.containers[0].image`, for each leaf that is not the same. */
function changedPaths(before: unknown, after: unknown, path = ''): string[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isPlain(before) && isPlain(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => changedPaths(before[key], after[key], `${path}.${key}`));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((part, index) => changedPaths(part, after[index], `${path}[${index}]`));
  return [path];
}

/** The part of `pulumi preview --json` that is read. */
export interface EnginePreview {
  readonly steps?: readonly {
    readonly op: string;
    readonly urn: string;
    readonly oldState?: { readonly inputs?: Plain };
    readonly newState?: { readonly inputs?: Plain };
  }[];
}

/** Of a preview of Pulumi itself. The provider's own bookkeeping is no change. */
export function changesOfPreview({ steps = [] }: EnginePreview): ResourceChange[] {
  return steps
    .filter(({ op }) => !/^(same|read|refresh|discard)$/.test(op))
    .map(({ op, urn, oldState, newState }) => ({
      type: urn.split('::')[2]?.split('$').at(-1) ?? '',
      ...(oldState && op !== 'create' ? { before: oldState.inputs ?? {} } : {}),
      ...(newState && op !== 'delete' ? { after: newState.inputs ?? {} } : {}),
    }));
}
