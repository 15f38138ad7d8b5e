import type { Content, EntryKind, SpaceCapabilities, SpaceEntry } from '../space.ts';
import { nameOf, parentOf, SpaceError } from '../space.ts';
import type { FileAttributes } from './attributes.ts';
import type { SpaceDetails } from './provider-client.ts';

export const CAPABILITIES: SpaceCapabilities = {
  symlinks: true,
  idsSurviveMove: true,
  movesById: true,
  maxNameBytes: 255,
  // ⚠ Such files exist but are never listed: uploaded, they would seem deleted.
  reservedNamePrefixes: ['.__onedata__'],
  reservedNameParts: ['####TO_DELETE'],
  copiesFrom: 1 << 18,
  concurrency: 8,
};

export const KINDS = { REG: 'file', DIR: 'directory', SYMLNK: 'symlink' } as const satisfies Record<
  FileAttributes['type'],
  EntryKind
>;

export function entryOf(attributes: FileAttributes, path: string): SpaceEntry {
  return {
    path,
    name: nameOf(path),
    id: attributes.id,
    kind: KINDS[attributes.type],
    // ⚠ Directories carry the size of all that is in them, links the length of their target.
    size: attributes.type === 'REG' ? attributes.size : 0,
    // ⚠ 0 while the times have not come over from another provider.
    mtimeSeconds: attributes.mtime === 0 ? null : attributes.mtime,
  };
}

/** @throws SpaceError `invalid-name`; `whole` is the path that the name is part of */
export function assertName(path: string, whole = path): void {
  const name = nameOf(path);
  const { maxNameBytes, reservedNameParts, reservedNamePrefixes } = CAPABILITIES;
  const isRefused =
    name === '' ||
    name === '.' ||
    name === '..' ||
    name.includes('\0') ||
    !name.isWellFormed() ||
    Buffer.byteLength(name) > maxNameBytes ||
    reservedNamePrefixes.some((prefix) => name.startsWith(prefix)) ||
    reservedNameParts.some((part) => name.includes(part)) ||
    (name === '.trash' && parentOf(whole) === '');
  if (isRefused) throw invalidName(whole);
}

/** Looking up and moving address the space by its name, which ends at the first `@`. */
export function assertAddressable({ name, spaceId }: SpaceDetails): void {
  if (!/[@/]/.test(name)) return;
  throw new SpaceError(
    'unsupported',
    `The space ${spaceId} is called ${JSON.stringify(name)}: Onedata cannot address names with "@" or "/". Rename the space in the web page of your zone.`,
  );
}

/** The bytes of `content`, or an error where their number is not the announced one. */
export async function* exactly(content: Content, path: string): AsyncGenerator<Uint8Array> {
  let total = 0;
  const wrong = () =>
    new SpaceError('transfer-broken', `${path}: ${total} bytes came, ${content.size} were announced`, {
      path,
    });
  for await (const chunk of content.open()) {
    total += chunk.byteLength;
    if (total > content.size) throw wrong();
    yield chunk;
  }
  if (total !== content.size) throw wrong();
}

export const missing = (path: string) =>
  new SpaceError('not-found', `nothing is at ${path} in the space`, { path });
export const existsAlready = (path: string) =>
  new SpaceError('exists', `something is at ${path} in the space already`, { path });
export const isADirectory = (path: string) =>
  new SpaceError('is-a-directory', `${path} is a directory in the space`, { path });
export const notADirectory = (path: string) =>
  new SpaceError('not-a-directory', `${path} is no directory in the space`, { path });
export const invalidName = (path: string) =>
  new SpaceError('invalid-name', `a Onedata space cannot hold the name ${JSON.stringify(nameOf(path))}`, {
    path,
  });
