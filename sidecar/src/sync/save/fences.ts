import { hash } from 'node:crypto';
import { isSpaceError, nameOf, type Space } from '../../spaces/space.ts';
import { fencePath, LAYOUT } from './space-layout.ts';

/** Far above what restarts can give out; other names are none of ours. */
const MAX_FENCE = 1_000_000_000;
const isFence = (number: number) => Number.isInteger(number) && number > 0 && number < MAX_FENCE;
/** The last few stay, so that a slow listing of another instance still finds a higher one than its own. */
const KEPT_FENCES = 8;
const MAX_MARKS = 10;
/** `OWNER-K`; older programs made `alive-K`, and only where a heartbeat had found no room. */
const MARK = /^(?<owner>alive|[\da-f]{32})-\d+$/;

/** One run of the container of one instance. A copy of its volume in another instance knows the session too. */
export function ownerOf(holder: string, session: string): string {
  return hash('sha256', `${holder}\n${session}`).slice(0, 32);
}

/** The directory in that of a number: whose it is, and how many heartbeats found no room for the lease file. */
export function markPath(fence: number, owner: string, beats: number): string {
  return `${fencePath(fence)}/${owner}-${beats}`;
}

/** Names of the marks in the directory of a number, sorted. */
export async function marksOf(space: Space, fence: number): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of space.list({ path: fencePath(fence) }))
      if (MARK.test(name) && names.length < MAX_MARKS) names.push(name);
  } catch (error) {
    if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
  }
  return names.sort();
}

export function isMarkOf(owners: readonly string[], mark: string): boolean {
  return owners.includes(MARK.exec(mark)?.groups?.owner ?? '');
}

/** @param known a number that was given out, or 0 */
export async function highestFence(space: Space, known: number): Promise<number> {
  let highest = Math.max(known, (await allFences(space)).at(-1) ?? 0);
  // A listing may leave out what has just been made, so the next number is asked for by itself.
  while ((await space.stat({ path: fencePath(highest + 1) })) !== null) highest += 1;
  return highest;
}

/** Sorted, without what lies there as a file where only directories are wanted. */
async function allFences(space: Space, onlyDirectories = false): Promise<number[]> {
  const found: number[] = [];
  try {
    for await (const { path, kind } of space.list({ path: LAYOUT.fences })) {
      const number = Number(nameOf(path));
      if (isFence(number) && (!onlyDirectories || kind === 'directory')) found.push(number);
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  return found.sort((a, b) => a - b);
}

/**
 * Makes this number, which nobody has yet. Its directory is made elsewhere and moved to its place with a mark in it: a
 * file system moves a directory onto an empty one, and never onto one that holds something. In a space without room for
 * a directory the one of an older number is moved, which takes none.
 * @returns path of the mark; null where the space has no room for one
 * @throws SpaceError `exists` or `not-found` where somebody else was faster
 */
export async function takeFence(space: Space, fence: number, owner: string): Promise<string | null> {
  const claim = `${LAYOUT.claims}/${owner}`;
  try {
    await space.makeDirectory(`${claim}/${owner}-0`);
    await space.move({ path: claim, kind: 'directory' }, fencePath(fence));
    return markPath(fence, owner, 0);
  } catch (error) {
    await space.removeTree(claim).catch(() => undefined);
    if (!isSpaceError(error, 'space-full')) throw error;
    const older = await allFences(space, true);
    const last = older.pop();
    if (last === undefined) throw error;
    return passOn(space, { last, fence, spare: older.pop() }, owner);
  }
}

async function passOn(
  space: Space,
  { last, fence, spare }: { last: number; fence: number; spare: number | undefined },
  owner: string,
): Promise<string | null> {
  const isMarked = (await marksOf(space, last)).length > 0;
  // An older program gave that one out: with the next older one in it, nothing moves onto it.
  if (!isMarked && spare !== undefined)
    await space.move({ path: fencePath(spare), kind: 'directory' }, markPath(last, owner, 0));
  await space.move({ path: fencePath(last), kind: 'directory' }, fencePath(fence));
  const [found] = await marksOf(space, fence);
  const mark = markPath(fence, owner, 0);
  if (found === undefined) return null;
  const path = `${fencePath(fence)}/${found}`;
  if (path !== mark) await space.move({ path, kind: 'directory' }, mark);
  return mark;
}

export async function tidyFences(space: Space, mine: number): Promise<void> {
  for (const number of await allFences(space))
    if (number < mine - KEPT_FENCES) await space.removeTree(fencePath(number));
}
