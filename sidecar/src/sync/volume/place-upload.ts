import { linkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { OutsideError, openFolderBeneath, plainNames, within } from '../../beneath.ts';
import { RequestError } from '../sync-errors.ts';

const MAX_SAME_NAMES = 1000;

/** `name (2).ext` and so on; the first is the name itself. */
function sameName(name: string, number: number): string {
  if (number === 1) return name;
  const dot = name.lastIndexOf('.');
  const at = dot > 0 ? dot : name.length;
  return `${name.slice(0, at)} (${number})${name.slice(at)}`;
}

/**
 * Gives a complete upload its name in the project, in one step: nothing half is ever seen under it, and nothing that is
 * there is replaced; a name that is taken gets a number. Folders on the way are made.
 * @param upload name of the file among the uploads of the volume
 * @param assertOpen called in the moment before; throws where the project is closed by then
 * @returns the path in the project
 * @throws RequestError for a name that cannot be
 */
export async function placeUpload(
  volume: string,
  upload: string,
  path: string,
  assertOpen: () => void,
): Promise<string> {
  const names = plainNames(path);
  const name = names?.pop();
  if (names === undefined || name === undefined)
    throw new RequestError(`${JSON.stringify(path)} is no path in the project`);
  const folder = await openFolderBeneath(join(volume, VOLUME_FOLDERS.data), names).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (!(error instanceof OutsideError) && code !== 'ENOTDIR') throw error;
    throw new RequestError(`${JSON.stringify(names.join('/'))} is no folder of the project`);
  });
  const from = join(volume, VOLUME_FOLDERS.uploads, upload);
  try {
    for (let number = 1; number <= MAX_SAME_NAMES; number += 1) {
      const placed = sameName(name, number);
      try {
        // From here to the end in one turn: a drain that begins later finds the file.
        assertOpen();
        linkSync(from, within(folder, placed));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
        throw error;
      }
      unlinkSync(from);
      return [...names, placed].join('/');
    }
    throw new RequestError(`${JSON.stringify(path)} is there ${MAX_SAME_NAMES} times already`);
  } finally {
    await folder.sync().catch(() => undefined);
    await folder.close();
  }
}
