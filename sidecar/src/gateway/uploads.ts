import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { receiptName } from '../../contract/paths.ts';
import { plainNames } from '../beneath.ts';
import { FilesError } from './project-files.ts';

/** Files on their way at one time, of all windows together. */
const MAX_OPEN = 8;
/** One that nothing came for gives its place to others; what has come of it stays. */
const IDLE_MS = 60_000;
/** What nobody has gone on with is removed. */
const KEEP_MS = 7 * 24 * 3_600_000;
/** What a receipt is for: a browser that did not hear that its file has arrived asks again for ten minutes, or when its user does. */
const KEEP_RECEIPT_MS = 24 * 3_600_000;
const CLEAN_EVERY_MS = 3_600_000;
/** Stays free on the volume for the work of the desktop: this, or a twentieth of a small volume. */
const SPARE_BYTES = 2 ** 30;
const SPARE_SHARE = 0.05;
/** What one request may bring: with less than 20 s for each the line decides how much it is. */
export const MAX_PART_BYTES = 16 * 2 ** 20;

export interface UploadRequest {
  /** Path in the project. */
  readonly path: string;
  readonly size: number;
  /** Of the file on the user's computer, ms since 1970; negative before it. */
  readonly modified: number;
  /** Drawn by the page for this file of its list: a repeated question of it is not another file of the same name. */
  readonly attempt: string;
}

interface Upload extends UploadRequest {
  readonly id: string;
  attempt: string;
  seenAt: number;
  isBusy: boolean;
}

/** Of one request. */
export type Parts = AsyncIterable<Buffer> | Iterable<Buffer>;

export interface Placement {
  /** Name among the uploads. */
  readonly upload: string;
  readonly path: string;
  readonly attempt: string;
}

/** Asked again with the same attempt, it answers the same. */
export type PlaceFile = (placement: Placement) => Promise<string>;

export interface Progress {
  /** So many bytes are there. */
  readonly offset: number;
  /** In the project, once it is complete. */
  readonly path?: string;
}

/**
 * Files that browsers send, part by part. Each grows in a folder of its own on the project's volume and is given its
 * place in the project when it is complete. The same file for the same place goes on where it stopped, whatever came
 * between: another window, a new page, a restart of the gateway.
 */
export class Uploads {
  readonly #folder: string;
  readonly #place: PlaceFile;
  readonly #open = new Map<string, Upload>();
  readonly #timer: NodeJS.Timeout;

  /** @param place gives a complete file its place; it returns the path */
  constructor(folder: string, place: PlaceFile) {
    this.#folder = folder;
    this.#place = place;
    void this.#clean();
    this.#timer = setInterval(() => void this.#clean(), CLEAN_EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Begins or goes on; tells what is done already. @throws FilesError */
  async begin({ path, size, modified, attempt }: UploadRequest): Promise<Progress & { id: string }> {
    if (plainNames(path) === undefined) {
      throw new FilesError(400, 'file-name', 'A file with this name or path cannot be sent. Rename it.');
    }
    const id = createHash('sha256')
      .update(JSON.stringify([path, size, modified]))
      .digest('hex')
      .slice(0, 32);
    const now = performance.now();
    for (const [each, { seenAt, isBusy }] of this.#open) {
      if (!isBusy && now - seenAt > IDLE_MS) this.#open.delete(each);
    }
    const offset = await this.#sizeOf(id);
    // Asked after the size: it is written before the file leaves this folder.
    const placed = await this.#placedBy(attempt);
    if (placed !== undefined) {
      this.#open.delete(id);
      return { id, offset: size, path: placed };
    }
    const upload = this.#open.get(id);
    // Said here, before a part is sent in vain.
    if (upload?.isBusy) throw busy();
    if (upload) {
      upload.attempt = attempt;
      return { id, offset };
    }
    if (this.#open.size >= MAX_OPEN) {
      throw new FilesError(
        429,
        'file-many',
        `${MAX_OPEN} files are being sent already. Wait for one of them.`,
      );
    }
    // Its place is taken before anything is waited for: others ask meanwhile.
    const begun: Upload = { id, path, size, modified, attempt, seenAt: now, isBusy: false };
    this.#open.set(id, begun);
    try {
      await this.#assertFreeSpace();
    } catch (error) {
      if (this.#open.get(id) === begun) this.#open.delete(id);
      throw error;
    }
    return { id, offset };
  }

  /**
   * Appends what the request brings; what came before it broke off stays. With the last byte the file gets its place.
   * @throws FilesError
   */
  async append(id: string, offset: number, body: Parts): Promise<Progress> {
    const upload = this.#open.get(id);
    if (upload === undefined)
      throw new FilesError(404, 'file-forgotten', 'Begin this file again: it continues where it broke off.');
    if (upload.isBusy) throw busy();
    upload.isBusy = true;
    try {
      // Only its first part makes the file: with a later one it would be one that has just left.
      const make = offset === 0 ? constants.O_CREAT : 0;
      const flags = constants.O_WRONLY | make | constants.O_NOFOLLOW;
      const handle = await open(join(this.#folder, id), flags, 0o664).catch((error: unknown) => {
        if (isFull(error)) throw noRoom();
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        throw new FilesError(409, 'file-offset', '0 bytes are there.');
      });
      try {
        const there = (await handle.stat()).size;
        if (there !== offset) throw new FilesError(409, 'file-offset', `${there} bytes are there.`);
        const end = await this.#write(handle, upload, offset, body);
        if (end < upload.size) return { offset: end };
        // A number before 1970 would be taken for now.
        const modified = new Date(upload.modified);
        await handle.utimes(modified, modified);
        await handle.sync();
      } finally {
        await handle.close();
      }
      const path = await this.#place({ upload: id, path: upload.path, attempt: upload.attempt });
      this.#open.delete(id);
      return { offset: upload.size, path };
    } finally {
      upload.isBusy = false;
      upload.seenAt = performance.now();
    }
  }

  /** Forgets a file and what has come of it. */
  async remove(id: string): Promise<void> {
    if (this.#open.get(id)?.isBusy)
      throw new FilesError(409, 'file-busy', 'A part of this file is just coming.');
    if (!this.#open.delete(id)) return;
    await rm(join(this.#folder, id), { force: true });
  }

  async #write(handle: FileHandle, upload: Upload, offset: number, body: Parts): Promise<number> {
    let at = offset;
    const limit = Math.min(upload.size, offset + MAX_PART_BYTES);
    try {
      for await (const chunk of body) {
        if (at + chunk.length > limit) throw new FilesError(413, 'file-size', 'More came than was said.');
        for (let from = 0; from < chunk.length; ) {
          const { bytesWritten } = await handle.write(chunk, from, chunk.length - from, at);
          from += bytesWritten;
          at += bytesWritten;
        }
      }
    } catch (error) {
      if (isFull(error)) throw noRoom();
      const { code } = error as NodeJS.ErrnoException;
      // The client went away.
      if (code === 'ECONNRESET' || code === 'ABORT_ERR') return at;
      throw error;
    }
    await handle.datasync();
    return at;
  }

  /** For all that was begun. */
  async #assertFreeSpace(): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(this.#folder);
    let promised = 0;
    for (const { id, size } of this.#open.values()) promised += size - (await this.#sizeOf(id));
    const spare = Math.min(SPARE_BYTES, blocks * bsize * SPARE_SHARE);
    if (promised + spare > bavail * bsize) throw noRoom();
  }

  #sizeOf(id: string): Promise<number> {
    return stat(join(this.#folder, id)).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Where the file of this attempt is in the project. */
  async #placedBy(attempt: string): Promise<string | undefined> {
    try {
      const text = await readFile(join(this.#folder, receiptName(attempt)), 'utf8');
      return (JSON.parse(text) as { path: string }).path;
    } catch {
      return undefined;
    }
  }

  async #clean(): Promise<void> {
    const now = Date.now();
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names) {
      const path = join(this.#folder, name);
      // ctime: the modification time is the user's once a file is complete.
      const changed = await stat(path).then(
        ({ ctimeMs }) => ctimeMs,
        () => Date.now(),
      );
      const keepMs = name.startsWith(receiptName('')) ? KEEP_RECEIPT_MS : KEEP_MS;
      if (changed < now - keepMs && !this.#open.has(name)) await rm(path, { force: true, recursive: true });
    }
  }
}

/** Of bytes, of what a quota grants, or of inodes. */
const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

const busy = () => new FilesError(409, 'file-busy', 'This file is being sent by another window.');

const noRoom = () =>
  new FilesError(
    507,
    'file-room',
    'The volume has no room for this file. Delete what is not needed, then go on.',
  );
