import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { sqliteCode } from './sqlite-copy.ts';

const BYTES = 32 << 20;
/** A volume that has not so many times the reserve free is too small for one. */
const PLENTY = 20;
const SQLITE_FULL = 13;

/** Pure. Whether an error says that there is no room left on a volume. */
export function isVolumeFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' || sqliteCode(error) === SQLITE_FULL;
}

/**
 * A file that only keeps room: where a user has filled the volume to its last byte, the state of the engine and its
 * copies of databases get what it held, so that the work is still saved.
 */
export class Reserve {
  readonly #file: string;
  readonly #log: Logger;
  readonly #bytes: number;

  /** @param folder on the volume */
  constructor(folder: string, log: Logger, bytes = BYTES) {
    this.#file = join(folder, 'reserve');
    this.#log = log;
    this.#bytes = bytes;
  }

  /** Makes it where it is missing and there is plenty of room. It is a help and no need, so this never throws. */
  async refill(freeBytes: () => Promise<number>): Promise<void> {
    try {
      const has = await fs.stat(this.#file).then(
        ({ size }) => size,
        () => 0,
      );
      if (has >= this.#bytes || (await freeBytes()) < PLENTY * this.#bytes) return;
      const handle = await fs.open(this.#file, 'w', 0o600);
      try {
        const chunk = Buffer.alloc(1 << 20, 'reserve ');
        for (let at = 0; at < this.#bytes; at += chunk.length) await handle.write(chunk);
      } finally {
        await handle.close();
      }
    } catch {
      await fs.rm(this.#file, { force: true }).catch(() => undefined);
    }
  }

  /** Does the work; once more with the room of the reserve where the volume was full. */
  async with<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isVolumeFull(error) || !(await this.#release())) throw error;
      this.#log.warn('the project volume is full: the room kept for saving is used');
      return work();
    }
  }

  /** @returns whether so many bytes came free by it */
  async makeRoom(bytes: number): Promise<boolean> {
    return bytes <= this.#bytes && (await this.#release());
  }

  /** @returns whether there was room to give */
  async #release(): Promise<boolean> {
    try {
      await fs.unlink(this.#file);
      return true;
    } catch {
      return false;
    }
  }
}
