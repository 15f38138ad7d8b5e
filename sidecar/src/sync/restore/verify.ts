import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { Bandwidth, type Rate, withBandwidth } from '../../spaces/bandwidth.ts';
import { ENGINE_FOLDER, type Space } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { type ManifestEntry, manifestMatches } from '../model.ts';
import { type Head, readHead } from '../save/head.ts';
import { readLease } from '../save/lease.ts';
import { judgeSegment } from '../save/segments.ts';
import { LAYOUT } from '../save/space-layout.ts';
import type { StateStore } from '../state/state.ts';

/** `engine`: an object of the engine itself. `stray`: something in its folder that it did not make. */
export type FindingKind = 'rotten' | 'missing' | 'unreadable' | 'engine' | 'stray';

export interface Finding {
  /** In the space. */
  readonly path: string;
  readonly kind: FindingKind;
  /** What was found, as a clause. */
  readonly what: string;
}

/** A check of the whole space, under way or over. Survives restarts. */
export interface Verification {
  readonly startedAt: string;
  /** null: under way. */
  readonly endedAt: string | null;
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Entries that others have changed since the last save: no damage, and nothing to compare them with. */
  readonly changedElsewhere: number;
  readonly found: number;
  /** The first ones by name. */
  readonly findings: readonly Finding[];
  /** Path that was checked last. */
  readonly cursor: string;
}

const META = 'verification';
export const MAX_FINDINGS = 200;
const NOTED_EVERY = 100;
const READS = 2;

export function lastVerification(state: StateStore): Verification | null {
  return state.json<Verification | null>(META, null);
}

export interface VerifyContext {
  readonly space: Space;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly scratch: string;
  readonly signal?: AbortSignal;
}

/**
 * Compares the whole space with its manifest: every file by its SHA-256, links, segments, head, lease, and what lies in
 * the engine's folder without belonging there. Saves may go on meanwhile. Broken off, the next call continues where it was.
 * Changes nothing in the space.
 * @param bytesPerSecond what it reads at most
 * @throws SpaceError where the space as a whole cannot be asked
 */
export async function verifySpace(
  context: VerifyContext,
  bytesPerSecond: Rate,
  signal?: AbortSignal,
): Promise<Verification> {
  const known = lastVerification(context.state);
  const check = new Check(context, bytesPerSecond, known?.endedAt === null ? known : null, signal);
  return check.run();
}

class Check {
  readonly #context: VerifyContext;
  readonly #space: Space;
  readonly #signal: AbortSignal | undefined;
  readonly #findings: Finding[];
  #state: Omit<Verification, 'findings'>;

  constructor(
    context: VerifyContext,
    bytesPerSecond: Rate,
    known: Verification | null,
    signal: AbortSignal | undefined,
  ) {
    this.#context = context;
    this.#space = withBandwidth(context.space, { down: new Bandwidth(bytesPerSecond, context.clock) });
    this.#signal = signal;
    const startedAt = this.#now();
    const { findings, ...state } = known ?? {
      ...{ startedAt, endedAt: null, filesDone: 0, bytesDone: 0, changedElsewhere: 0, found: 0, cursor: '' },
      findings: [],
    };
    this.#findings = [...findings];
    this.#state = state;
  }

  async run(): Promise<Verification> {
    if (this.#state.cursor === '') await this.#engine();
    let since = 0;
    for (const entry of this.#context.state.manifest.all(this.#state.cursor)) {
      this.#signal?.throwIfAborted();
      const bytes = await this.#entry(entry);
      const isFile = entry.kind === 'file';
      this.#add({
        cursor: entry.path,
        bytesDone: this.#state.bytesDone + bytes,
        filesDone: this.#state.filesDone + (isFile ? 1 : 0),
      });
      since += 1;
      // A large file is noted at once: it would cost most to read it again.
      if (since % NOTED_EVERY === 0 || bytes > 1 << 24) this.#note();
    }
    this.#add({ endedAt: this.#now() });
    return this.#note();
  }

  async #engine(): Promise<void> {
    const { space } = this.#context;
    const damaged = (path: string, what: string) => this.#find({ path, kind: 'engine', what });
    const head = await readHead(space);
    if (head === null) damaged(LAYOUT.head, 'is missing');
    else if (head === 'damaged') damaged(LAYOUT.head, 'is not what was written');
    const lease = await readLease(space);
    if (lease?.record == null)
      damaged(LAYOUT.lease, lease === null ? 'is missing' : 'is not what was written');
    if (head !== null && head !== 'damaged') await this.#segments(head);
    const own = new Set<string>(Object.values(LAYOUT));
    for await (const { path, name } of space.list({ path: ENGINE_FOLDER })) {
      const isOwn = own.has(path) || name === 'history' || path === `${LAYOUT.head}.new`;
      if (!isOwn) this.#find({ path, kind: 'stray', what: 'was not made by this program' });
    }
  }

  async #segments(head: Head): Promise<void> {
    const { space, state } = this.#context;
    for (const segment of head.segments) {
      this.#signal?.throwIfAborted();
      const found = await judgeSegment(space, segment);
      if (found === 'as-written') continue;
      // A save that went on meanwhile may have put another one in its place.
      const now = await readHead(space);
      if (now !== null && now !== 'damaged' && now.saveId !== head.saveId) return;
      const what = found === 'missing' ? 'is missing' : 'is not what was written';
      this.#find({ path: `${LAYOUT.manifest}/${segment.name}`, kind: 'engine', what });
      // The next save writes the manifest whole: the volume knows what was in it.
      if (state.meta('save-id') === head.saveId) state.setMeta('manifest-segments', null);
    }
  }

  /** @returns bytes that were read */
  async #entry(entry: ManifestEntry): Promise<number> {
    const { space, state } = this.#context;
    const { path, hash } = entry;
    // Only the manifest holds it, or it may only be there.
    if (entry.remote === null || entry.kind === 'directory') return 0;
    try {
      const found = await space.stat({ path });
      // A save may have gone on meanwhile; then the next check sees what it left.
      const isSame = () => JSON.stringify(state.manifest.get(path), text) === JSON.stringify(entry, text);
      if (!isSame()) return 0;
      if (found === null) {
        this.#find({ path, kind: 'missing', what: 'is not in the space' });
        return 0;
      }
      if (!manifestMatches(entry, found)) {
        this.#add({ changedElsewhere: this.#state.changedElsewhere + 1 });
        return 0;
      }
      if (entry.kind === 'symlink') {
        if ((await space.readSymlink(found)) !== entry.target && isSame())
          this.#find({ path, kind: 'rotten', what: 'leads elsewhere than it was saved' });
        return 0;
      }
      if (hash === null) return 0;
      const read = await this.#twice(() => this.#hash(found), hash);
      const after = await space.stat({ path });
      const isChanged = after === null || !manifestMatches(entry, after) || !isSame();
      if (read !== hash && !isChanged)
        this.#find({ path, kind: 'rotten', what: 'has other content than was saved' });
      return entry.size;
    } catch (error) {
      this.#signal?.throwIfAborted();
      // Throws where it is not about this file alone.
      const failures = new FileFailures(this.#context, 'project', 'restore');
      await failures.note(error, { does: 'fetch', path });
      this.#find({ path, kind: 'unreadable', what: `cannot be read: ${(error as Error).message}` });
      return 0;
    }
  }

  /** Once more where it is not as expected: it may have been the way, not the space. */
  async #twice<T>(read: () => Promise<T>, expected: T): Promise<T> {
    let found = await read();
    for (let attempt = 1; attempt < READS && found !== expected; attempt += 1) found = await read();
    return found;
  }

  async #hash(file: { readonly path: string; readonly id?: string | undefined }): Promise<string> {
    const hash = createHash('sha256');
    const options = this.#signal === undefined ? {} : { signal: this.#signal };
    for await (const bytes of this.#space.read(file, options)) hash.update(bytes);
    return hash.digest('hex');
  }

  #find(finding: Finding): void {
    this.#add({ found: this.#state.found + 1 });
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(finding);
    this.#note();
  }

  #add(more: Partial<Omit<Verification, 'findings'>>): void {
    this.#state = { ...this.#state, ...more };
  }

  #note(): Verification {
    const now = { ...this.#state, findings: this.#findings };
    this.#context.state.setJson(META, now);
    return now;
  }

  #now(): string {
    return new Date(this.#context.clock.now()).toISOString();
  }
}

const text = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
