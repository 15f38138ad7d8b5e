import { rm } from 'node:fs/promises';
import { release } from '../../spaces/buffer-pool.ts';
import type { Gate } from '../../spaces/connections.ts';
import { isSpaceError, type ReadOnlySpace, type ReadOptions, SpaceError } from '../../spaces/space.ts';
import type { RemoteEntry } from '../model.ts';
import { forEachLimit } from '../pool.ts';
import { type RunningHash, startHash } from '../volume/hasher.ts';
import { type Part, PartFile } from '../volume/part-file.ts';

export interface FetchOptions {
  /** What the network does goes through it, what is for the disk does not. @default no gate */
  readonly network?: Gate;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: (bytes: number) => void;
  /** @default true; a hash that nobody compares with costs as much as the transfer */
  readonly isHashed?: boolean;
}

export interface Fetched {
  /** Path of the finished temporary file. It is on the disk. */
  readonly file: string;
  /** SHA-256 in hex; null where it was not asked for. */
  readonly hash: string | null;
}

export const noGate: Gate = (work) => work();

/**
 * Copies a file of any size to `file`, several parts at one time, each through the gate by itself. Parts that an
 * earlier attempt left are kept. Holds a few pieces of each part in memory.
 * @throws SpaceError; `transfer-broken` where the file changed on the way: then nothing of it is kept
 */
export async function fetchParts(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  file: string,
  options: FetchOptions,
): Promise<Fetched> {
  const { network = noGate, isHashed = true } = options;
  const target = await PartFile.open(file, remote.size, { isReadSoon: isHashed });
  const hash = isHashed ? startHash(target.handle.fd) : null;
  try {
    await new PartsFetch(space, remote, target, hash, options).run();
    await network(() => assertSameVersion(space, remote, options));
    await target.finish();
    return { file, hash: (await hash?.digest(remote.size))?.hash ?? null };
  } catch (error) {
    if (isSpaceError(error, 'transfer-broken', 'bad-range')) {
      const isSame = await network(() => assertSameVersion(space, remote, options)).then(
        () => true,
        (other) => !isSpaceError(other, 'transfer-broken', 'not-found'),
      );
      if (!isSame) await rm(file, { force: true });
    }
    throw error;
  } finally {
    hash?.forget();
    await target.close();
  }
}

class PartsFetch {
  readonly #space: ReadOnlySpace;
  readonly #remote: RemoteEntry;
  readonly #target: PartFile;
  readonly #hash: RunningHash | null;
  readonly #options: FetchOptions;

  constructor(
    space: ReadOnlySpace,
    remote: RemoteEntry,
    target: PartFile,
    hash: RunningHash | null,
    options: FetchOptions,
  ) {
    this.#space = space;
    this.#remote = remote;
    this.#target = target;
    this.#hash = hash;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { network = noGate, signal, onBytes } = this.#options;
    const { parts, missing } = this.#target;
    const lengthOf = (some: readonly Part[]) => some.reduce((sum, { length }) => sum + length, 0);
    onBytes?.(lengthOf(parts) - lengthOf(missing));
    if (missing.length < parts.length) this.#hash?.goOn(this.#target.prefix);
    try {
      // One part of a file is asked for as the file is.
      if (parts.length === 1) return await network(() => this.#copy(missing, {}));
      await forEachLimit(
        missing,
        () => this.#space.capabilities.concurrency,
        (part) =>
          network(() => {
            signal?.throwIfAborted();
            return this.#copy([part], { offset: part.start, length: part.length });
          }),
      );
    } catch (error) {
      if (!isSpaceError(error, 'unsupported') || missing.length === 0) throw error;
      await network(() => this.#copyWhole());
    }
  }

  /** Something in between gives files only as a whole, so what breaks begins again from the start. */
  async #copyWhole(): Promise<void> {
    try {
      await this.#copy(this.#target.parts, {});
    } catch (error) {
      if (!isSpaceError(error, 'unsupported')) throw error;
      const text = `${this.#remote.path} broke off, and its server cannot continue in the middle of a file`;
      throw new SpaceError('transfer-broken', text, { path: this.#remote.path, cause: error });
    }
  }

  /** @param parts that follow each other; the range that is asked for covers just them */
  async #copy(parts: readonly Part[], range: ReadOptions): Promise<void> {
    const [first] = parts;
    if (first === undefined) return;
    const { signal, onBytes } = this.#options;
    const end = parts.reduce((at, { length }) => at + length, first.start);
    let at = first.start;
    let open = 0;
    let writing = Promise.resolve();
    const options = { ...range, ...(signal === undefined ? {} : { signal }) };
    try {
      for await (const bytes of this.#space.read(this.#remote, options)) {
        if (at + bytes.byteLength > end) throw cutShort(this.#remote, at + bytes.byteLength);
        // While one piece goes to the disk, the next one comes.
        await writing;
        for (let part = parts[open]; part !== undefined && at >= part.start + part.length; ) {
          this.#whole(part);
          part = parts[++open];
        }
        writing = this.#target.write(bytes, at).then(() => release(bytes));
        writing.catch(() => undefined);
        at += bytes.byteLength;
        onBytes?.(bytes.byteLength);
      }
    } finally {
      await writing;
    }
    if (at !== end) throw cutShort(this.#remote, at);
    for (const part of parts.slice(open)) this.#whole(part);
  }

  #whole(part: Part): void {
    this.#target.whole(part);
    this.#hash?.goOn(this.#target.prefix);
  }
}

export function cutShort(remote: RemoteEntry, got: number): SpaceError {
  return new SpaceError('transfer-broken', `${remote.path}: ${got} bytes came, ${remote.size} were listed`, {
    path: remote.path,
  });
}

/** A transfer that takes many requests can straddle a change; a short one is caught by the next comparison of times. */
const LONG_TRANSFER_BYTES = 4 << 20;

async function assertSameVersion(
  space: ReadOnlySpace,
  remote: RemoteEntry,
  { signal }: FetchOptions,
): Promise<void> {
  if (remote.size <= LONG_TRANSFER_BYTES) return;
  const now = await space.stat(remote, signal === undefined ? {} : { signal });
  if (now !== null && now.size === remote.size && now.mtimeSeconds === remote.mtimeSeconds) return;
  throw new SpaceError('transfer-broken', `${remote.path} changed in the space while it was copied`, {
    path: remote.path,
  });
}
