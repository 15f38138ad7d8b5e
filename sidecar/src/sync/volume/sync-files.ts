import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { forEachLimit } from '../pool.ts';

/** The one of coreutils; in the image `sync` is this program. */
const SYNC_COMMAND = '/bin/sync';
/** So few files are brought to the disk one by one: a program that is started costs more. */
const FEW = 16;
const AT_ONCE = 8;

/**
 * Resolves when these files are on the disk with all they hold. Many of them go with their whole file system, in one
 * step: to wait for the disk after each small file takes longer than to fetch it.
 * @param root any path on the file system of the files
 */
export async function syncFiles(root: string, files: readonly (string | Buffer)[]): Promise<void> {
  if (files.length > FEW) {
    try {
      await promisify(execFile)(SYNC_COMMAND, ['--file-system', root]);
      return;
    } catch {
      // There is none, or it failed: each file says for itself what is wrong with it.
    }
  }
  await forEachLimit(files, AT_ONCE, async (file) => {
    const handle = await fs.open(file, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}
