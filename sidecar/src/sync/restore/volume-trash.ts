import { linkSync, mkdirSync, renameSync, statfsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import { compactTime, trashTime } from '../save/space-layout.ts';
import { timesOf } from '../save/two-clocks.ts';
import type { StateStore } from '../state/state.ts';
import type { LocalTree } from '../volume/local-tree.ts';

const SECOND_MS = 1_000;
/** Further ahead it is a clock that was set back. */
const CLOSE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
const KEPT_MS = 14 * DAY_MS;
/** Nothing younger goes for the size of all of it: what a start took may be the only copy, and nobody has seen it go yet. */
const MIN_KEPT_MS = 3 * DAY_MS;
/** Of the volume's size: above, the oldest go first. */
const MAX_SHARE = 0.1;
/** Where less of the volume is free, nothing that only was replaced is kept. */
const MIN_FREE_SHARE = 0.05;
/** When a start was complete the last time: nobody has worked since with what later ones took. */
const LAST_START = 'last-start';

export interface VolumeTrashContext {
  readonly tree: LocalTree;
  readonly state: StateStore;
  /** Folder of the volume for temporary files; the trash lies beside it. */
  readonly scratch: string;
  readonly space: ReadOnlySpace;
  readonly clock: Clock;
}

/** Outside of the project, on the same file system. */
export function volumeTrashOf(scratch: string): string {
  return join(dirname(scratch), 'trash');
}

/**
 * What a start takes from the volume or replaces on it, because the space says so, is first given a second name here:
 * a space can be wrong, and then this is the only copy.
 */
export class VolumeTrash {
  readonly #context: Omit<VolumeTrashContext, 'space' | 'clock'>;
  readonly #folder: string;
  kept = 0;

  /** @param madeAt in ms: the later of two clocks */
  constructor(context: Omit<VolumeTrashContext, 'space' | 'clock'>, madeAt: number) {
    this.#context = context;
    this.#folder = join(
      volumeTrashOf(context.scratch),
      `${compactTime(afterLastStart(context.state, madeAt))}-start`,
    );
  }

  /** Costs no room but what the file has already. @throws where it cannot be kept: then it must stay where it is */
  keep(path: string, why: 'removed' | 'replaced'): void {
    const { tree } = this.#context;
    if (why === 'replaced' && freeShare(tree.root) < MIN_FREE_SHARE) return;
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

/**
 * Drops what is old, and the oldest where all of it together is too much.
 * @param needed bytes that have to be free: what was taken since the last complete start does not go for them
 */
export async function tidyVolumeTrash(context: VolumeTrashContext, needed = 0): Promise<void> {
  const root = volumeTrashOf(context.scratch);
  const names = await fs.readdir(root).catch(() => [] as string[]);
  if (names.length === 0) return;
  const { earlier: now } = await timesOf(context);
  const lastStart = lastStartOf(context.state);
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
    const age = now - madeAt;
    const isYoung = age <= MIN_KEPT_MS;
    const isTooMuch = !isYoung && total > MAX_SHARE * blocks * bsize;
    const isInTheWay =
      needed > 0 && !(isYoung && madeAt >= lastStart) && (await context.tree.freeBytes()) < needed;
    if (age <= KEPT_MS && !isTooMuch && !isInTheWay) continue;
    await fs.rm(path, { recursive: true, force: true });
    total -= sizes.get(path) ?? 0;
  }
}

/** After a complete start, before the desktop opens. */
export async function tidyAfterStart(context: VolumeTrashContext): Promise<void> {
  const { blocks, bsize } = statfsSync(context.tree.root);
  await tidyVolumeTrash(context, MIN_FREE_SHARE * blocks * bsize);
  const { later } = await timesOf(context);
  // Names have whole seconds.
  context.state.setMeta(
    LAST_START,
    String(Math.floor(afterLastStart(context.state, later) / SECOND_MS) * SECOND_MS + SECOND_MS),
  );
}

/** The end of a start is rounded up, so the next may be made in the same second: it is later nevertheless. */
function afterLastStart(state: StateStore, time: number): number {
  const lastStart = lastStartOf(state);
  return lastStart > time && lastStart - time <= CLOSE_MS ? lastStart : time;
}

function lastStartOf(state: StateStore): number {
  return Number(state.meta(LAST_START) ?? 0);
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
