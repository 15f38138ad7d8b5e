import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Folder for things that can be made again: `kind` says what, `key` from which inputs. Never needed for correctness. */
export function cacheDirectory(kind: string, key: string): string {
  const named = process.env.XDG_CACHE_HOME ?? '';
  // As its specification says of a path that is not absolute.
  const base = isAbsolute(named) ? named : join(homedir(), '.cache');
  return join(base, 'scipion-instances', kind, key);
}

/** Short stable key of the given inputs (hexadecimal, 16 characters). */
export function cacheKey(...inputs: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) {
    const bytes = Buffer.from(input);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}
