import { linkSync, lstatSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { receiptName, VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { OutsideError, openFolderBeneath, plainNames, within } from '../../beneath.ts';
import { replaceFileSync } from '../../replace-file.ts';
import { besides } from '../names.ts';
import { RequestError } from '../sync-errors.ts';

const MAX_SAME_NAMES = 1000;

export interface Placement {
  /** Name of the file among the uploads of the volume. */
  readonly upload: string;
  /** Path in the project. */
  readonly path: string;
  /** Who sends it, once: asked again with the same, the answer is what was done the first time. */
  readonly attempt: string;
}

const receiptSchema = z.strictObject({ path: z.string() });

/**
 * Gives a complete upload its name in the project, in one step: nothing half is ever seen under it, and nothing that is
 * there is replaced; a name that is taken gets a number. Folders on the way are made. A receipt beside the uploads says
 * what was done, so that whoever did not hear the answer can ask again.
 * @param assertOpen called in the moment before; throws where the project is closed by then
 * @returns the path in the project
 * @throws RequestError for a name that cannot be
 */
export async function placeUpload(
  volume: string,
  { upload, path, attempt }: Placement,
  assertOpen: () => void,
): Promise<string> {
  const names = plainNames(path);
  const name = names?.pop();
  if (names === undefined || name === undefined)
    throw new RequestError(`${JSON.stringify(path)} is no path in the project`);
  const uploads = join(volume, VOLUME_FOLDERS.uploads);
  const from = join(uploads, upload);
  const receipt = join(uploads, receiptName(attempt));
  const done = readReceipt(receipt);
  if (done !== undefined) {
    rmSync(from, { force: true });
    return done;
  }
  const folder = await openFolderBeneath(join(volume, VOLUME_FOLDERS.data), names).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (!(error instanceof OutsideError) && code !== 'ENOTDIR') throw error;
    throw new RequestError(`${JSON.stringify(names.join('/'))} is no folder of the project`);
  });
  try {
    // From here to the end in one turn: a drain that begins later finds the file.
    assertOpen();
    const placed = [...names, linkFree(folder, name, from)].join('/');
    try {
      replaceFileSync(receipt, JSON.stringify({ path: placed }));
    } catch {
      // Of a volume without room. The file is in its place, and that is what counts.
    }
    unlinkSync(from);
    return placed;
  } finally {
    await folder.sync().catch(() => undefined);
    await folder.close();
  }
}

function readReceipt(file: string): string | undefined {
  try {
    return receiptSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).path;
  } catch {
    return undefined;
  }
}

/** Links the file into the folder under its name, or the first free one like it; returns the name. */
function linkFree(folder: FileHandle, name: string, from: string): string {
  for (let number = 1; number <= MAX_SAME_NAMES; number += 1) {
    const placed = number === 1 ? name : besides(name, `${number}`);
    try {
      linkSync(from, within(folder, placed));
      return placed;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') throw new RequestError('There is no such upload any more. Send the file again.');
      if (code !== 'EEXIST') throw error;
      // Linked already, before a crash took the rest.
      if (lstatSync(within(folder, placed)).ino === lstatSync(from).ino) return placed;
    }
  }
  throw new RequestError(`${JSON.stringify(name)} is there ${MAX_SAME_NAMES} times already`);
}
