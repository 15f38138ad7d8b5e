import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

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
