import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { parseJson } from '../../sidecar/contract/parse-json.ts';
import type { DeedView } from './view-types.ts';

/** Who did what, line by line. The file only grows, and is put aside when it is full; the oldest of those goes. */

export interface Deed {
  readonly user: string;
  readonly action: string;
  readonly instance?: string;
  readonly outcome: 'begun' | 'done' | 'failed' | 'refused';
  /** Names of settings and the like; never a value that may be secret. */
  readonly detail?: string;
  /** Network address, as the ingress saw it. */
  readonly client?: string;
}

const MAX_BYTES = 16 * 2 ** 20;
const MAX_FILES = 8;
const FILE = 'audit.log';

export class AuditLog {
  readonly #folder: string;
  readonly #maxBytes: number;
  #bytes: number;

  constructor(folder: string, maxBytes: number = MAX_BYTES) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#bytes = statSync(this.#file(0), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** @throws Error where it cannot be written: what cannot be told is not done */
  write(deed: Deed): void {
    const line = `${JSON.stringify({ at: new Date().toISOString(), ...deed })}\n`;
    if (this.#bytes + line.length > this.#maxBytes && this.#bytes > 0) this.#putAside();
    appendFileSync(this.#file(0), line, { mode: 0o600 });
    this.#bytes += Buffer.byteLength(line);
  }

  /**
   * The newest ones first.
   * @param find in user, action, instance or detail, in small letters
   */
  async newest(count: number, find: string): Promise<DeedView[]> {
    const found: DeedView[] = [];
    for (const age of [0, 1]) {
      if (found.length >= count) break;
      const lines = (await tailOf(this.#file(age))).split('\n').reverse();
      for (const line of lines) {
        const deed = deedOf(line);
        if (deed === undefined || found.length >= count) continue;
        const { user, action, instance = '', detail = '' } = deed;
        if ([user, action, instance, detail].some((text) => text.toLowerCase().includes(find)))
          found.push(deed);
      }
    }
    return found;
  }

  #file = (age: number) => join(this.#folder, age === 0 ? FILE : `${FILE}.${age}`);

  #putAside(): void {
    rmSync(this.#file(MAX_FILES - 1), { force: true });
    for (let age = MAX_FILES - 2; age >= 0; age -= 1)
      if (statSync(this.#file(age), { throwIfNoEntry: false }))
        renameSync(this.#file(age), this.#file(age + 1));
    chmodSync(this.#file(1), 0o400);
    this.#bytes = 0;
  }
}

/** Of a large file the newest lines, which is some ten thousand. */
const TAIL_BYTES = 2 * 2 ** 20;

async function tailOf(path: string): Promise<string> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

const lineSchema = z.object({
  at: z.string(),
  user: z.string(),
  action: z.string(),
  outcome: z.string(),
  instance: z.string().optional(),
  detail: z.string().optional(),
  client: z.string().optional(),
});

/** undefined: no whole line. */
function deedOf(line: string): DeedView | undefined {
  const deed = lineSchema.safeParse(parseJson(line));
  return deed.success ? (deed.data as DeedView) : undefined;
}
