import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheKey } from '../../automation/tools/cache.ts';

/**
 * Key of a folder's content: paths, executable bits, bytes, targets of links. Times and owners do not count.
 *
 * @param isCounted given a path relative to `directory`; folders that are not counted are not entered
 */
export async function treeKey(
  directory: string,
  isCounted: (path: string) => boolean = () => true,
): Promise<string> {
  const inputs: (string | Uint8Array)[] = [];
  const walk = async (below: string) => {
    for (const name of (await readdir(join(directory, below))).sort()) {
      const path = below === '' ? name : `${below}/${name}`;
      if (!isCounted(path)) continue;
      const status = await lstat(join(directory, path));
      if (status.isDirectory()) await walk(path);
      else if (status.isSymbolicLink()) inputs.push(path, 'link', await readlink(join(directory, path)));
      else inputs.push(path, status.mode & 0o111 ? 'program' : 'file', await readFile(join(directory, path)));
    }
  };
  await walk('');
  return cacheKey(...inputs);
}
