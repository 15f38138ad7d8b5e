import { closeSync, fchmodSync, futimesSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { utimesSeconds } from './local-tree.ts';
import { hasHeader } from './sqlite-names.ts';

export interface Attributes {
  /** Permission bits. */
  readonly mode: number;
  /** null: the moment of writing. */
  readonly mtimeNs: bigint | null;
}

let made = 0;

/** A name for a new file, which no later run goes on with: the next start empties the folder. */
export function newFileIn(scratch: string): string {
  made += 1;
  return `${scratch}/new-${made}`;
}

/**
 * Makes a file, and does something with it while it is open; it is removed again where that fails. All of it on the
 * spot and by its descriptor: to hand each call over to the pool of threads costs several times what it does, and so
 * does each walk along its path.
 */
export async function withNewFile<T>(
  path: string,
  bytes: Uint8Array,
  { mode, mtimeNs }: Attributes,
  work: (descriptor: number) => Promise<T>,
): Promise<T> {
  const descriptor = openSync(path, 'wx');
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fchmodSync(descriptor, mode);
    if (mtimeNs !== null) futimesSync(descriptor, utimesSeconds(mtimeNs), utimesSeconds(mtimeNs));
    return await work(descriptor);
  } catch (error) {
    remove(path);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Pure. A write-ahead log means something beside a database; one is empty until its first transaction. */
export const mayBeDatabase = (bytes: Buffer): boolean => bytes.length === 0 || hasHeader(bytes);

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was moved already, or the next start removes it.
  }
}
