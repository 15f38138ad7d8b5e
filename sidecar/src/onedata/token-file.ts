import { readFile } from 'node:fs/promises';

/** Reads the token anew each time, so that a Secret that was changed is used without a restart. */
export function fileToken(file: string): () => Promise<string> {
  return async () => (await readFile(file, 'utf8')).trim();
}
