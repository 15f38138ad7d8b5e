import { isSpaceError, type Space, type SpaceEntry } from '../../spaces/space.ts';
import { forEachLimit } from '../pool.ts';
import { commitPath, LAYOUT } from './space-layout.ts';

/** Holders before this one that may have left a record behind; each of them looked for those before it. */
const PREDECESSORS = 8;

/**
 * Records of saves that were decided and not completed, oldest first. ⚠ A listing may leave out the newest of all,
 * and then half of a save would pass for a whole one: those of the last holders are asked for by name.
 * @param fence number of the present holder
 */
export async function findRecords(space: Space, fence: number): Promise<SpaceEntry[]> {
  const records = new Map<number, SpaceEntry>();
  try {
    for await (const entry of space.list({ path: LAYOUT.commits })) {
      // Any other name is a temporary one: never decided.
      const number = /^(\d+)\.jsonl$/.exec(entry.name)?.[1];
      if (number !== undefined) records.set(Number(number), entry);
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  const numbers = Array.from({ length: PREDECESSORS + 1 }, (_, back) => fence - back);
  const unlisted = numbers.filter((number) => number > 0 && !records.has(number));
  await forEachLimit(unlisted, space.capabilities.concurrency, async (number) => {
    const entry = await space.stat({ path: commitPath(number) });
    if (entry !== null) records.set(number, entry);
  });
  return [...records].sort(([a], [b]) => a - b).map(([, entry]) => entry);
}
