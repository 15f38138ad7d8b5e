import { assertName, pathNames, type Session } from '../context.ts';
import { ApiError, BareStatus, missing, posix } from '../http/api-error.ts';
import { type Call, parseObject, readBody, sendJson, sendNothing } from '../http/call.ts';
import type { Entry } from '../store/entry.ts';
import { fileId } from '../store/spaces.ts';

const TYPES = { object: 'application/cdmi-object', container: 'application/cdmi-container' } as const;

/** `PUT /cdmi/{Space}/{path}` with `move` or `copy`: the only way to rename. */
export async function cdmi(session: Session, call: Call, segments: readonly string[]): Promise<void> {
  if (call.method !== 'PUT')
    throw new ApiError(501, 'notImplemented', undefined, 'Not implemented by the emulator.');
  const contentType = (call.request.headers['content-type'] ?? '').split(';')[0]?.trim();
  const isContainer = contentType === TYPES.container;
  if (!isContainer && contentType !== TYPES.object) throw new BareStatus(415);
  if (call.request.headers['x-cdmi-specification-version'] === undefined) throw missing('version');
  const body = parseObject((await readBody(call.request, 1_048_576)).toString('utf8') || '{}');
  const hasSlash = call.path.endsWith('/');
  if (isContainer !== hasSlash) {
    const other = hasSlash ? call.path.slice(0, -1) : `${call.path}/`;
    sendNothing(call, 302, { location: `https://${session.context.provider.domain}${other}` });
    return;
  }
  const destination = target(session, segments);
  const operation =
    typeof body.move === 'string' ? 'move' : typeof body.copy === 'string' ? 'copy' : undefined;
  if (operation === undefined)
    throw new ApiError(501, 'notImplemented', undefined, 'Only move and copy are served.');
  const source = find(session, body[operation] as string);
  const status = await relocate(session, { source, destination, operation, isContainer });
  await session.context.spaces.tree.settled();
  if (status === 204) sendNothing(call);
  else sendJson(call, status, describe(session, destination, isContainer));
}

interface Target {
  readonly parent: Entry;
  readonly name: string;
}

function target(session: Session, segments: readonly string[]): Target {
  const [spaceName = '', ...rest] = pathNames(segments);
  const space = session.spaceByName(spaceName);
  const name = rest.at(-1);
  if (name === undefined) throw posix('eperm');
  const parent = session.descend(session.context.spaces.root(space.id), rest.slice(0, -1));
  if (parent.type !== 'DIR') throw posix('enotdir');
  assertName(parent, name);
  return { parent, name };
}

/** `lab@sp1/dir/old name.txt` (raw, not percent-encoded) or `/cdmi_objectid/<fileId>`. */
function find(session: Session, text: string): Entry {
  const [first = '', ...rest] = pathNames(text.split('/'));
  if (first === 'cdmi_objectid') return session.descend(session.entry(rest[0] ?? ''), rest.slice(1));
  return session.descend(session.context.spaces.root(session.spaceByName(first).id), rest);
}

async function relocate(
  session: Session,
  args: { source: Entry; destination: Target; operation: 'move' | 'copy'; isContainer: boolean },
): Promise<201 | 204> {
  const { source, destination, operation } = args;
  const { spaces } = session.context;
  session.assertWritable(destination.parent);
  if (operation === 'move') session.assertWritable(source);
  else session.assertReadable(source);
  if (source.parent === null) throw posix('eperm');
  const existing = spaces.tree.child(destination.parent.uuid, destination.name);
  if (existing && source.type === 'DIR' && existing.type === 'DIR') {
    if (existing.uuid === source.uuid) return 204;
    throw new ApiError(500, 'internalServerError', { reference: 'directory-onto-directory' });
  }
  if (existing && source.type === 'DIR') throw posix('enotdir');
  if (existing?.type === 'DIR') throw posix('eisdir');
  // The official client moves directories with the type of an object too, so only the other way round is refused.
  if (args.isContainer && source.type !== 'DIR') throw posix('enotdir');
  const isIntoItself =
    destination.parent.uuid === source.uuid ||
    spaces.tree.ancestors(destination.parent).some(({ uuid }) => uuid === source.uuid);
  if (isIntoItself) throw posix('einval');
  if (existing?.uuid === source.uuid) return 204;
  const isWithinSpace = source.space === destination.parent.space;
  if (operation === 'move' && isWithinSpace) {
    await replaceAndMove(session, source, destination, existing);
  } else {
    if (existing) await spaces.unlink(existing);
    await spaces.copyTree(source, destination.parent, destination.name);
    if (operation === 'move') await spaces.remove(source);
  }
  return existing ? 204 : 201;
}

/** In one step for every reader: the name never shows nothing. */
async function replaceAndMove(
  session: Session,
  source: Entry,
  destination: Target,
  existing: Entry | undefined,
): Promise<void> {
  const { spaces } = session.context;
  const freed = spaces.tree.atomically(() => {
    const inode = existing ? spaces.tree.unlink(existing) : undefined;
    spaces.tree.move(source, destination.parent, destination.name);
    return inode;
  });
  if (freed !== undefined && existing) {
    if (existing.type === 'REG') spaces.account(existing.space, -existing.size);
    await spaces.contents.empty(freed);
  }
}

function describe(session: Session, { parent, name }: Target, isContainer: boolean): Record<string, unknown> {
  const made = session.context.spaces.tree.child(parent.uuid, name);
  return {
    objectType: isContainer ? TYPES.container : TYPES.object,
    objectID: made ? fileId(made) : null,
    objectName: isContainer ? `${name}/` : name,
    parentID: fileId(parent),
    completionStatus: 'Complete',
  };
}
