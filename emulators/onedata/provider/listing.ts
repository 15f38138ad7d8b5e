import type { Place } from '../access.ts';
import { isHidden, type Session } from '../context.ts';
import { badInput, posix } from '../http/api-error.ts';
import {
  booleanParameter,
  type Call,
  type Parameters,
  rangedInteger,
  stringParameter,
} from '../http/call.ts';
import type { Entry } from '../store/entry.ts';
import { fileId } from '../store/spaces.ts';
import { absolutePath, render, type Selection, selectAttributes } from './attributes.ts';

const encodeToken = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Stateless, as with the original. @throws ApiError `einval` for what is no token or that of another directory */
function decodeToken(text: string, directory: Entry): string {
  try {
    const [uuid, last] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as [string, string];
    if (uuid === directory.uuid && typeof last === 'string') return last;
  } catch {}
  throw posix('einval');
}

function limitOf(session: Session, values: Parameters): number {
  const most = session.context.provider.capabilities.largePages ? 10_000 : 1000;
  return rangedInteger(values, 'limit', 1, most) ?? 1000;
}

/** ⚠ Entries in flux are left out of listings without a word; the fault knob does the same. */
function isDropped(session: Session, call: Call, name: string): boolean {
  const is = call.faults.some(
    (action) => action.kind === 'drop-entries' && new RegExp(action.names).test(name),
  );
  if (is) session.context.faults.dropped += 1;
  return is;
}

/** `GET data/{id}/children`. */
export function listChildren(session: Session, call: Call, directory: Entry, values: Parameters): unknown {
  session.assertVisible(directory);
  const selection = selectAttributes(session, values, 'identity');
  const limit = limitOf(session, values);
  if (directory.type !== 'DIR') {
    const own = render(selection, session, call, directory, () => absolutePath(session, directory));
    return { children: [own], isLast: true, nextPageToken: null };
  }
  const rows = childRows(session, directory, values, limit);
  const page = rows.slice(0, limit);
  const isLast = rows.length <= limit;
  const place = session.place(directory);
  const base = absolutePath(session, directory);
  const children = page
    .filter(
      (child) =>
        !isHidden(child.name) && session.visibleChild(place, child) && !isDropped(session, call, child.name),
    )
    .map((child) => render(selection, session, call, child, () => `${base}/${child.name}`));
  return {
    children,
    isLast,
    nextPageToken: isLast ? null : encodeToken([directory.uuid, page.at(-1)?.name ?? '']),
  };
}

/** One more than `limit`, so that the last page is known. */
function childRows(session: Session, directory: Entry, values: Parameters, limit: number): Entry[] {
  const { tree } = session.context.spaces;
  const token = stringParameter(values, 'token');
  const index = stringParameter(values, 'index');
  const offset = rangedInteger(values, 'offset', -500, 500);
  if (token !== undefined) {
    if (index !== undefined || offset !== undefined)
      throw badInput('badValueNotAllowed', { key: 'token', allowed: [] });
    return tree.children(directory.uuid, decodeToken(token, directory), limit + 1);
  }
  const start = index ?? '';
  if (offset !== undefined && offset < 0) {
    return tree.children(directory.uuid, tree.nameBefore(directory.uuid, start, -offset), limit + 1, true);
  }
  return tree.children(directory.uuid, start, limit + 1, true, offset ?? 0);
}

interface Walk {
  readonly session: Session;
  readonly call: Call;
  readonly selection: Selection;
  readonly limit: number;
  readonly prefix: string;
  readonly includeDirectories: boolean;
  /** Path that the page before ended at; raw, for the flaw below. */
  readonly resumedAt: string | undefined;
  readonly files: Record<string, unknown>[];
  readonly inaccessible: string[];
  last: string | undefined;
  isCutOff: boolean;
}

/** `GET data/{id}/files`. ⚠ No `isLast`; order is depth first and bytewise for each path component by itself. */
export function listFiles(session: Session, call: Call, directory: Entry, values: Parameters): unknown {
  session.assertReadable(directory);
  const token = stringParameter(values, 'token');
  const resumedAt = token === undefined ? undefined : decodeToken(token, directory);
  const startAfter = resumedAt ?? stringParameter(values, 'start_after');
  const walk: Walk = {
    session,
    call,
    selection: selectAttributes(session, values, 'identity', ['path']),
    limit: limitOf(session, values),
    prefix: stringParameter(values, 'prefix') ?? '',
    includeDirectories: booleanParameter(values, 'include_directories', false),
    resumedAt,
    files: [],
    inaccessible: [],
    last: undefined,
    isCutOff: false,
  };
  if (directory.type !== 'DIR') add(walk, directory, '.');
  else {
    if (walk.includeDirectories && startAfter === undefined) add(walk, directory, '.');
    descend(walk, directory, session.place(directory), '', startAfter ? startAfter.split('/') : []);
  }
  return {
    files: walk.files,
    inaccessiblePaths: walk.inaccessible,
    nextPageToken: walk.isCutOff ? encodeToken([directory.uuid, walk.last ?? '']) : null,
  };
}

function add(walk: Walk, entry: Entry, path: string): void {
  if (isDropped(walk.session, walk.call, path)) return;
  walk.files.push(render(walk.selection, walk.session, walk.call, entry, () => path));
  if (path !== '.') walk.last = path;
}

const isFull = (walk: Walk) => walk.files.length + walk.inaccessible.length >= walk.limit;

/** Goes on behind the path `after` (components below this directory; empty: from the start). */
function descend(walk: Walk, directory: Entry, place: Place, base: string, after: readonly string[]): void {
  const { tree } = walk.session.context.spaces;
  let from = after[0] ?? '';
  // The component at which the page before ended is visited again: only what lies below it is new.
  let isInclusive = after.length > 0;
  while (!walk.isCutOff) {
    const batch = tree.children(directory.uuid, from, 500, isInclusive);
    for (const child of batch) {
      const rest = isInclusive && child.name === after[0] ? after.slice(1) : undefined;
      visit(walk, child, place, base === '' ? child.name : `${base}/${child.name}`, rest);
      if (walk.isCutOff) return;
    }
    if (batch.length < 500) return;
    from = batch.at(-1)?.name ?? '';
    isInclusive = false;
  }
}

/** `rest` is set on the way to the place where the page before ended. */
function visit(
  walk: Walk,
  child: Entry,
  place: Place,
  path: string,
  rest: readonly string[] | undefined,
): void {
  if (isHidden(child.name) || !walk.session.visibleChild(place, child)) return;
  if (!path.startsWith(walk.prefix) && !walk.prefix.startsWith(path)) return;
  if (child.type !== 'DIR') {
    if (rest !== undefined || !path.startsWith(walk.prefix)) return;
    if (isFull(walk)) walk.isCutOff = true;
    else add(walk, child, path);
    return;
  }
  if (walk.includeDirectories && path.startsWith(walk.prefix) && rest === undefined) {
    // ⚠ Resumed pages lose directories whose path sorts, as raw text, at or before the one of the token.
    const isLost =
      walk.resumedAt !== undefined && Buffer.compare(Buffer.from(path), Buffer.from(walk.resumedAt)) <= 0;
    if (!isLost) {
      if (isFull(walk)) {
        walk.isCutOff = true;
        return;
      }
      add(walk, child, path);
    }
  }
  const below = { ...place, names: [...place.names, child.name], fileIds: [...place.fileIds, fileId(child)] };
  descend(walk, child, below, path, rest ?? []);
}
