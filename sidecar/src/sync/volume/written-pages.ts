import { fdatasync, fdatasyncSync } from 'node:fs';
import { promisify } from 'node:util';
import type { LocalEntry } from '../model.ts';
import { syncFiles } from './sync-files.ts';

/** Up to this size, and not written for so long, there is little to write: done on the spot. */
const SMALL_BYTES = 1 << 18;
const OLD_NS = 5_000_000_000n;
/** More files than these go to the disk together. */
const FEW = 16;

/**
 * Brings to the disk what was written to a file through a memory map. ⚠ A page that is dirty is written to without a
 * sign: the kernel moves the times of the file, and sends events, only where a clean page becomes dirty. So the page has
 * to be clean before the file is looked at and read; then the next write moves the times.
 * @param seen the file before; where its times are others afterwards, a page became dirty meanwhile
 * @returns false where the system cannot do it, so nothing is known
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html on the time stamps of MAP_SHARED
 */
export async function writePages(descriptor: number, seen: LocalEntry, nowNs: bigint): Promise<boolean> {
  if (seen.size === 0) return true;
  try {
    if (seen.size <= SMALL_BYTES && seen.ctimeNs < nowNs - OLD_NS) fdatasyncSync(descriptor);
    else await promisify(fdatasync)(descriptor);
    return true;
  } catch {
    // What the disk says when the file is read is told; here, it is read again by the next save.
    return false;
  }
}

/** As `writePages`, in one step for all files of a volume, where many are about to be read: each costs little then. */
export async function writeAllPages(root: string, files: number): Promise<void> {
  if (files > FEW) await syncFiles(root, Array(FEW + 1).fill(root)).catch(() => undefined);
}
