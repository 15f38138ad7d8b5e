import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { asideOf, isAside } from './aside.ts';

/** Of the names in the state's folder; all others are files. */
const FOLDERS: readonly string[] = ['partial', 'scratch', 'trash'];

const FILE_RIGHTS = 0o600;
const FOLDER_RIGHTS = 0o700;

/**
 * Puts aside what stands in the place of the engine's own files on a volume and cannot be one of them: links, which
 * would lead a write to some other file, folders in the place of files, files in the place of folders. What has lost its
 * rights gets them back; what belongs to somebody else and cannot be read and written goes aside too.
 *
 * Everything in the folder can be missing, so each start of a pod can do this before it reads any of it.
 *
 * @param root of the volume; its folder of the state is made where something else stands there
 */
export async function clearState(root: string, nowMs: number): Promise<void> {
  for (const folder of [VOLUME_FOLDERS.state, VOLUME_FOLDERS.uploads]) {
    await makeRight(join(root, folder), 'directory', nowMs);
  }
  const state = join(root, VOLUME_FOLDERS.state);
  for (const name of await namesIn(state)) {
    if (isAside(name)) continue;
    await makeRight(join(state, name), FOLDERS.includes(name) ? 'directory' : 'file', nowMs);
  }
  await clearPartialFolders(join(state, 'partial'));
}

async function makeRight(path: string, kind: 'file' | 'directory', nowMs: number): Promise<void> {
  const found = await fs.lstat(path).catch(() => null);
  if (found === null) return;
  const isRight = kind === 'file' ? found.isFile() : found.isDirectory();
  if (isRight && (await isOpen(path, found.mode, kind))) return;
  await fs.rename(path, asideOf(path, nowMs));
}

/** Whether it can be used, after its rights were given back where they were missing. */
async function isOpen(path: string, mode: number, kind: 'file' | 'directory'): Promise<boolean> {
  const rights = kind === 'file' ? FILE_RIGHTS : FOLDER_RIGHTS;
  if ((mode & rights) !== rights) await fs.chmod(path, (mode & 0o7777) | rights).catch(() => undefined);
  const { R_OK, W_OK, X_OK } = fs.constants;
  return fs.access(path, kind === 'file' ? R_OK | W_OK : R_OK | W_OK | X_OK).then(
    () => true,
    () => false,
  );
}

/** Parts of files can be fetched again, so what is no folder or file there is nothing to keep. */
async function clearPartialFolders(partials: string): Promise<void> {
  for (const name of await namesIn(partials)) {
    const folder = join(partials, name);
    if (!(await fs.lstat(folder)).isDirectory()) {
      await fs.rm(folder);
      continue;
    }
    await fs.chmod(folder, FOLDER_RIGHTS).catch(() => undefined);
    for (const part of await fs.readdir(folder, { withFileTypes: true })) {
      if (!part.isFile()) await fs.rm(join(folder, part.name), { recursive: true });
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return fs.readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
