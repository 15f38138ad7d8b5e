import type { Session } from '../context.ts';
import { badInput, missing, posix } from '../http/api-error.ts';
import {
  booleanParameter,
  type Call,
  listParameter,
  parameters,
  readBody,
  sendHead,
  sendJson,
  sendNothing,
  stringParameter,
} from '../http/call.ts';
import type { Entry } from '../store/entry.ts';
import { nowSeconds } from '../store/file-tree.ts';

const LIMIT_BYTES = 4 * 1_048_576;
type Json = Record<string, unknown>;

/** `…/metadata/{xattrs,json,rdf}`. Set on a link it lands on the link's target unless `resolve_symlink=false`. */
export async function metadata(session: Session, call: Call, asked: Entry, kind: string): Promise<void> {
  const entry = booleanParameter(call.query, 'resolve_symlink', true) ? session.follow(asked) : asked;
  if (call.method === 'GET') session.assertReadable(entry);
  else session.assertWritable(entry);
  if (kind === 'xattrs') return xattrs(session, call, entry);
  if (kind === 'json') return json(session, call, entry);
  return rdf(session, call, entry);
}

async function store(session: Session, entry: Entry, column: 'xattrs' | 'json' | 'rdf', text: string | null) {
  const { tree } = session.context.spaces;
  tree.set(entry.inode, { [column]: text, ctime: nowSeconds() });
  await tree.settled();
}

function assertOwnKeys(keys: readonly string[]): void {
  if (keys.some((key) => key.startsWith('onedata_') || key.startsWith('cdmi_'))) throw posix('eperm');
}

async function xattrs(session: Session, call: Call, entry: Entry): Promise<void> {
  const own = JSON.parse(entry.xattrs ?? '{}') as Json;
  if (call.method === 'GET') {
    const all = booleanParameter(call.query, 'inherited', false) ? inherited(session, entry, own) : own;
    const key = stringParameter(call.query, 'attribute');
    if (key !== undefined && !(key in all)) throw posix('enodata');
    sendJson(call, 200, key === undefined ? all : { [key]: all[key] });
    return;
  }
  const values = await parameters(call);
  if (call.method === 'PUT') {
    assertOwnKeys(Object.keys(values));
    const { resolve_symlink: _, ...given } = values;
    await store(session, entry, 'xattrs', JSON.stringify({ ...own, ...given }));
  } else {
    const keys = listParameter(values, 'keys');
    if (!keys) throw missing('keys');
    assertOwnKeys(keys);
    const left = Object.fromEntries(Object.entries(own).filter(([key]) => !keys.includes(key)));
    await store(session, entry, 'xattrs', Object.keys(left).length > 0 ? JSON.stringify(left) : null);
  }
  sendNothing(call);
}

function inherited(session: Session, entry: Entry, own: Json): Json {
  const { tree } = session.context.spaces;
  const above = tree
    .ancestors(entry)
    .map(({ uuid }) => JSON.parse(tree.byUuid(uuid)?.xattrs ?? '{}') as Json);
  return Object.assign({}, ...above, own) as Json;
}

async function json(session: Session, call: Call, entry: Entry): Promise<void> {
  if (call.method === 'GET') {
    if (entry.json === null) throw posix('enodata');
    const filter = stringParameter(call.query, 'filter');
    const value = JSON.parse(entry.json) as unknown;
    sendJson(call, 200, filter === undefined ? value : atKeyPath(value, filter));
    return;
  }
  if (call.method === 'DELETE') {
    await store(session, entry, 'json', null);
  } else {
    const text = (await readBody(call.request, LIMIT_BYTES)).toString('utf8');
    try {
      JSON.parse(text);
    } catch {
      throw badInput('badValueJSON', { key: 'metadata' });
    }
    await store(session, entry, 'json', text);
  }
  sendNothing(call);
}

function atKeyPath(value: unknown, path: string): unknown {
  let current = value;
  for (const key of path.split('.')) {
    const index = /^\[(\d+)\]$/.exec(key)?.[1];
    if (typeof current !== 'object' || current === null) throw posix('enodata');
    current = Array.isArray(current) ? current[Number(index)] : (current as Json)[key];
    if (current === undefined) throw posix('enodata');
  }
  return current;
}

async function rdf(session: Session, call: Call, entry: Entry): Promise<void> {
  if (call.method === 'GET') {
    if (entry.rdf === null) throw posix('enodata');
    sendHead(call, 200, { 'content-type': 'application/rdf+xml' });
    call.response.end(entry.rdf);
    return;
  }
  const text = call.method === 'PUT' ? (await readBody(call.request, LIMIT_BYTES)).toString('utf8') : null;
  await store(session, entry, 'rdf', text);
  sendNothing(call);
}

/** `PUT data/{id}` {"mode"}: ⚠ nothing else can be set, times least of all. */
export async function updateMode(
  session: Session,
  call: Call,
  entry: Entry,
  mode: number | undefined,
): Promise<void> {
  if (mode === undefined) throw missing('mode');
  session.assertWritable(entry);
  session.context.spaces.tree.set(entry.inode, { mode, ctime: nowSeconds() });
  await session.context.spaces.tree.settled();
  sendNothing(call);
}
