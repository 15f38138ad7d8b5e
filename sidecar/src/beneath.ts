import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readlink } from 'node:fs/promises';

/**
 * Opening what lies below a folder in which others make, swap and remove links at any time. Each name is opened at the
 * open folder before it and never through a link (`openat` with `O_NOFOLLOW`, by `/proc/self/fd`), so no moment exists in
 * which a swapped link could lead elsewhere.
 */

/** The way leads out of the folder: by a link, or by its own names. */
export class OutsideError extends Error {
  override readonly name = 'OutsideError';
}

const STEP = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FOLDER_STEP = STEP | constants.O_DIRECTORY;
/** As many as the kernel follows. */
const MAX_LINKS = 40;
const MAX_DEPTH = 200;

/** The place of a name in an open folder, whatever its path is by now. */
export const within = (folder: FileHandle, name: string): string => `/proc/self/fd/${folder.fd}/${name}`;

export interface Opened {
  /** The caller closes it. */
  readonly handle: FileHandle;
  readonly isFolder: boolean;
  /** Its true names from the root on, without any link. */
  readonly names: readonly string[];
}

/**
 * Opens a file or folder for reading. Links are followed while they stay below the root.
 * @param knownAs what links in it call the root: an absolute path
 * @throws OutsideError; ENOENT, ENOTDIR, EACCES and the like of the system; ELOOP for links in a circle
 */
export async function openBeneath(root: string, names: readonly string[], knownAs: string): Promise<Opened> {
  const way = [await open(root, FOLDER_STEP)];
  const trail: string[] = [];
  let ahead = [...names];
  let links = 0;
  try {
    for (;;) {
      const name = ahead.shift();
      const here = way.at(-1) as FileHandle;
      if (name === undefined) {
        way.pop();
        return { handle: here, isFolder: true, names: trail };
      }
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length === 1) throw new OutsideError('the way leads out of the folder');
        await way.pop()?.close();
        trail.pop();
        continue;
      }
      const target = await linkAt(here, name);
      if (target !== undefined) {
        links += 1;
        if (links > MAX_LINKS) throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
        if (target.startsWith('/')) {
          if (target !== knownAs && !target.startsWith(`${knownAs}/`)) {
            throw new OutsideError('a link leads out of the folder');
          }
          for (const passed of way.splice(1)) await passed.close();
          trail.length = 0;
          ahead = [...target.slice(knownAs.length).split('/'), ...ahead];
        } else {
          ahead = [...target.split('/'), ...ahead];
        }
        continue;
      }
      const next = await open(within(here, name), STEP);
      const isFolder = (await next.stat()).isDirectory();
      if (isFolder) {
        if (way.length > MAX_DEPTH) throw Object.assign(new Error('too deep'), { code: 'ENAMETOOLONG' });
        way.push(next);
        trail.push(name);
        continue;
      }
      if (ahead.some((more) => more !== '' && more !== '.')) {
        await next.close();
        throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
      }
      return { handle: next, isFolder, names: [...trail, name] };
    }
  } finally {
    for (const passed of way) await passed.close();
  }
}

/**
 * Opens the folder at these names and makes what is missing of them. No link is followed.
 * @throws OutsideError where one of them is a link; ENOTDIR where it is a file
 */
export async function openFolderBeneath(root: string, names: readonly string[]): Promise<FileHandle> {
  let here = await open(root, FOLDER_STEP);
  try {
    for (const name of names) {
      const path = within(here, name);
      await mkdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      const next = await open(path, FOLDER_STEP).catch(async (error: NodeJS.ErrnoException) => {
        if ((await linkAt(here, name)) === undefined) throw error;
        throw new OutsideError('a link stands where a folder is needed');
      });
      await here.close();
      here = next;
    }
    return here;
  } catch (error) {
    await here.close();
    throw error;
  }
}

/** Where the link of that name leads; undefined for all that is no link. */
export async function linkAt(folder: FileHandle, name: string): Promise<string | undefined> {
  try {
    return await readlink(within(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Characters that hide what a name says, or end a line where it is shown. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const HIDING = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3000;

/** The names of a path that somebody else has sent; undefined where one of them is not a plain name. */
export function plainNames(path: string): string[] | undefined {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return undefined;
  const names = path.split('/');
  const isPlain = (name: string) =>
    name.trim() !== '' &&
    name !== '.' &&
    name !== '..' &&
    name.isWellFormed() &&
    !HIDING.test(name) &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES;
  return names.every(isPlain) && names.length <= MAX_DEPTH ? names : undefined;
}
