import { type Change, LIVE_SYNC_SETTINGS } from '../../stacks/changes.ts';
import { parseSizeBytes } from '../../stacks/units.ts';
import { changedPaths, type Plain, plainAt, type ResourceChange } from './changes.ts';
import { fieldMeaning, isOfJobs, kindOf, objectName, volumeWord, wholeMeaning } from './kinds.ts';

/** What an `up` means for the user of an instance, in sentences. Pure: from two recordings, or from a preview of the engine. */

export interface Meaning {
  readonly change: Change | 'creates' | 'removes' | 'starts' | 'replaces' | 'ends the session' | 'unknown';
  readonly text: string;
}

/** The gravest first. */
export const GRAVITY: readonly Meaning['change'][] = [
  'refused',
  'removes',
  'replaces',
  'ends the session',
  'pauses',
  'unknown',
  'at the next start',
  'starts',
  'creates',
  'grows',
  'in place',
];

/** Whether nobody needs to look before it is done: all that is not known is not harmless. */
export const isHarmless = ({ change }: Meaning): boolean =>
  GRAVITY.indexOf(change) > GRAVITY.indexOf('unknown');

/** What to say where nothing is. */
export const NOTHING = 'nothing for the user';

/** Empty: nothing for the user. */
export function meaningOf(changes: readonly ResourceChange[]): Meaning[] {
  const workloads = changes.filter((change) => kindOf(change) === 'StatefulSet');
  const [isMade, isGone] = [
    workloads.some(({ before }) => before === undefined),
    workloads.some(({ after }) => after === undefined),
  ];
  if (isMade && isGone)
    return [{ change: 'replaces', text: 'replaces the instance by another, which ends the session' }];
  if (isMade) return [{ change: 'creates', text: 'creates the instance' }];
  if (isGone) {
    const text =
      'removes the instance, after its work is saved to the project space; a save that fails stops it';
    return [{ change: 'removes', text }];
  }
  const found = changes.flatMap((change) => meaningOfOne(change, workloads.length > 0));
  const isRefused = found.some(({ change }) => change === 'refused');
  const restart = uniqueWords(found.filter(({ change }) => change === 'at the next start'));
  const others = found.filter(
    // What is refused is not replaced, and its sentence says all of it.
    ({ change }) => change !== 'at the next start' && !(isRefused && change === 'replaces'),
  );
  const all: Meaning[] = [...others, ...workloads.flatMap((change) => restartMeaning(change, restart))];
  if (workloads.length === 0 && restart.length > 0) all.push(atNextStart(restart));
  return gravestFirst(all);
}

/** Each sentence once. */
const gravestFirst = (meanings: readonly Meaning[]): Meaning[] =>
  meanings
    .filter(({ text }, index) => meanings.findIndex((other) => other.text === text) === index)
    .toSorted((left, right) => GRAVITY.indexOf(left.change) - GRAVITY.indexOf(right.change));

const uniqueWords = (meanings: readonly Meaning[]) => [...new Set(meanings.map(({ text }) => text))];

const atNextStart = (words: readonly string[]): Meaning => ({
  change: 'at the next start',
  text: `takes effect at the next start of the pod, the session continues until then: ${words.join(', ')}`,
});

/** `OnDelete` leaves a pod alone; with anything else the controller ends one that is not as its template says. */
function restartMeaning({ before, after }: ResourceChange, words: readonly string[]): Meaning[] {
  const [old, asked] = [plainAt(before, 'spec'), plainAt(after, 'spec')];
  const strategy = (spec: Plain | undefined) => plainAt(spec, 'updateStrategy')?.type ?? 'RollingUpdate';
  const isRunning = Number(old?.replicas ?? 1) > 0 && Number(asked?.replicas ?? 1) > 0;
  const isOther =
    strategy(old) !== strategy(asked) || changedPaths(old?.template, asked?.template).length > 0;
  if (strategy(asked) === 'OnDelete' || !isRunning || !isOther)
    return words.length === 0 ? [] : [atNextStart(words)];
  const what = words.length === 0 ? 'whatever was changed since its start' : words.join(', ');
  const text = `ends the session: the updateStrategy ${strategy(asked)} stops the pod at once where it is not as it should be, and starts it again: ${what}`;
  return [{ change: 'ends the session', text }];
}

function meaningOfOne(change: ResourceChange, isUsedOtherwise: boolean): Meaning[] {
  const read = isOfJobs(change) ? jobsMeaning : (READERS[kindOf(change)] ?? (() => []));
  const { before, after } = change;
  if (before === undefined || after === undefined) {
    const whole = wholeMeaning(change, isUsedOtherwise);
    if (whole === 'read') return read(change);
    if (whole === 'nothing') return [];
    const verb = before === undefined ? 'creates' : 'removes';
    if (whole === 'removes')
      return [{ change: 'removes', text: `removes ${holder(change)}, with what it holds` }];
    return [unknown(`${verb} ${kindOf(change)} ${objectName(change)}`)];
  }
  const paths = changedPaths(before, after);
  const byMeaning = Map.groupBy(paths, (path) => fieldMeaning(change, path));
  const [fixed = [], notKnown = []] = [byMeaning.get('fixed'), byMeaning.get('unknown')];
  return [
    ...(fixed.length > 0 || change.isReplaced ? [replaces(change, fixed.length > 0 ? fixed : paths)] : []),
    ...(notKnown.length > 0
      ? [unknown(`changes ${shownPaths(notKnown)} of ${kindOf(change)} ${objectName(change)}`)]
      : []),
    ...(byMeaning.has('read') ? read(change) : []),
  ];
}

const unknown = (what: string): Meaning => ({
  change: 'unknown',
  text: `${what}; what that means is not known: look`,
});

const MAX_PATHS = 4;
function shownPaths(paths: readonly string[]): string {
  const shown = paths.slice(0, MAX_PATHS).map((path) => path.slice(1));
  const more = paths.length > MAX_PATHS ? ` and ${paths.length - MAX_PATHS} more` : '';
  return `${shown.join(', ')}${more}`;
}

const holder = (change: ResourceChange) =>
  kindOf(change) === 'PersistentVolumeClaim'
    ? `the ${volumeWord(change)}`
    : `${kindOf(change)} ${objectName(change)}`;

const REPLACED: Readonly<Record<string, (change: ResourceChange) => string>> = {
  StatefulSet: (change) =>
    `replaces ${holder(change)}, which ends the session, where the cluster does not refuse it`,
  PersistentVolumeClaim: (change) => `replaces the ${volumeWord(change)} by a new and empty one`,
  Namespace: (change) => `replaces ${holder(change)} with everything in it`,
  RandomPassword: () =>
    'draws another password of the desktop, so that the one its user knows opens it no more',
  RandomBytes: () => "generates the gateway's key or salt again, which logs its user out",
};

/** In words: not while the instance exists, unless somebody has looked. */
function replaces(change: ResourceChange, paths: readonly string[]): Meaning {
  const what = REPLACED[kindOf(change)]?.(change) ?? `replaces ${holder(change)}`;
  const why = paths.length === 0 ? '' : `: ${shownPaths(paths)} cannot change in place`;
  return { change: 'replaces', text: `${what}${why}` };
}

const READERS: Readonly<Record<string, (change: ResourceChange) => Meaning[]>> = {
  Stash: identityMeaning,
  StatefulSet: workloadMeaning,
  ConfigMap: settingsMeaning,
  PersistentVolumeClaim: claimMeaning,
  Secret: () => [inPlace('new tokens or password, used within two minutes')],
  Ingress: addressMeaning,
  HTTPRoute: addressMeaning,
  NetworkPolicy: () => [inPlace('whom the pod may reach, and who may reach it')],
  ResourceQuota: () => [inPlace('the quota of the namespace')],
  LimitRange: () => [inPlace('limits of other pods in the namespace')],
};

const inPlace = (what: string): Meaning => ({
  change: 'in place',
  text: `changes in place, without a restart: ${what}`,
});
const atStart = (text: string): Meaning => ({ change: 'at the next start', text });

const jobsMeaning = () => [inPlace('which jobs the instance may have in the cluster')];

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

function claimMeaning(change: ResourceChange): Meaning[] {
  const storage = (side: Plain | undefined) => plainAt(side, 'spec', 'resources', 'requests')?.storage;
  const [from, to] = [storage(change.before), storage(change.after)];
  const text = `${volumeWord(change)} from ${from} to ${to}`;
  if (bytes(to) < bytes(from))
    return [
      { change: 'replaces', text: `shrinks the ${text}, which the cluster refuses: a volume can only grow` },
    ];
  return [{ change: 'grows', text: `grows the ${text}, where the storage class can` }];
}

function workloadMeaning(change: ResourceChange): Meaning[] {
  const [old, asked] = [plainAt(change.before, 'spec'), plainAt(change.after, 'spec')];
  const stops = Number(old?.replicas) > 0 && asked?.replicas === 0;
  const starts = old?.replicas === 0 && asked?.replicas === 1;
  const isOdd = old?.replicas !== asked?.replicas && !stops && !starts;
  const words = changedPaths(old?.template, asked?.template).map(templateWord);
  const labels = changedPaths(selected(old), selected(asked));
  return [
    ...(stops
      ? [{ change: 'pauses', text: 'stops the desktop after a last save; both volumes stay' } as const]
      : []),
    ...(starts ? [{ change: 'starts', text: 'starts the desktop again, from its volumes' } as const] : []),
    ...(isOdd ? [unknown(`changes spec.replicas of ${holder(change)}`)] : []),
    ...(labels.length > 0
      ? [unknown(`changes labels by which the pod is found (${shownPaths(labels)}) of ${holder(change)}`)]
      : []),
    ...otherClaims(old, asked),
    ...[...new Set(words)].map(atStart),
  ];
}

/** The labels of the pod by which its StatefulSet, its Service and its policies find it. */
function selected(spec: Plain | undefined): Plain {
  const keys = Object.keys(plainAt(spec, 'selector', 'matchLabels') ?? {});
  const found = plainAt(spec, 'template', 'metadata', 'labels') ?? {};
  return Object.fromEntries(keys.map((key) => [key, found[key]]));
}

/** A volume of the pod that is another claim from now on: what the old one holds is not there. Those of sites are theirs. */
function otherClaims(old: Plain | undefined, asked: Plain | undefined): Meaning[] {
  const claimsOf = (spec: Plain | undefined) => {
    const volumes = plainAt(spec, 'template', 'spec')?.volumes;
    return new Map(
      (Array.isArray(volumes) ? (volumes as Plain[]) : []).map(
        (volume) => [String(volume.name), plainAt(volume, 'persistentVolumeClaim')?.claimName] as const,
      ),
    );
  };
  const [before, after] = [claimsOf(old), claimsOf(asked)];
  return OWN_VOLUMES.filter(
    (name) => before.get(name) !== undefined && before.get(name) !== after.get(name),
  ).map((name) => ({
    change: 'replaces',
    text: `gives the pod another claim as its ${name} volume, from ${before.get(name)} to ${after.get(name) ?? 'none'}: the work in the old one is not there`,
  }));
}
const OWN_VOLUMES: readonly string[] = ['project', 'source'];

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
