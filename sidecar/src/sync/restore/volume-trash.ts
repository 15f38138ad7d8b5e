import { linkSync, mkdirSync, renameSync, statfsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VolumeContext } from '../context.ts';
import { compactTime, trashTime } from '../save/space-layout.ts';

const KEPT_MS = 14 * 24 * 3_600_000;
/** Of the volume's size: above, the oldest go first. */
const MOST_SHARE = 0.1;
/** Where less of the volume is free, nothing that only was replaced is kept. */
const LEAST_FREE_SHARE = 0.05;

/** Outside of the project, on the same file system. */
export function volumeTrashOf({ scratch }: Pick<VolumeContext, 'scratch'>): string {
  return join(dirname(scratch), 'trash');
}

/**
 * What a start takes from the volume or replaces on it, because the space says so, is first given a second name here:
 * a space can be wrong, and then this is the only copy.
 */
export class VolumeTrash {
  readonly #context: VolumeContext;
  readonly #folder: string;
  kept = 0;

  constructor(context: VolumeContext) {
    this.#context = context;
    this.#folder = join(volumeTrashOf(context), `${compactTime(context.clock.now())}-start`);
  }

  /** Costs no room but what the file has already. @throws where it cannot be kept: then it must stay where it is */
  keep(path: string, why: 'removed' | 'replaced'): void {
    const { tree } = this.#context;
    if (why === 'replaced' && freeShare(tree.root) < LEAST_FREE_SHARE) return;
    const from = tree.at(path);
    const to = Buffer.concat([Buffer.from(this.#folder), from.subarray(Buffer.byteLength(tree.root))]);
    mkdirSync(to.subarray(0, to.lastIndexOf(0x2f)), { recursive: true, mode: 0o700 });
    try {
      // In one step: a file with a second name for a moment would look changed after a crash, and be sent again.
      if (why === 'removed') renameSync(from, to);
      else linkSync(from, to);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Kept before, by a start that was broken off within the same second; or under another name in the project.
      if (code === 'EEXIST' || code === 'ENOENT') return;
      if (!['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code ?? '')) throw error;
      renameSync(from, to);
    }
    this.kept += 1;
  }
}

/** Drops what is old, and the oldest where all of it together is too much. @param needed bytes that have to be free */
export async function tidyVolumeTrash(context: VolumeContext, needed = 0): Promise<void> {
  const root = volumeTrashOf(context);
  const names = await fs.readdir(root).catch(() => [] as string[]);
  const folders = names
    .map((name) => ({ path: join(root, name), madeAt: trashTime(name) ?? 0 }))
    .sort((a, b) => a.madeAt - b.madeAt);
  const { blocks, bsize } = statfsSync(context.tree.root);
  let total = 0;
  const sizes = new Map<string, number>();
  for (const { path } of folders) {
    const bytes = await bytesBelow(path);
    sizes.set(path, bytes);
    total += bytes;
  }
  for (const { path, madeAt } of folders) {
    const isOld = context.clock.now() - madeAt > KEPT_MS;
    const isFull = needed > 0 && (await context.tree.freeBytes()) < needed;
    if (!isOld && !isFull && total <= MOST_SHARE * blocks * bsize) continue;
    await fs.rm(path, { recursive: true, force: true });
    total -= sizes.get(path) ?? 0;
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let total = 0;
  const directory = await fs.opendir(folder, { recursive: true }).catch(() => null);
  if (directory === null) return 0;
  for await (const each of directory) {
    if (!each.isFile()) continue;
    const found = await fs.stat(join(each.parentPath, each.name)).catch(() => null);
    total += (found?.blocks ?? 0) * 512;
  }
  return total;
}

function freeShare(root: string): number {
  const { bavail, blocks } = statfsSync(root);
  return blocks === 0 ? 1 : bavail / blocks;
}
