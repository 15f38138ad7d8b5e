import { readFile } from 'node:fs/promises';

/** A Secret that was changed comes to its volume within a minute or so; one second more does not matter. */
const FRESH_MS = 1_000;

/** Reads the token again and again, so that a Secret that was changed is used without a restart. */
export function fileToken(file: string): () => Promise<string> {
  let last: { readonly token: Promise<string>; readonly at: number } | undefined;
  return () => {
    const now = performance.now();
    if (last === undefined || now - last.at > FRESH_MS) {
      const token = readFile(file, 'utf8').then((text) => text.trim());
      last = { token, at: now };
      // One that cannot be read is tried again by the next request.
      token.catch(() => {
        if (last?.token === token) last = undefined;
      });
    }
    return last.token;
  };
}
