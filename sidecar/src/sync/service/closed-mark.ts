import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { RUN_FILES } from '../../../contract/paths.ts';
import type { SyncPaths } from './sync-paths.ts';

/**
 * The mark of a complete drain, beside `ready`: a container that starts again in the same pod stays closed, because the
 * volumes are about to be deleted. It goes with the pod.
 */
const closedSchema = z.object({ generation: z.int().min(0), savedAt: z.iso.datetime().nullable() });
export type ClosedMark = z.infer<typeof closedSchema>;

const at = (paths: SyncPaths): string => join(dirname(paths.ready), basename(RUN_FILES.drained));

export async function writeClosedMark(paths: SyncPaths, mark: ClosedMark): Promise<void> {
  await fs.mkdir(dirname(at(paths)), { recursive: true });
  await fs.writeFile(at(paths), `${JSON.stringify(mark)}\n`, { flush: true });
}

/** null where no drain was completed in this pod. */
export function readClosedMark(paths: SyncPaths): ClosedMark | null {
  let text: string;
  try {
    text = readFileSync(at(paths), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return closedSchema.parse(JSON.parse(text));
  } catch {
    // Cut off while it was written, so the drain told nobody that it was complete.
    return null;
  }
}
