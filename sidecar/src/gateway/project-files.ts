import { type FileHandle, lstat, opendir, statfs } from 'node:fs/promises';
import { linkAt, OutsideError, openBeneath, within } from '../beneath.ts';
import type { FileRow, FolderView } from './folder-view.ts';

/** Rows that are sent of one folder; Scipion's own have a few hundred. */
export const MAX_ROWS = 2000;

/** What cannot be given: `code` stands for the sentence in the language of the page. */
export class FilesError extends Error {
  override readonly name = 'FilesError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What the system said, for a person. */
export function filesError(error: unknown): unknown {
  if (error instanceof OutsideError) {
    return new FilesError(403, 'file-outside', 'This is a link that leads out of the project.');
  }
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return new FilesError(404, 'file-gone', 'There is no such file or folder in the project any more.');
    case 'EACCES':
    case 'EPERM':
      return new FilesError(403, 'file-closed', 'The rights on this file or folder keep the instance out.');
    default:
      return error;
  }
}

/** The files of the project for reading. Whatever is asked for, and whatever others do meanwhile, nothing outside is opened. */
export class ProjectFiles {
  readonly #root: string;
  readonly #knownAs: string;

  /** @param knownAs what the links in it call the folder */
  constructor(root: string, knownAs: string) {
    this.#root = root;
    this.#knownAs = knownAs;
  }

  /** @throws FilesError */
  async list(path: string): Promise<FolderView> {
    const { handle, isFolder, names } = await this.#open(path);
    try {
      if (!isFolder) throw new FilesError(404, 'file-gone', 'This is no folder.');
      const rows: FileRow[] = [];
      let isCut = false;
      const folder = await opendir(`/proc/self/fd/${handle.fd}`);
      for await (const { name } of folder) {
        // A name that is no text cannot be asked for; it is left in the desktop.
        if (name.includes('\ufffd')) continue;
        if (rows.length === MAX_ROWS) {
          isCut = true;
          break;
        }
        const row = await this.#row(handle, names, name);
        if (row !== undefined) rows.push(row);
      }
      const rank = ({ kind }: FileRow) => (kind === 'folder' ? 0 : 1);
      const byName = new Intl.Collator(undefined, { numeric: true }).compare;
      rows.sort((one, other) => rank(one) - rank(other) || byName(one.name, other.name));
      const { bavail, bsize } = await statfs(`/proc/self/fd/${handle.fd}`);
      return { path: names.join('/'), rows, isCut, freeBytes: bavail * bsize };
    } catch (error) {
      throw filesError(error);
    } finally {
      await handle.close();
    }
  }

  /** A file, opened for reading; the caller closes it. @throws FilesError */
  async open(path: string): Promise<{ handle: FileHandle; name: string }> {
    const { handle, names } = await this.#open(path);
    if ((await handle.stat()).isFile()) return { handle, name: names.at(-1) as string };
    await handle.close();
    throw new FilesError(404, 'file-gone', 'This is no file.');
  }

  async #row(folder: FileHandle, names: readonly string[], name: string): Promise<FileRow | undefined> {
    try {
      const found = await lstat(within(folder, name));
      const row = { name, size: 0, modified: Math.round(found.mtimeMs) };
      if (found.isDirectory()) return { ...row, kind: 'folder' };
      if (found.isFile()) return { ...row, kind: 'file', size: found.size };
      if ((await linkAt(folder, name)) === undefined) return { ...row, kind: 'other' };
      const led = await openBeneath(this.#root, [...names, name], this.#knownAs).catch(() => undefined);
      if (led === undefined) return { ...row, kind: 'outside' };
      const { size, mtimeMs } = await led.handle.stat().finally(() => led.handle.close());
      return led.isFolder ? { ...row, kind: 'folder' } : { name, kind: 'file', size, modified: mtimeMs };
    } catch (error) {
      // It went while the folder was read.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #open(path: string): Promise<Awaited<ReturnType<typeof openBeneath>>> {
    const names = path === '' ? [] : namesToRead(path);
    if (names === undefined) throw new FilesError(404, 'file-gone', 'This is no path in the project.');
    try {
      return await openBeneath(this.#root, names, this.#knownAs);
    } catch (error) {
      throw filesError(error);
    }
  }
}

/** Any name that is there may be read, also one that could not be sent. */
function namesToRead(path: string): string[] | undefined {
  if (path.includes('\0') || path.length > 4096) return undefined;
  const names = path.split('/');
  return names.some((name) => name === '' || name === '.' || name === '..') ? undefined : names;
}
