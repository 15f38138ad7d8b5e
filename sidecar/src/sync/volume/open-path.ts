import { closeSync, openSync, readlinkSync } from 'node:fs';

/** By root folder; null where the kernel does not tell. */
const roots = new Map<string, Buffer | null>();

/**
 * `O_NOFOLLOW` looks at the last name only: a folder on the way may have become a link since it was listed. The kernel
 * knows where an open file is.
 * @param path below `root`, as bytes
 * @throws ELOOP where the open file is not the one at that very path
 */
export function assertInside(descriptor: number, root: string, path: Buffer): void {
  let folder = roots.get(root);
  if (folder === undefined) {
    folder = rootPath(root);
    roots.set(root, folder);
  }
  if (folder === null) return;
  const expected = Buffer.concat([folder, Buffer.from('/'), path]);
  if (expected.equals(pathOf(descriptor))) return;
  throw Object.assign(new Error('a link or another file has taken its place'), { code: 'ELOOP' });
}

/** The folder itself may be behind links: those are none of the project. */
function rootPath(root: string): Buffer | null {
  try {
    const descriptor = openSync(root, 'r');
    try {
      return pathOf(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
}

function pathOf(descriptor: number): Buffer {
  return readlinkSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' });
}
