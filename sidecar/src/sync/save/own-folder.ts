import { ENGINE_FOLDER, isSpaceError, type Space, SpaceError } from '../../spaces/space.ts';

/**
 * The first look into the engine's folder. Where a file or link has taken the folder's place, spaces name the path in it that
 * was asked for, which nobody can move away: this names the folder.
 */
export async function inOwnFolder<T>(space: Pick<Space, 'stat'>, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!isSpaceError(error, 'not-a-directory')) throw error;
    const path = ENGINE_FOLDER;
    const found = await space.stat({ path });
    if (found === null || found.kind === 'directory') throw error;
    throw new SpaceError(error.code, `${path} is a ${found.kind}`, { path, cause: error });
  }
}
