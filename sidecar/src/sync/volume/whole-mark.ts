import { existsSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isVolumeFull } from './reserve.ts';
import { sqliteCode } from './sqlite-copy.ts';

/** So little is nothing: SQLite then fails with errors that name no reason. */
const NOTHING_BYTES = 1 << 20;
/** SQLITE_IOERR and SQLITE_CANTOPEN. */
const NO_REASON = [10, 14];

/**
 * A file beside the state that says: the last start brought the whole project to this volume. On a volume that is full
 * to its last byte the state itself cannot be opened, and only its user can free room, so the desktop has to open.
 */
export class WholeMark {
  readonly #folder: string;
  readonly #whole: string;
  /** The desktop was opened without the state, so nobody knows what is saved. */
  readonly #unknown: string;

  /** @param folder of the state, on the volume */
  constructor(folder: string) {
    this.#folder = folder;
    this.#whole = join(folder, 'whole');
    this.#unknown = join(folder, 'whole-opened');
  }

  get isWhole(): boolean {
    return existsSync(this.#whole) || existsSync(this.#unknown);
  }

  get mayHoldUnsavedWork(): boolean {
    return existsSync(this.#unknown);
  }

  /** A start has ended, or files are about to come that a part of would be no project. */
  set(isWhole: boolean): void {
    rmSync(this.#unknown, { force: true });
    if (!isWhole) rmSync(this.#whole, { force: true });
    else if (!existsSync(this.#whole)) writeFileSync(this.#whole, '');
  }

  /** A new name: a full volume may have no room for another file. */
  opened(): void {
    if (existsSync(this.#whole)) renameSync(this.#whole, this.#unknown);
  }

  /** Whether an error comes from a volume that has no room left. */
  isFull(error: unknown): boolean {
    if (isVolumeFull(error)) return true;
    if (!NO_REASON.includes(sqliteCode(error) ?? 0)) return false;
    const { bavail, bsize } = statfsSync(this.#folder);
    return bavail * bsize < NOTHING_BYTES;
  }
}
