import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { type Context, pathNames, Session } from '../context.ts';
import { BareStatus, missing, posix } from '../http/api-error.ts';
import { sendBody } from '../http/bodies.ts';
import {
  type Call,
  modeParameter,
  parameters,
  rangedInteger,
  requiredString,
  sendHead,
  sendJson,
  sendNothing,
} from '../http/call.ts';
import { writeArchive } from '../store/archive.ts';
import { rootUuid, trashUuid } from '../store/file-tree.ts';
import { fileId, guid, type SpaceRecord } from '../store/spaces.ts';
import { absolutePath, render, selectAttributes } from './attributes.ts';
import { cdmi } from './cdmi.ts';
import { download, upload } from './content.ts';
import { create } from './creation.ts';
import { listChildren, listFiles } from './listing.ts';
import { metadata, updateMode } from './metadata.ts';

/** Every path of the provider. Throws BareStatus 404 or 405 for what it does not serve. */
export async function serveProvider(context: Context, call: Call): Promise<void> {
  const [first, second, third, ...rest] = call.segments;
  if (first === 'download' && second !== undefined) return sendArchive(context, call, second);
  if (first === 'cdmi') return cdmi(Session.authenticate(context, call), call, call.segments.slice(1));
  if (first !== 'api' || second !== 'v3' || third !== 'oneprovider') throw new BareStatus(404);
  const [resource, ...below] = rest;
  if (answersJson(resource, below)) assertAccepted(call);
  switch (resource) {
    case 'configuration':
      assertMethod(call, 'GET');
      return sendJson(call, 200, configurationOf(context));
    case 'health':
      assertMethod(call, 'GET');
      return sendJson(call, 200, { status: 'healthy' });
    case 'spaces':
      return serveSpaces(Session.authenticate(context, call), call, below);
    case 'lookup-file-id':
      assertMethod(call, 'POST');
      return lookUp(Session.authenticate(context, call), call, below);
    case 'data':
      return serveData(Session.authenticate(context, call), call, below);
    default:
      throw new BareStatus(404);
  }
}

/** Contents and metadata have types of their own. */
const answersJson = (resource: string | undefined, [, facet = 'children']: readonly string[]) =>
  ['configuration', 'spaces', 'lookup-file-id'].includes(resource ?? '') ||
  (resource === 'data' && ['children', 'files'].includes(facet));

/** @throws BareStatus 406 where the client takes anything but JSON */
function assertAccepted({ request }: Call): void {
  const { accept = '*/*' } = request.headers;
  const types = accept.split(',').map((part) => part.split(';', 1)[0]?.trim());
  if (!types.some((type) => type === '*/*' || type === 'application/*' || type === 'application/json'))
    throw new BareStatus(406);
}

export function assertMethod(call: Call, ...allowed: string[]): void {
  if (!allowed.includes(call.method)) throw new BareStatus(405, { allow: allowed.join(', ') });
}

function configurationOf({ provider, zoneDomain }: Context): unknown {
  const { version } = provider;
  return {
    providerId: provider.id,
    name: provider.name,
    domain: provider.domain,
    onezoneDomain: zoneDomain,
    version,
    build: 'emulator',
    rtransferPort: 6665,
    compatibilityRegistryRevision: 2_025_010_100,
    compatibleOnezoneVersions: [version],
    compatibleOneproviderVersions: [version],
    compatibleOneclientVersions: [version],
  };
}

function serveSpaces(session: Session, call: Call, below: readonly string[]): void {
  assertMethod(call, 'GET');
  if (below.length > 1) throw new BareStatus(404);
  const [id] = below;
  const value =
    id === undefined
      ? session.visibleSpaces().map((space) => describeSpace(session, space))
      : describeSpace(session, session.space(id));
  sendJson(call, 200, value);
}

function describeSpace({ context }: Session, space: SpaceRecord): unknown {
  const { id, name } = space;
  const dirId = guid(rootUuid(id), id);
  return {
    spaceId: id,
    name,
    fileId: dirId,
    dirId,
    trashDirId: guid(trashUuid(id), id),
    archivesDirId: guid(`archives_${id}`, id),
    providers: context.providers
      .filter((provider) => provider.supports(space))
      .map((provider) => ({ providerId: provider.id, providerName: provider.name })),
  };
}

function lookUp(session: Session, call: Call, segments: readonly string[]): void {
  const [spaceName = '', ...rest] = segments.filter((name) => name !== '' && name !== '.');
  if (rest.includes('..')) throw posix('enoent');
  const space = session.spaceByName(spaceName);
  const entry = session.descend(session.context.spaces.root(space.id), rest);
  session.assertVisible(entry);
  sendJson(call, 200, { fileId: fileId(entry) });
}

async function serveData(session: Session, call: Call, segments: readonly string[]): Promise<void> {
  const [id, facet, ...rest] = segments;
  if (!id) throw new BareStatus(404);
  const isBare = facet === undefined || (facet === '' && rest.length === 0);
  if (isBare) return serveFile(session, call, id);
  if (facet === 'path') return servePath(session, call, id, rest);
  if (facet === 'metadata' && ['xattrs', 'json', 'rdf'].includes(rest[0] ?? '') && rest.length === 1) {
    assertMethod(call, 'GET', 'PUT', 'DELETE');
    return metadata(session, call, session.entry(id), rest[0] as string);
  }
  if (rest.length > 0) throw new BareStatus(404);
  switch (facet) {
    case 'children':
      assertMethod(call, 'GET', 'POST');
      if (call.method === 'POST')
        return create(session, call, session.entry(id), [requiredString(call.query, 'name')]);
      return sendJson(call, 200, listChildren(session, call, session.entry(id), await parameters(call)));
    case 'files':
      assertMethod(call, 'GET');
      return sendJson(call, 200, listFiles(session, call, session.entry(id), await parameters(call)));
    case 'content':
      assertMethod(call, 'GET', 'PUT');
      if (call.method === 'GET') return download(session, call, session.entry(id));
      return upload(session, call, session.entry(id), offsetOf(call));
    case 'symlink_value':
      return sendLinkValue(session, call, id);
    case 'hardlinks':
      assertMethod(call, 'GET');
      return sendJson(call, 200, hardLinks(session, id));
    default:
      throw new BareStatus(404);
  }
}

const offsetOf = (call: Call) => rangedInteger(call.query, 'offset', 0, Number.MAX_SAFE_INTEGER);

async function serveFile(session: Session, call: Call, id: string): Promise<void> {
  assertMethod(call, 'GET', 'PUT', 'DELETE');
  const values = await parameters(call);
  const entry = session.entry(id);
  if (call.method === 'PUT') return updateMode(session, call, entry, modeParameter(values));
  if (call.method === 'DELETE') {
    session.assertWritable(entry);
    await session.context.spaces.remove(entry);
    return sendNothing(call);
  }
  session.assertVisible(entry);
  const selection = selectAttributes(session, values, 'everything');
  sendJson(
    call,
    200,
    render(selection, session, call, entry, () => absolutePath(session, entry)),
  );
}

async function servePath(
  session: Session,
  call: Call,
  id: string,
  segments: readonly string[],
): Promise<void> {
  assertMethod(call, 'GET', 'PUT', 'DELETE');
  const names = pathNames(segments);
  if (names.length === 0) throw missing('path');
  const base = session.entry(id);
  if (call.method === 'PUT') return create(session, call, base, names);
  const entry = session.descend(base, names);
  if (call.method === 'GET') return download(session, call, entry);
  session.assertWritable(entry);
  await session.context.spaces.remove(entry);
  sendNothing(call);
}

function sendLinkValue(session: Session, call: Call, id: string): void {
  assertMethod(call, 'GET');
  const entry = session.entry(id);
  session.assertReadable(entry);
  if (entry.type !== 'SYMLNK') throw posix('einval');
  const text = Buffer.from(entry.target ?? '');
  sendHead(call, 200, { 'content-type': 'application/octet-stream', 'content-length': text.length });
  call.response.end(text);
}

function hardLinks(session: Session, id: string): string[] {
  const entry = session.entry(id);
  session.assertReadable(entry);
  return session.context.spaces.tree.entriesOfInode(entry.inode).map((each) => fileId(each));
}

/** The code of the redirect stands for the token. */
async function sendArchive(context: Context, call: Call, code: string): Promise<void> {
  assertMethod(call, 'GET');
  const known = context.downloads.get(code);
  const entry = known && context.spaces.tree.byUuid(known.uuid);
  if (!known || !entry) throw new BareStatus(404);
  const session = new Session(context, known.scope, known.userId);
  const archive = pack();
  sendHead(call, 200, { 'content-type': 'application/x-tar' });
  const isVisible = (names: readonly string[]) => session.access(session.descend(entry, names)) === 'full';
  writeArchive(archive, context.spaces, entry, isVisible).catch((error) => archive.destroy(error));
  await sendBody(call, Readable.from(archive), context.faults);
}
