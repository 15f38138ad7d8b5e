import type { Session } from '../context.ts';
import { badInput, posix } from '../http/api-error.ts';
import { type Call, listParameter, type Parameters } from '../http/call.ts';
import type { Entry } from '../store/entry.ts';
import { fileId, guid } from '../store/spaces.ts';

interface Subject {
  readonly entry: Entry;
  readonly session: Session;
  /** As this listing shows it: absolute, or relative to the directory that is listed. */
  readonly path: () => string;
  readonly zeroTimes: boolean;
}

type Getter = (subject: Subject) => unknown;
const time =
  (key: 'atime' | 'mtime' | 'ctime' | 'creation'): Getter =>
  ({ entry, zeroTimes }) =>
    zeroTimes ? 0 : entry[key];

/** New name, name of the first generation (null: none), value. */
const ATTRIBUTES: readonly (readonly [string, string | null, Getter])[] = [
  ['fileId', 'file_id', ({ entry }) => fileId(entry)],
  ['name', 'name', ({ entry }) => entry.name],
  ['type', 'type', ({ entry }) => entry.type],
  // Sizes of directories come from statistics, which the emulator does not keep: null, as where they are off.
  ['size', 'size', ({ entry }) => (entry.type === 'DIR' ? null : entry.size)],
  ['posixPermissions', 'mode', ({ entry }) => (entry.mode & 0o777).toString(8).padStart(3, '0')],
  ['atime', 'atime', time('atime')],
  ['mtime', 'mtime', time('mtime')],
  ['ctime', 'ctime', time('ctime')],
  [
    'parentFileId',
    'parent_id',
    ({ entry }) => (entry.parent === null ? null : guid(entry.parent, entry.space)),
  ],
  ['index', 'index', ({ entry }) => entry.name],
  ['ownerUserId', 'owner_id', ({ entry, session }) => ownerOf(entry, session)],
  ['displayUid', 'storage_user_id', () => 1000],
  ['displayGid', 'storage_group_id', () => 1000],
  [
    'originProviderId',
    'provider_id',
    ({ entry, session: { context } }) =>
      context.spaces.tree.conflictOf(entry)?.provider ?? context.providers[0].id,
  ],
  ['isFullyReplicatedLocally', 'is_fully_replicated', () => true],
  ['hardlinkCount', 'hardlinks_count', ({ entry }) => entry.links],
  ['directShareIds', 'shares', () => []],
  ['path', null, ({ path }) => path()],
  ['symlinkValue', null, ({ entry }) => entry.target],
  ['hasCustomMetadata', null, ({ entry }) => Boolean(entry.xattrs ?? entry.json ?? entry.rdf)],
  ['localReplicationRate', null, () => 1],
  [
    'conflictingName',
    null,
    ({ entry, session }) => session.context.spaces.tree.conflictOf(entry)?.name ?? null,
  ],
  ['acl', null, () => []],
  ['activePermissionsType', null, () => 'posix'],
  ['creationTime', null, time('creation')],
  ['effProtectionFlags', null, () => []],
  ['effDatasetProtectionFlags', null, () => []],
  ['effDatasetInheritancePath', null, () => 'none'],
  ['effQosInheritancePath', null, () => 'none'],
  ['aggregateQosStatus', null, () => null],
  ['archiveRecallRootFileId', null, () => null],
];
const NEW = new Map(ATTRIBUTES.map(([name, , get]) => [name, get]));
const OLD = new Map(ATTRIBUTES.flatMap(([, name, get]) => (name === null ? [] : [[name, get] as const])));

function ownerOf(entry: Entry, session: Session): string {
  return entry.parent === null ? `VIRTUAL_SPACE_OWNER_${entry.space}` : session.context.configuration.userId;
}

/** Which attributes an answer holds, under which names. */
export type Selection = readonly (readonly [string, Getter])[];

const pick = (from: ReadonlyMap<string, Getter>, names: Iterable<string>): Selection =>
  [...names].map((name) => [name, from.get(name) as Getter] as const);

/** Absent in both generations: what the endpoint shows by default. @throws ApiError `badValueNotAllowed` */
export function selectAttributes(
  session: Session,
  values: Parameters,
  byDefault: 'identity' | 'everything',
  extra: readonly string[] = [],
): Selection {
  const { newAttributes, creationTime } = session.context.provider.capabilities;
  const asked = newAttributes ? listParameter(values, 'attributes') : undefined;
  const askedOld = listParameter(values, 'attribute');
  const usable = new Map([...NEW].filter(([name]) => creationTime || name !== 'creationTime'));
  if (asked) return chosen(usable, asked, 'attributes', extra);
  if (askedOld) {
    // ⚠ Before 21.02.5 several names at one file give nothing at all.
    if (!newAttributes && byDefault === 'everything' && askedOld.length > 1) return [];
    return chosen(OLD, askedOld, 'attribute', extra);
  }
  if (byDefault === 'identity') {
    return [
      ...pick(NEW, ['fileId', ...extra.filter((name) => NEW.has(name)), 'name']),
      ...pick(OLD, ['file_id']),
    ];
  }
  return [...pick(OLD, OLD.keys()), ...(newAttributes ? pick(usable, usable.keys()) : [])];
}

function chosen(
  from: ReadonlyMap<string, Getter>,
  names: readonly string[],
  key: string,
  extra: readonly string[],
): Selection {
  const known = new Map([...from, ...extra.map((name) => [name, NEW.get(name) as Getter] as const)]);
  return [...new Set(names)].map((name) => {
    if (name.startsWith('xattr.')) return [name, xattrGetter(name.slice('xattr.'.length))] as const;
    const get = known.get(name);
    if (!get) throw badInput('badValueNotAllowed', { key, allowed: [...known.keys(), 'xattr.*'] });
    return [name, get] as const;
  });
}

const xattrGetter =
  (key: string): Getter =>
  ({ entry }) =>
    (JSON.parse(entry.xattrs ?? '{}') as Record<string, unknown>)[key] ?? null;

export function render(
  selection: Selection,
  session: Session,
  call: Call,
  entry: Entry,
  path: () => string,
): Record<string, unknown> {
  const zeroTimes = call.faults.some(({ kind }) => kind === 'zero-times');
  const subject = { entry, session, path, zeroTimes };
  return Object.fromEntries(selection.map(([name, get]) => [name, get(subject)]));
}

/** `/<space name>/dir/file`. */
export function absolutePath(session: Session, entry: Entry): string {
  const name = session.context.spaces.space(entry.space)?.name;
  if (name === undefined) throw posix('enoent');
  return `/${[name, ...session.place(entry).names].join('/')}`;
}
