import * as fs from 'node:fs/promises';
import { partialFiles } from '../volume/partials.ts';
import { tidyVolumeTrash, type VolumeTrashContext } from './volume-trash.ts';

export interface FreeSpaceContext extends VolumeTrashContext {
  readonly partials: string;
}

/** There is not enough room on a volume; nothing was copied. */
export class VolumeFullError extends Error {
  override readonly name = 'VolumeFullError';

  constructor(what: string, needed: number, free: number) {
    super(`${what}: ${bytesText(needed)} are needed and ${bytesText(free)} are free. Nothing was copied`);
  }
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`;
}

/** Left free for the state and for directories. */
const RESERVE_BYTES = 32 << 20;

export async function assertFreeSpace(
  context: FreeSpaceContext,
  what: string,
  needed: number,
): Promise<void> {
  if (needed === 0) return;
  // Parts of an earlier attempt are continued, so they count as done.
  let partial = 0;
  for (const file of await partialFiles(context.partials)) {
    const { size, blocks } = await fs.stat(file);
    // A file that is made in its full length takes room only as it fills.
    partial += Math.min(size, blocks * 512);
  }
  const missing = Math.max(0, needed - partial);
  await tidyVolumeTrash(context, missing + RESERVE_BYTES);
  const free = Math.max(0, (await context.tree.freeBytes()) - RESERVE_BYTES);
  if (missing > free) throw new VolumeFullError(what, missing, free);
}
