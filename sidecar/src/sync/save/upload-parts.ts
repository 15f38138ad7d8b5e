import type { Clock } from '../../clock.ts';
import type { Gate } from '../../spaces/connections.ts';
import {
  type CallOptions,
  contentOf,
  counted,
  type Space,
  type SpaceEntry,
  SpaceError,
} from '../../spaces/space.ts';
import { FileChangedError } from '../file-errors.ts';
import { forEachLimit } from '../pool.ts';
import type { Progress } from '../progress.ts';
import type { StateStore } from '../state/state.ts';
import { localFacts, type StableFile } from '../volume/file-copy.ts';
import { type RunningHash, startHash } from '../volume/hasher.ts';
import { type Part, partsOf } from '../volume/part-file.ts';
import { clearStagingBut, isUpload, type SentContext, stagingOf } from './sent-uploads.ts';

export interface PartsContext {
  readonly space: Space;
  readonly state: StateStore;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly largeTurn: LargeTurn;
  readonly signal?: AbortSignal;
}

/** From this size on a file goes in parts, where the space takes parts. */
const LARGE_BYTES = 8 << 20;

/** An upload that is under way. It lies in the staging folder of this volume, where nobody else writes. */
interface Unfinished {
  readonly facts: string;
  readonly staged: string;
  readonly id: string;
  readonly size: number;
  /** CRC-32 of each part that the space has said it holds, null for the others. */
  readonly checks: (number | null)[];
}

const META = 'unfinished-uploads';

/** What one save gives to all large files together. */
export interface LargeTurn {
  /** Of `clock.monotonic()`: no part is begun afterwards, but each save sends some. */
  readonly until: number;
  hasSent: boolean;
}

/** The time of this save is over, and the rest of the file is for the next one. */
export class UnfinishedUpload extends Error {
  override readonly name = 'UnfinishedUpload';
}

export interface SentFile {
  readonly staged: string;
  readonly written: SpaceEntry;
  readonly hash: string;
}

export function goesInParts(space: Space, size: number): boolean {
  return space.writePart !== undefined && size > LARGE_BYTES;
}

/** Nothing is under way any more but the uploads of these files, which the next save goes on with. */
export function forgetUnfinished(state: StateStore, but: ReadonlySet<string>): void {
  if (state.meta(META) === null) return;
  const left = Object.entries(unfinishedOf(state)).filter(([path]) => but.has(path));
  state.setJson(META, left.length === 0 ? null : Object.fromEntries(left));
}

/** The save is complete: what is left of its uploads goes, except those that the next save goes on with. */
export async function clearStaging(context: SentContext): Promise<void> {
  // Those of files that did not come to their places are left as well.
  const uploads = [...unfinishedPaths(context.state), ...context.state.staged.all()];
  const kept = new Set(uploads.map(({ staged }) => staged));
  if (kept.size === 0) await context.space.removeTree(stagingOf(context.volumeId));
  else await clearStagingBut(context, kept);
}

/**
 * Sends a large file, several parts at one time, each through the gate by itself. Parts that an earlier run sent of the
 * same file are not sent again, so that each run brings it further. A second reading, which gives the hash, has to find in every part what was sent of it.
 * @param stage names the place of a new upload
 * @throws FileChangedError where a part was another one when it was sent; UnfinishedUpload; SpaceError
 */
export async function uploadParts(
  context: PartsContext,
  file: StableFile,
  network: Gate,
  stage: () => string,
): Promise<SentFile> {
  const parts = partsOf(file.content.size);
  const upload = new PartsUpload(context, file, network, parts);
  const hash = startHash(file.descriptor, (parts[0] as Part).length);
  try {
    return await upload.run(hash, stage);
  } finally {
    hash.forget();
  }
}

class PartsUpload {
  readonly #context: PartsContext;
  readonly #file: StableFile;
  readonly #network: Gate;
  readonly #parts: readonly Part[];
  readonly #options: CallOptions;

  constructor(context: PartsContext, file: StableFile, network: Gate, parts: readonly Part[]) {
    this.#context = context;
    this.#file = file;
    this.#network = network;
    this.#parts = parts;
    this.#options = context.signal === undefined ? {} : { signal: context.signal };
  }

  async run(hash: RunningHash, stage: () => string): Promise<SentFile> {
    const { size } = this.#file.content;
    this.#assertInTime();
    const known = await this.#known();
    const upload = known ?? (await this.#begin(stage()));
    const missing = this.#parts.filter(({ index }) => upload.checks[index] === null);
    for (const { length } of this.#parts.filter((part) => !missing.includes(part))) {
      this.#context.progress.bytes(length);
    }
    await forEachLimit(
      missing,
      () => this.#context.space.capabilities.concurrency,
      async (part) => {
        await this.#network(() => this.#send(upload, part));
        if (upload.checks.includes(null)) this.#assertInTime();
        // Each run would read all that was sent before it: it is read once, in the last one.
        if (known !== null) return;
        const gap = this.#parts.find(({ index }) => upload.checks[index] === null);
        // What was sent a moment ago is still in memory.
        hash.goOn(gap?.start ?? size);
      },
    );
    const digest = await hash.digest(size);
    this.#assertSent(upload, digest.checks);
    const written = await this.#network(() =>
      this.#context.space.stat({ path: upload.staged, id: upload.id }, this.#options),
    );
    if (written?.size !== size) {
      this.#note(null);
      throw new SpaceError(
        'transfer-broken',
        `${this.#path}: the space has ${written?.size ?? 0} of ${size} bytes`,
        { path: this.#path },
      );
    }
    return { staged: upload.staged, written, hash: digest.hash };
  }

  #assertInTime(): void {
    const { clock, largeTurn } = this.#context;
    if (largeTurn.hasSent && clock.monotonic() > largeTurn.until)
      throw new UnfinishedUpload(`${this.#path} is not sent whole yet`);
  }

  get #path(): string {
    return this.#file.entry.path;
  }

  get #facts(): string {
    return localFacts(this.#file.entry);
  }

  async #known(): Promise<Unfinished | null> {
    const known = unfinishedOf(this.#context.state)[this.#path];
    const isSame =
      known?.facts === this.#facts &&
      known.size === this.#file.content.size &&
      known.checks.length === this.#parts.length;
    if (!isSame) return null;
    const found = await this.#network(() =>
      this.#context.space.stat({ path: known.staged, id: known.id }, this.#options),
    );
    const end = this.#parts.findLast(({ index }) => known.checks[index] !== null);
    const least = end === undefined ? 0 : end.start + end.length;
    const isThere =
      isUpload(this.#context.space, known.id, found) && found.size >= least && found.size <= known.size;
    return isThere ? { ...known, id: found.id } : null;
  }

  async #begin(staged: string): Promise<Unfinished> {
    const made = await this.#network(() => this.#context.space.write(staged, contentOf(''), this.#options));
    const { size } = this.#file.content;
    const checks = this.#parts.map(() => null);
    const upload = { facts: this.#facts, staged, id: made.id, size, checks };
    this.#note(upload);
    return upload;
  }

  async #send(upload: Unfinished, part: Part): Promise<void> {
    const { space, progress, signal } = this.#context;
    signal?.throwIfAborted();
    const content = this.#file.part(part.start, part.length);
    const told = counted(content, (count) => progress.bytes(count));
    await space.writePart?.({ path: upload.staged, id: upload.id }, part.start, told, this.#options);
    upload.checks[part.index] = content.check();
    this.#context.largeTurn.hasSent = true;
    this.#note(upload);
  }

  /** A file can change without a change of its times, e.g. through a memory map; a copy of a database is made anew. */
  #assertSent(upload: Unfinished, checks: readonly number[]): void {
    if (this.#parts.every(({ index }) => upload.checks[index] === checks[index])) return;
    // Sent anew to another place: a part that was given up on its way may still come to this one.
    this.#note(null);
    throw new FileChangedError(`${this.#path} changed while it was read`);
  }

  #note(upload: Unfinished | null): void {
    const all = { ...unfinishedOf(this.#context.state) };
    if (upload === null) delete all[this.#path];
    else all[this.#path] = upload;
    this.#context.state.setJson(META, all);
  }
}

function unfinishedOf(state: StateStore): Readonly<Record<string, Unfinished>> {
  return state.json(META, {});
}

/** The uploads that are under way, with the files that they are of. */
export function unfinishedPaths(state: StateStore): { path: string; facts: string; staged: string }[] {
  return Object.entries(unfinishedOf(state)).map(([path, { facts, staged }]) => ({ path, facts, staged }));
}
