import * as fs from 'node:fs/promises';
import { join } from 'node:path';

/** The first digit of a key names the folder of its file. */
const FOLDERS = '0123456789abcdef';

/**
 * Makes the folders in which files wait that are on their way to the volume. Several, because the kernel lets one thread
 * at a time make or move files in a folder: with all in one, copying small files takes twice as long.
 */
export async function makePartialFolders(partials: string): Promise<void> {
  for (const digit of FOLDERS) await fs.mkdir(join(partials, digit), { recursive: true });
}

/** @param key hex digits by which a later attempt finds the file again */
export function partialFile(partials: string, key: string): string {
  return join(partials, key.slice(0, 1), key.slice(1));
}

export async function partialFiles(partials: string): Promise<string[]> {
  const found = await fs.readdir(partials, { recursive: true, withFileTypes: true });
  return found.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

/** Parts of files that nobody asks for any more. */
export async function clearPartials(partials: string): Promise<void> {
  for (const file of await partialFiles(partials)) await fs.rm(file, { force: true });
}
