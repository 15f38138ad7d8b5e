import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that do not compress; every file is a different window of it. */
const POOL = randomBytes(1 << 20);

export interface TreeShape {
  readonly files: number;
  readonly directories: number;
  readonly bytesPerFile: number;
}

const pad = (number: number): string => String(number).padStart(7, '0');
export const filePath = (index: number, { directories }: TreeShape): string =>
  join(`d${pad(index % directories)}`, `f${pad(index)}.mrc`);

export function contentOf(index: number, bytes: number): Buffer {
  const at = (index * 4099) % Math.max(1, POOL.length - bytes);
  return POOL.subarray(at, at + bytes);
}

/** Makes the tree below `root`, directory by directory, giving way to others from time to time. */
export async function makeTree(root: string, shape: TreeShape): Promise<void> {
  mkdirSync(root, { recursive: true });
  for (let directory = 0; directory < shape.directories; directory += 1) {
    mkdirSync(join(root, `d${pad(directory)}`));
    for (let index = directory; index < shape.files; index += shape.directories) {
      writeFileSync(join(root, filePath(index, shape)), contentOf(index, shape.bytesPerFile));
    }
    await new Promise((next) => setImmediate(next));
  }
}

/** Files of any size, in blocks that differ from file to file. */
export async function makeLargeFiles(root: string, count: number, bytes: number): Promise<void> {
  mkdirSync(root, { recursive: true });
  for (let number = 0; number < count; number += 1) {
    const handle = await open(join(root, `movie-${number}.mrc`), 'w');
    try {
      for (let at = 0, block = number; at < bytes; block += 1) {
        const chunk = contentOf(block * 31, Math.min(1 << 19, bytes - at));
        await handle.write(chunk);
        at += chunk.length;
      }
    } finally {
      await handle.close();
    }
  }
}

/** Number and size of all files below `root`; what a copy is checked by. */
export function totalsOf(root: string): { files: number; bytes: number } {
  let [files, bytes] = [0, 0];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { files, bytes };
}

/** Disk space of a tree: a file takes whole blocks, and an inode. */
export const diskBytes = ({ files, bytesPerFile }: TreeShape): number =>
  files * (Math.ceil(bytesPerFile / 4096) * 4096 + 320);
