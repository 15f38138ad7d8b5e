import type { Clock } from '../../clock.ts';
import { contentOf, isSpaceError, type Space } from '../../spaces/space.ts';
import type { StateStore } from '../state/state.ts';
import { descendsFrom, type Head, headText, readHead } from './head.ts';
import { headFromSegments } from './head-from-segments.ts';
import type { Lease } from './lease.ts';
import { putAway } from './move-over.ts';
import { LAYOUT } from './space-layout.ts';

/**
 * Each complete save leaves a copy of its head. It is moved there by the commit just before the head itself, so once
 * interrupted commits are finished, every copy is of a complete save.
 */
export function headCopyPath({ generation, saveId }: Pick<Head, 'generation' | 'saveId'>): string {
  return `${LAYOUT.heads}/${String(generation).padStart(8, '0')}-${saveId}.json`;
}

const COPY = /^(\d{8,15})-([A-Za-z0-9-]{1,100})\.json$/;
/** Copies that stay; one would do, and a hand that damages files may come by more than once. */
const COPIES_KEPT = 8;

interface Copy {
  readonly path: string;
  readonly generation: number;
}

/** The newest copies, newest first. @param most that are held in memory, however many lie there */
async function newestCopies(space: Space, most: number): Promise<{ newest: Copy[]; older: Copy[] }> {
  const newest: Copy[] = [];
  const older: Copy[] = [];
  try {
    for await (const { name } of space.list({ path: LAYOUT.heads })) {
      const found = COPY.exec(name);
      if (found === null) continue;
      newest.push({ path: `${LAYOUT.heads}/${name}`, generation: Number(found[1]) });
      newest.sort((a, b) => b.generation - a.generation);
      const over = newest.length > most ? newest.pop() : undefined;
      if (over !== undefined && older.length < 1_000) older.push(over);
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
  }
  return { newest, older };
}

/** Removes all but the newest copies. @returns the heads of those that stay */
export async function tidyHeadCopies(space: Space): Promise<Head[]> {
  const { newest, older } = await newestCopies(space, COPIES_KEPT);
  for (const { path } of older) await space.removeFile(path);
  const heads: Head[] = [];
  for (const { path } of newest) {
    const head = await readHead(space, path);
    if (head !== null && head !== 'damaged') heads.push(head);
  }
  return heads;
}

/** The head of a save that is known to be complete, from what can be read of it; nothing is put right. */
export async function completeHead(space: Space): Promise<Head | null> {
  const found = await readHead(space);
  return found === null || found === 'damaged' ? newestIntactCopy(space) : found;
}

async function newestIntactCopy(space: Space): Promise<Head | null> {
  for (const { path } of (await newestCopies(space, COPIES_KEPT)).newest) {
    const head = await readHead(space, path);
    if (head !== null && head !== 'damaged') return head;
  }
  return null;
}

/** A head, and what had to be done to have it. */
export interface SoundHead {
  readonly head: Head | 'damaged' | null;
  /** A sentence where it was not as it was left. */
  readonly repaired: string | null;
  /** The head in the space was an older one of the same history: what else was set back with it is not known. */
  readonly isSetBack: boolean;
}

export interface HeadContext {
  readonly space: Space;
  readonly state: StateStore;
  readonly lease: Lease;
  readonly clock: Clock;
}

/**
 * The head of the last complete save. One that is damaged, gone, or set back by itself is put right from its copies or,
 * where there are none, from the manifest's segments; what lay in its place goes to the trash. The lease is held, and
 * interrupted commits are finished.
 * @returns `damaged` where nothing is left that says anything of the last save
 */
export async function soundHead(context: HeadContext): Promise<SoundHead> {
  const { space, state } = context;
  const found = await readHead(space);
  const isIntact = found !== null && found !== 'damaged';
  if (isIntact && found.saveId === state.meta('save-id'))
    return { head: found, repaired: null, isSetBack: false };
  const copy = await newestIntactCopy(space);
  if (isIntact) {
    const isOlder = copy !== null && copy.saveId !== found.saveId && descendsFrom(copy, found.saveId);
    if (!isOlder) return { head: found, repaired: null, isSetBack: false };
    await replaceHead(context, copy);
    return {
      head: copy,
      repaired: `head.json in the project space was that of save ${found.generation}; its newer copy of save ${copy.generation} is used`,
      isSetBack: true,
    };
  }
  const head = copy ?? (await headFromSegments(space));
  if (head === null) return { head: found, repaired: null, isSetBack: false };
  await replaceHead(context, head);
  const was = found === null ? 'missing' : 'damaged';
  return {
    head,
    repaired: `head.json in the project space was ${was}; it was made again as of save ${head.generation}, with times, modes and links`,
    isSetBack: false,
  };
}

/** What lay in its place is evidence, so it goes to the trash. */
export async function replaceHead(context: Omit<HeadContext, 'state'>, head: Head): Promise<void> {
  const { space, lease, clock } = context;
  await lease.assertHeld();
  const fresh = `${LAYOUT.head}.new`;
  await space.write(fresh, contentOf(headText(head)));
  await putAway(space, LAYOUT.head, clock.now());
  await space.move({ path: fresh, kind: 'file' }, LAYOUT.head);
}
