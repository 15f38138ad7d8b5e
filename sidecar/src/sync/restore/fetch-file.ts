import { hash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { isShort } from '../../spaces/connections.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import type { RemoteEntry } from '../model.ts';
import { partialFile } from '../volume/partials.ts';
import { newFileIn } from '../volume/small-file.ts';
import { cutShort, type Fetched, type FetchOptions, fetchParts, noGate } from './fetch-parts.ts';

/** Up to this size a file is held in memory and written at once: a stream costs more than its bytes. */
const SMALL_FILE_BYTES = 1 << 18;

export const isSmall = ({ size }: RemoteEntry): boolean => size <= SMALL_FILE_BYTES;

export interface FetchedBytes {
  readonly bytes: Buffer;
  /** As of `Fetched`. */
  readonly hash: string | null;
}

/**
 * Copies a file of the space into one of these folders and returns the finished temporary file, which is on the disk,
 * with its hash. What an earlier attempt left of the same version of a large file is kept and continued.
 * @throws SpaceError; `transfer-broken` where the file changed on the way
 */
export async function fetchFile(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  { partials, scratch }: { readonly partials: string; readonly scratch: string },
  options: FetchOptions,
): Promise<Fetched> {
  if (isSmall(remote)) {
    const { bytes, hash: found } = await fetchSmall(space, remote, options);
    const temporary = newFileIn(scratch);
    await writeFile(temporary, bytes, { flush: true });
    return { file: temporary, hash: found };
  }
  const version = [space.identity, remote.path, remote.id, remote.size, remote.mtimeSeconds];
  const key = hash('sha256', JSON.stringify(version), 'hex');
  return fetchParts(space, remote, partialFile(partials, key.slice(0, 40)), options);
}

/** The content of a small file. @throws SpaceError; `transfer-broken` where it is not as long as it was listed */
export async function fetchSmall(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  options: FetchOptions,
): Promise<FetchedBytes> {
  const { network = noGate, isHashed = true } = options;
  const bytes =
    remote.size === 0
      ? Buffer.alloc(0)
      : await network(() => readSmall(space, remote, options), isShort(remote.size));
  return { bytes, hash: isHashed ? hash('sha256', bytes, 'hex') : null };
}

async function readSmall(space: ReadOnlySpace, remote: RemoteEntry, options: FetchOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let got = 0;
  for await (const chunk of space.read(
    remote,
    options.signal === undefined ? {} : { signal: options.signal },
  )) {
    got += chunk.byteLength;
    if (got > remote.size) break;
    options.onBytes?.(chunk.byteLength);
    chunks.push(chunk);
  }
  if (got !== remote.size) throw cutShort(remote, got);
  return Buffer.concat(chunks);
}
