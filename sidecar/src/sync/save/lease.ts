import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { Clock } from '../../clock.ts';
import { contentOf, ENGINE_FOLDER, isSpaceError, type Space, SpaceError } from '../../spaces/space.ts';
import { refuseNewer } from '../sync-errors.ts';
import { highestFence, isMarkOf, markPath, marksOf, ownerOf, takeFence, tidyFences } from './fences.ts';
import { moveOver } from './move-over.ts';
import { inOwnFolder } from './own-folder.ts';
import { readPatiently, seal, unseal, versionOf } from './sealed.ts';
import { ENGINE_FOLDERS, fencePath, LAYOUT } from './space-layout.ts';

const leaseSchema = z.object({
  version: z.literal(1),
  holder: z.string().max(500),
  session: z.string().max(100),
  fence: z.int().min(1),
  since: z.iso.datetime(),
  heartbeatAt: z.iso.datetime(),
  released: z.boolean(),
  /** Of the volume that the holder works on; absent: an older version wrote it. */
  volumeId: z.string().max(100).optional(),
});
export type LeaseRecord = z.infer<typeof leaseSchema>;

/** Another instance writes to the project space. */
export class LeaseHeldError extends Error {
  override readonly name = 'LeaseHeldError';
  readonly holder: string;
  readonly since: string;

  constructor(holder: string, since: string, heartbeatAt: string) {
    super(
      `the project space is in use by ${holder} since ${since} (last heartbeat ${heartbeatAt}); ` +
        'this instance continues automatically once the other one has ended',
    );
    this.holder = holder;
    this.since = since;
  }
}

/** This instance held the lease, was silent for too long, and somebody else has it now. Nothing may be written. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

export interface LeaseTimes {
  /** Silence after which a holder counts as gone. */
  readonly expiryMs: number;
  readonly heartbeatMs: number;
}
const MISSED_HEARTBEATS = 3;
export const DEFAULT_LEASE_TIMES: LeaseTimes = { expiryMs: 180_000, heartbeatMs: 30_000 };

/**
 * The right to write a project space. The lease file tells people and other instances who has it; what decides is the
 * fencing number: a directory `fences/N` that only one instance can make, because a directory never moves onto one that
 * holds something. Whoever owns the highest number may commit. A holder that was paused finds a higher one and stops.
 * Nothing of it needs room in the space, so that a desktop opens in which its user can make some.
 */
export class Lease {
  readonly #space: Space;
  readonly #clock: Clock;
  readonly #times: LeaseTimes;
  readonly #holder: string;
  readonly #volumeId: string | undefined;
  readonly session = randomUUID();
  readonly #owner: string;
  #record: LeaseRecord | null = null;
  /** By both kinds of time: one may be set, the other stands still while a machine sleeps. */
  #lastBeat = { now: 0, monotonic: 0 };
  /** Somebody has taken it from this very process: that was none before it on the same volume. */
  #wasLost = false;
  #writing: Promise<void> = Promise.resolve();
  /** Heartbeats for which the space had no room. */
  #beatsWithoutRoom = 0;
  /** Path of the mark in the directory of the number. */
  #mark: string | null = null;
  /** There was no room for all folders of the engine. */
  #lacksFolders = true;
  /** What was read of somebody else's lease, and when it was first seen so. */
  #seen: { text: string; at: number } | null = null;

  constructor(
    space: Space,
    options: { holder: string; clock: Clock; times?: Partial<LeaseTimes>; volumeId?: string },
  ) {
    this.#space = space;
    this.#clock = options.clock;
    this.#holder = options.holder;
    this.#owner = ownerOf(options.holder, this.session);
    this.#volumeId = options.volumeId;
    this.#times = { ...DEFAULT_LEASE_TIMES, ...options.times };
  }

  get held(): boolean {
    return this.#record !== null;
  }
  get fence(): number {
    if (this.#record === null) throw new LeaseLostError('the lease of the project space is not held');
    return this.#record.fence;
  }
  get heartbeatMs(): number {
    return this.#times.heartbeatMs;
  }

  /**
   * One attempt to get the lease.
   * @param ownSessions sessions that ran on this same volume: they are over, their lease is ours at once
   * @param takeOver take it from a live holder, by explicit wish of a person
   * @param ownFence the number that this volume was given last, 0: none
   * @throws LeaseHeldError, NewerFormatError
   */
  async acquire(ownSessions: readonly string[], takeOver = false, ownFence = 0): Promise<LeaseRecord> {
    const found = await inOwnFolder(this.#space, () => readLease(this.#space));
    await this.makeFolders();
    const highest = await highestFence(this.#space, found?.record?.fence ?? 0);
    if (!takeOver) await this.#assertFree(found, highest, { ownSessions, ownFence });
    try {
      this.#mark = await takeFence(this.#space, highest + 1, this.#owner);
    } catch (error) {
      if (!isSpaceError(error, 'exists', 'not-found')) throw error;
      throw new LeaseHeldError('another instance that starts at this moment', this.#now(), this.#now());
    }
    this.#beatsWithoutRoom = 0;
    this.#wasLost = false;
    this.#record = {
      version: 1,
      holder: this.#holder,
      session: this.session,
      fence: highest + 1,
      since: this.#now(),
      heartbeatAt: this.#now(),
      released: false,
      ...(this.#volumeId === undefined ? {} : { volumeId: this.#volumeId }),
    };
    await this.#writeRecord();
    await tidyFences(this.#space, this.fence);
    return this.#record;
  }

  /** One request: tells others that this holder lives. Looks who owns the highest number after a long silence. */
  async heartbeat(): Promise<void> {
    if (this.#record === null) return;
    if (this.#isSilentFor(this.#times.expiryMs)) await this.assertHeld();
    if (this.#lacksFolders) await this.makeFolders();
    this.#record = { ...this.#record, heartbeatAt: this.#now() };
    await this.#writeRecord();
  }

  /** @returns those that were not there. @throws SpaceError that names all that is in the way: whoever moves it away is not told of the next one then */
  async makeFolders(): Promise<readonly string[]> {
    const made: string[] = [];
    const inTheWay: SpaceError[] = [];
    let isLacking = false;
    for (const folder of ENGINE_FOLDERS) {
      try {
        if ((await this.#space.makeDirectory(folder)).isNew) made.push(folder);
      } catch (error) {
        if (isSpaceError(error, 'exists', 'not-a-directory')) inTheWay.push(error);
        // Most are there from before; a save says what it lacks.
        else if (isSpaceError(error, 'space-full')) isLacking = true;
        else throw error;
      }
    }
    const [first] = inTheWay;
    if (first !== undefined) {
      const all = [...new Set(inTheWay.map(({ message }) => message))].join('; ');
      throw new SpaceError(first.code, all, { path: first.path ?? ENGINE_FOLDER, cause: first });
    }
    this.#lacksFolders = isLacking;
    return made;
  }

  /** Asks the space. @throws LeaseLostError where somebody else has a higher fencing number. */
  async assertHeld(): Promise<void> {
    const fence = this.#record?.fence;
    const isThere = fence !== undefined && (await this.#space.stat({ path: fencePath(fence) })) !== null;
    const highest = await highestFence(this.#space, isThere ? fence : 0);
    if (isThere && highest === fence) return;
    this.#record = null;
    this.#wasLost = true;
    throw new LeaseLostError(
      `the lease of the project space was lost: number ${fence ?? 'none'} is held here, ${highest} is the newest`,
    );
  }

  /** Like `assertHeld`, but asks only where the last heartbeat is so old that somebody may have taken over. */
  async assertFresh(): Promise<void> {
    if (this.#record === null || this.#isSilentFor(this.#times.expiryMs / 2)) await this.assertHeld();
  }

  /** A clock that was set back says nothing of how long it was. */
  #isSilentFor(milliseconds: number): boolean {
    const silence = this.#clock.now() - this.#lastBeat.now;
    const passed = this.#clock.monotonic() - this.#lastBeat.monotonic;
    return silence < 0 || Math.max(silence, passed) > milliseconds;
  }

  async release(): Promise<void> {
    if (this.#record === null) return;
    await this.assertHeld();
    this.#record = { ...this.#record, heartbeatAt: this.#now(), released: true };
    await this.#writeRecord();
    this.#record = null;
  }

  async #assertFree(
    found: FoundLease | null,
    highest: number,
    own: { readonly ownSessions: readonly string[]; readonly ownFence: number },
  ): Promise<void> {
    if (found === null && highest === 0) return;
    // A number was given out, so one that cannot be read, or is gone, may be that of a live holder.
    const { record, text } = await this.#inForce(found, highest);
    if (record?.released === true) return;
    const marks = await marksOf(this.#space, highest);
    if (this.#isOwn(record, highest, marks, own)) return;
    const seen = `${highest} ${text} ${marks.join(' ')}`;
    const passed = this.#clock.monotonic();
    if (this.#seen?.text !== seen) this.#seen = { text: seen, at: passed };
    const unchangedMs = passed - this.#seen.at;
    // Clocks differ: an old time stamp counts only once no heartbeat came while this instance was watching.
    const looksOld =
      record === null
        ? highest === 0
        : this.#clock.now() - Date.parse(record.heartbeatAt) > this.#times.expiryMs;
    if (unchangedMs >= this.#times.expiryMs) return;
    // A heartbeat can come late, so one that is missing is none that will not come.
    if (looksOld && unchangedMs > MISSED_HEARTBEATS * this.#times.heartbeatMs) return;
    throw new LeaseHeldError(
      record?.holder ?? `an instance whose lease file ${found?.record ? 'has no room' : 'cannot be read'}`,
      record?.since ?? 'an unknown time',
      record?.heartbeatAt ?? 'unknown',
    );
  }

  /**
   * A container before this one on the same volume: it is over, whatever became of what it noted there. Not so where the
   * lease was taken from this one: then two of the same name live, on copies of one volume.
   */
  #isOwn(
    record: LeaseRecord | null,
    highest: number,
    marks: readonly string[],
    { ownSessions, ownFence }: { readonly ownSessions: readonly string[]; readonly ownFence: number },
  ): boolean {
    if (record === null && marks.length === 0) return ownFence !== 0 && ownFence === highest;
    if (record === null) {
      const sessions = this.#wasLost ? [this.session] : [this.session, ...ownSessions];
      const owners = sessions.map((session) => ownerOf(this.#holder, session));
      return marks.every((mark) => isMarkOf(owners, mark));
    }
    if (record.holder !== this.#holder) return false;
    const isCurrent = record.session === this.session && record.fence === highest;
    if (this.#wasLost && !isCurrent) return false;
    return (
      ownSessions.includes(record.session) ||
      (this.#volumeId !== undefined && record.volumeId === this.#volumeId)
    );
  }

  /** A lease file of an older number tells nothing of whoever has the newest, and found no room to write it. */
  async #inForce(found: FoundLease | null, highest: number): Promise<FoundLease> {
    const { record, text } = found ?? { record: null, text: 'no lease file' };
    if (record === null || record.fence >= highest) return { record, text };
    // Without a mark that one was given out by an older program, which has ended before it wrote the file.
    return (await marksOf(this.#space, highest)).length === 0 ? { record, text } : { record: null, text };
  }

  async #writeRecord(): Promise<void> {
    // One after the other: a heartbeat must not land on top of a release.
    const write = this.#writing.then(async () => {
      if (this.#record === null) return;
      try {
        // Beside it first: what is written in place is emptied before, and stays so in a space that is full.
        const beside = leaseDraftPath(this.session);
        await this.#space.write(beside, contentOf(seal(this.#record)));
        await moveOver(this.#space, beside, LAYOUT.lease, this.#clock.now());
      } catch (error) {
        if (!isSpaceError(error, 'space-full')) throw error;
        // One that is missing is no reason to stop: whoever is to write asks the space for the number.
        if (!(await this.#beatWithoutRoom())) return;
      }
      this.#lastBeat = { now: this.#clock.now(), monotonic: this.#clock.monotonic() };
    });
    this.#writing = write.catch(() => undefined);
    await write;
  }

  /** A directory takes hardly any room, and its next name none at all. */
  async #beatWithoutRoom(): Promise<boolean> {
    const next = markPath(this.fence, this.#owner, this.#beatsWithoutRoom + 1);
    try {
      if (this.#mark === null) await this.#space.makeDirectory(next);
      else await this.#space.move({ path: this.#mark, kind: 'directory' }, next);
    } catch (error) {
      if (!isSpaceError(error, 'space-full')) throw error;
      return false;
    }
    this.#beatsWithoutRoom += 1;
    this.#mark = next;
    return true;
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

interface FoundLease {
  /** null: unreadable. */
  readonly record: LeaseRecord | null;
  readonly text: string;
}

export function leaseDraftPath(session: string): string {
  return `${LAYOUT.claims}/lease-${session}.json`;
}

/** null where there is none. @throws NewerFormatError */
export async function readLease(space: Pick<Space, 'read'>): Promise<FoundLease | null> {
  const found = await readPatiently(space, LAYOUT.lease, 65_536, (text) => {
    // Its seal may be one that is not known here.
    const sentence = 'the project space is used by a newer version of this program';
    refuseNewer(LAYOUT.lease, versionOf(text), 1, sentence);
    const parsed = leaseSchema.safeParse(unseal(text));
    return parsed.success ? parsed.data : undefined;
  });
  return found === null ? null : { record: found.value ?? null, text: found.text };
}
