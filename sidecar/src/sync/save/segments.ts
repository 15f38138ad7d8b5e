import { isSpaceError } from '../../spaces/space.ts';
import type { ProjectContext } from '../context.ts';
import { readHead } from './head.ts';
import { tidyHeadCopies } from './head-copies.ts';
import { LAYOUT } from './space-layout.ts';

const AT_ONCE = 1_000;
const EVERY_MS = 3_600_000;

/** Asked after each save, it works once an hour. */
export async function tidySegments(context: ProjectContext): Promise<void> {
  const { state, clock } = context;
  if (Math.abs(clock.now() - Number(state.meta('segments-tidied') ?? 0)) < EVERY_MS) return;
  await removeUnreferencedSegments(context);
  state.setMeta('segments-tidied', String(clock.now()));
}

/**
 * Removes manifest segments that neither the head nor any of its copies names: those of saves that were broken off, and
 * those that a full segment has replaced. No save may be under way. Nothing goes where a head cannot be read.
 * @returns how many went
 * @throws LeaseLostError
 */
export async function removeUnreferencedSegments(context: ProjectContext): Promise<number> {
  const { space, lease } = context;
  await lease.assertHeld();
  const head = await readHead(space);
  if (head === null || head === 'damaged' || head.saveId !== context.state.meta('save-id')) return 0;
  const heads = [head, ...(await tidyHeadCopies(space))];
  const named = new Set(heads.flatMap(({ segments }) => segments.map(({ name }) => name)));
  let removed = 0;
  for (let more = true; more; ) {
    const names: string[] = [];
    try {
      for await (const { name, kind } of space.list({ path: LAYOUT.manifest })) {
        // Anything else was not made by this program.
        if (kind === 'file' && name.endsWith('.jsonl') && !named.has(name)) names.push(name);
        if (names.length === AT_ONCE) break;
      }
    } catch (error) {
      if (!isSpaceError(error, 'not-found')) throw error;
    }
    for (const name of names) await space.removeFile(`${LAYOUT.manifest}/${name}`);
    removed += names.length;
    more = names.length === AT_ONCE;
  }
  return removed;
}
