import { assertName, type Session } from '../context.ts';
import { ApiError, badInput, posix } from '../http/api-error.ts';
import {
  booleanParameter,
  type Call,
  modeParameter,
  type Parameters,
  rangedInteger,
  requiredString,
  sendJson,
  stringParameter,
} from '../http/call.ts';
import type { Entry } from '../store/entry.ts';
import { fileId } from '../store/spaces.ts';
import { receiveContent } from './content.ts';

const TYPES = ['REG', 'DIR', 'LNK', 'SYMLNK'] as const;
type CreateType = (typeof TYPES)[number];
const DEFAULT_MODES = { file: 0o664, directory: 0o775 } as const;

function typeOf(values: Parameters): CreateType {
  const type = (stringParameter(values, 'type') ?? 'REG').toUpperCase();
  if (!TYPES.includes(type as CreateType))
    throw badInput('badValueNotAllowed', { key: 'type', allowed: TYPES });
  return type as CreateType;
}

/** `POST data/{id}/children?name=` and `PUT data/{id}/path/{rel}`: 201 with the new id. */
export async function create(
  session: Session,
  call: Call,
  base: Entry,
  names: readonly string[],
): Promise<void> {
  const values = call.query;
  const type = typeOf(values);
  const mode = modeParameter(values);
  const name = names.at(-1) ?? '';
  const parent = parentFor(session, base, names.slice(0, -1), {
    isMakingParents: booleanParameter(values, 'create_parents', false),
    mode,
  });
  assertName(parent, name);
  session.assertWritable(parent);
  const entry = await createOrUpdate(session, call, { parent, name, type, mode });
  await session.context.spaces.tree.settled();
  const id = fileId(entry);
  const location = `https://${session.context.provider.domain}/api/v3/oneprovider/data/${id}`;
  sendJson(call, 201, { fileId: id }, { location });
}

interface Creation {
  readonly parent: Entry;
  readonly name: string;
  readonly type: CreateType;
  readonly mode: number | undefined;
}

async function createOrUpdate(session: Session, call: Call, creation: Creation): Promise<Entry> {
  const { tree } = session.context.spaces;
  const { parent, name, type, mode } = creation;
  const offset = rangedInteger(call.query, 'offset', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const existing = tree.child(parent.uuid, name);
  if (existing && booleanParameter(call.query, 'update_existing', false)) {
    // ⚠ Sets the permissions and writes the body at 0 without truncating.
    if (type === 'LNK' || type === 'SYMLNK') await session.context.spaces.unlink(existing);
    else {
      const fallback = type === 'DIR' ? DEFAULT_MODES.directory : DEFAULT_MODES.file;
      tree.set(existing.inode, { mode: mode ?? fallback });
      if (type === 'REG') await receiveContent(session, call, existing, offset, call.request);
      return existing;
    }
  }
  switch (type) {
    case 'DIR':
      return tree.create(parent, name, { type, mode: mode ?? DEFAULT_MODES.directory });
    case 'SYMLNK': {
      // A target that is called `true` arrives as a boolean.
      const target = String(call.query.target_file_path ?? requiredString(call.query, 'target_file_path'));
      return tree.create(parent, name, { type, mode: 0o777, target });
    }
    case 'LNK': {
      const target = session.entry(requiredString(call.query, 'target_file_id'));
      session.assertReadable(target);
      if (target.type === 'DIR') throw posix('eperm');
      return tree.link(parent, name, target.inode);
    }
    case 'REG': {
      if (isUnwritable(session, call, mode)) throw posix('eacces');
      const made = tree.create(parent, name, { type, mode: mode ?? DEFAULT_MODES.file });
      await receiveContent(session, call, made, offset, call.request);
      return made;
    }
  }
}

/** ⚠ A mode without write for the owner refuses the body that comes with it, and nothing is made; not to the space's owner. */
function isUnwritable({ userId, context }: Session, { request }: Call, mode: number | undefined): boolean {
  const { headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const isSpaceOwner = userId === context.configuration.userId;
  return mode !== undefined && (mode & 0o200) === 0 && hasBody && !isSpaceOwner;
}

/** ⚠ Parents that are made get the same `mode` as the file. */
function parentFor(
  session: Session,
  base: Entry,
  names: readonly string[],
  options: { isMakingParents: boolean; mode: number | undefined },
): Entry {
  const { tree } = session.context.spaces;
  let parent = base;
  for (const name of names) {
    if (parent.type !== 'DIR') throw posix('enotdir');
    const child = tree.child(parent.uuid, name);
    if (!child && !options.isMakingParents) throw posix('enoent');
    if (!child) {
      assertName(parent, name);
      session.assertWritable(parent);
    }
    parent = child ?? makeDirectory(session, parent, name, options.mode ?? DEFAULT_MODES.directory);
  }
  if (parent.type !== 'DIR') throw posix('enotdir');
  return parent;
}

/** Two requests may make the same parent at once. */
function makeDirectory(session: Session, parent: Entry, name: string, mode: number): Entry {
  const { tree } = session.context.spaces;
  try {
    return tree.create(parent, name, { type: 'DIR', mode });
  } catch (error) {
    const existing = tree.child(parent.uuid, name);
    if (existing && error instanceof ApiError && error.details?.errno === 'eexist') return existing;
    throw error;
  }
}
