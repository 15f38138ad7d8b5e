import type { FileHandle } from 'node:fs/promises';
import { fail } from './directory-errors.ts';
import type { CallOptions, Content, EntryKind, SpaceEntry } from './space.ts';

/**
 * Writes content into an open file from an offset on, and closes it. What was written is on the disk then.
 * @throws transfer-broken where `content` gave another number of bytes than its size
 */
export async function fill(
  handle: FileHandle,
  { path, offset }: { readonly path: string; readonly offset: number },
  content: Content,
  { signal }: CallOptions,
): Promise<void> {
  let written = 0;
  try {
    for await (const chunk of content.open()) {
      signal?.throwIfAborted();
      for (let at = 0; at < chunk.byteLength; ) {
        const place = offset + written + at;
        at += (await handle.write(chunk, at, chunk.byteLength - at, place)).bytesWritten;
      }
      written += chunk.byteLength;
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  if (written !== content.size)
    throw fail('transfer-broken', path, `got ${written} bytes, ${content.size} were announced`);
}

export function assertKind(found: SpaceEntry, kind: EntryKind): SpaceEntry {
  const { path } = found;
  if (found.kind === kind) return found;
  if (kind === 'directory') throw fail('not-a-directory', path, `is a ${found.kind}`);
  if (found.kind === 'directory' && kind === 'file') throw fail('is-a-directory', path, 'is a directory');
  throw fail('bad-request', path, `is a ${found.kind}, not a ${kind}`);
}
