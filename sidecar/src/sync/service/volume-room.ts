import { statfs } from 'node:fs/promises';
import type { VolumeRoom } from '../../../contract/status.ts';
import type { Clock } from '../../clock.ts';
import type { Side } from '../../spaces/space.ts';
import type { StatusBoard } from './status-board.ts';
import type { SyncPaths } from './sync-paths.ts';

const LOOK_EVERY_MS = 10_000;
/** What nobody sees is no change that has to be told. */
const STEP_BYTES = 1_000_000;

/** Keeps the room on both volumes on the board. Ends with the signal. */
export async function watchVolumes(
  board: StatusBoard,
  { paths, clock }: { readonly paths: SyncPaths; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const source = await roomOf(paths.sourceVolume);
    const project = await roomOf(paths.projectVolume);
    const volumes: Partial<Record<Side, VolumeRoom>> = {
      ...(source && { source }),
      ...(project && { project }),
    };
    board.setVolumes(volumes);
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

/** null where the volume is not there; what that means is for the engine to say. */
async function roomOf(root: string): Promise<VolumeRoom | null> {
  try {
    const { bavail, blocks, bsize } = await statfs(root);
    const freeBytes = Math.floor((bavail * bsize) / STEP_BYTES) * STEP_BYTES;
    return { freeBytes, totalBytes: blocks * bsize };
  } catch {
    return null;
  }
}
