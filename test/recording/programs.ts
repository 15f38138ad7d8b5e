import { fileURLToPath } from 'node:url';

/** The small programs under `programs/`. */

export const TOKEN = 'canary-token-5c1e9';

export function programDirectory(name: string): string {
  return fileURLToPath(new URL(`./programs/${name}/`, import.meta.url));
}
