import { isSpaceError, nameOf, type Space } from '../../spaces/space.ts';
import { trashFolder } from './space-layout.ts';

/** Moves a file of the engine to its place. A directory that somebody made there is no obstacle: it goes to the trash. */
export async function moveOver(space: Space, from: string, to: string, nowMs: number): Promise<void> {
  try {
    await space.move({ path: from, kind: 'file' }, to);
  } catch (error) {
    if (!isSpaceError(error, 'is-a-directory', 'exists')) throw error;
    await putAway(space, to, nowMs);
    await space.move({ path: from, kind: 'file' }, to);
  }
}

/** What lies in the place of a file of the engine is evidence: it goes to the trash. */
export async function putAway(space: Space, path: string, nowMs: number): Promise<void> {
  const found = await space.stat({ path });
  if (found === null) return;
  const folder = `${trashFolder(nowMs, 'engine')}/engine`;
  await space.makeDirectory(folder);
  await space.move({ path, kind: found.kind }, `${folder}/${nowMs}-${nameOf(path)}`);
}
