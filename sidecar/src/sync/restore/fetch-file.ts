import { hash } from 'node:crypto';
import { closeSync, fsync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { RemoteEntry } from '../model.ts';
import { isShort } from '../spaces/connections.ts';
import type { ReadOnlySpace } from '../spaces/space.ts';
import { partialFile } from '../volume/partials.ts';
import { cutShort, type Fetched, type FetchOptions, fetchParts, noGate } from './fetch-parts.ts';

/**
 * Copies a file of the space into `partials` and returns the finished temporary file with its hash. What an earlier
 * attempt left of the same version is kept and continued.
 * @throws SpaceError; `transfer-broken` where the file changed on the way
 */
export async function fetchFile(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  partials: string,
  options: FetchOptions,
): Promise<Fetched> {
  const version = [space.identity, remote.path, remote.id, remote.size, remote.mtimeSeconds];
  const key = hash('sha256', JSON.stringify(version), 'hex');
  const file = partialFile(partials, key.slice(0, 40));
  if (remote.size > SMALL_FILE_BYTES) return fetchParts(space, remote, file, options);
  return fetchSmall(space, remote, file, options);
}

/** Up to this size a file is held in memory and written at once: a stream costs more than its bytes. */
const SMALL_FILE_BYTES = 1 << 18;

async function fetchSmall(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  file: string,
  options: FetchOptions,
): Promise<Fetched> {
  const { network = noGate } = options;
  const bytes =
    remote.size === 0
      ? Buffer.alloc(0)
      : await network(() => readSmall(space, remote, options), isShort(remote.size));
  // On the spot: handing each call over to the pool of threads costs several times what it does.
  const descriptor = openSync(file, 'w');
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    if (options.isSyncedLater !== true) await promisify(fsync)(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return { file, hash: hash('sha256', bytes, 'hex'), isSynced: options.isSyncedLater !== true };
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
