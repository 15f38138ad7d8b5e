import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { VOLUME_FOLDERS } from '../../../contract/paths.ts';
import { replaceFile } from '../../replace-file.ts';
import type { ReadOnlySpace } from '../../spaces/space.ts';
import { NameCodec } from '../names.ts';
import type { StateStore } from '../state/state.ts';
import { NewerFormatError, VolumeNotMountedError } from '../sync-errors.ts';
import { asideOf } from './aside.ts';
import { assertKnownFormat, MARKER, MARKER_VERSION, STATE_FILE } from './known-format.ts';
import { LocalTree } from './local-tree.ts';
import { openState } from './open-state.ts';
import { makePartialFolders } from './partials.ts';
import { clearState } from './state-folder.ts';

/**
 * Makes the folders of a volume, and the mark by which later starts know it. Done again, it changes nothing; nor does it
 * where a newer version of this program was: the opening says so, on the page too.
 */
export async function prepareVolume(root: string): Promise<void> {
  if (await isNewer(root)) return;
  await clearState(root, Date.now());
  for (const folder of Object.values(VOLUME_FOLDERS)) {
    const path = join(root, folder);
    await fs.mkdir(path, { recursive: true, mode: 0o775 });
    // The process's umask may have narrowed it; a volume of another owner stays as it is.
    await fs
      .chmod(path, folder === VOLUME_FOLDERS.data ? 0o775 : 0o700)
      .catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPERM') throw error;
      });
  }
  const marker = join(root, VOLUME_FOLDERS.state, MARKER);
  if ((await markedId(marker)) !== null) return;
  // Something else is there: damaged, or somebody's. It gets a new mark, as one that was lost does.
  if (existsSync(marker)) await fs.rename(marker, asideOf(marker, Date.now()));
  await replaceFile(marker, `${JSON.stringify({ version: MARKER_VERSION, volumeId: randomUUID() })}\n`);
}

async function isNewer(root: string): Promise<boolean> {
  try {
    await assertKnownFormat(root);
    return false;
  } catch (error) {
    if (error instanceof NewerFormatError) return true;
    throw error;
  }
}

/** @throws VolumeNotMountedError where the directory is not a prepared volume with a data folder. */
export async function assertMounted(root: string, what: string): Promise<string> {
  const volumeId = await markedId(join(root, VOLUME_FOLDERS.state, MARKER)).catch(() => null);
  const data = await fs.stat(join(root, VOLUME_FOLDERS.data)).catch(() => null);
  if (volumeId !== null && data?.isDirectory() === true) return volumeId;
  throw new VolumeNotMountedError(
    `the ${what} volume is not at ${root}: the mark that this program left on it is missing, or its data folder. ` +
      'Nothing was read or written there. See whether the volume is mounted',
  );
}

/** null where there is no mark, or what is there is none. */
async function markedId(marker: string): Promise<string | null> {
  try {
    const found = JSON.parse(await fs.readFile(marker, 'utf8')) as { volumeId?: unknown } | null;
    return typeof found?.volumeId === 'string' ? found.volumeId : null;
  } catch (error) {
    const isNone = ['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isNone && !(error instanceof SyntaxError)) throw error;
    return null;
  }
}

export interface OpenVolume {
  readonly root: string;
  readonly volumeId: string;
  readonly state: StateStore;
  readonly codec: NameCodec;
  readonly tree: LocalTree;
  readonly scratch: string;
  readonly partials: string;
  /** Why the state was set aside and begun anew; null where it was whole. */
  readonly damaged: string | null;
}

/** @throws VolumeNotMountedError, NewerFormatError */
export async function openVolume(
  root: string,
  what: 'source' | 'project',
  space: ReadOnlySpace,
  nowMs: number,
): Promise<OpenVolume> {
  await assertKnownFormat(root);
  const volumeId = await assertMounted(root, what);
  const folder = join(root, VOLUME_FOLDERS.state);
  const scratch = join(folder, 'scratch');
  const partials = join(folder, 'partial');
  // Scratch files are of no use to a later run; partial downloads are.
  await fs.rm(scratch, { recursive: true, force: true });
  await fs.mkdir(scratch, { recursive: true });
  await makePartialFolders(partials);
  const { state, damaged } = openState(join(folder, STATE_FILE), nowMs);
  const codec = new NameCodec(state, space.capabilities);
  const tree = new LocalTree(join(root, VOLUME_FOLDERS.data), codec);
  return { root, volumeId, state, codec, tree, scratch, partials, damaged };
}
