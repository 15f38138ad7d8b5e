import type { Clock } from '../../clock.ts';
import { isSpaceError, type Space } from '../../spaces/space.ts';
import type { StateStore } from '../state/state.ts';
import { type Head, readHead } from './head.ts';
import { tidyHeadCopies } from './head-copies.ts';
import { describeSegment } from './head-from-segments.ts';
import type { Lease } from './lease.ts';
import { loadManifest } from './manifest.ts';
import { LAYOUT } from './space-layout.ts';

const AT_ONCE = 1_000;
const EVERY_MS = 3_600_000;

export interface SegmentsContext {
  readonly space: Space;
  readonly state: StateStore;
  readonly lease: Lease;
}

/** Asked after each save, it works once an hour. */
export async function tidySegments(context: SegmentsContext & { readonly clock: Clock }): Promise<void> {
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
export async function removeUnreferencedSegments(context: SegmentsContext): Promise<number> {
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

const READS = 2;

/** What the space holds of a segment, by its hash. @returns `as-written`, or what is wrong with it each time it is read */
export async function judgeSegment(
  space: Space,
  { name, hash }: Head['segments'][number],
): Promise<'as-written' | 'missing' | 'other-content'> {
  // An answer that was cut on its way looks the same.
  let found = await describeSegment(space, name);
  for (let read = 1; read < READS && found?.hash !== hash; read += 1)
    found = await describeSegment(space, name);
  if (found === null) return 'missing';
  return found.hash === hash ? 'as-written' : 'other-content';
}

/**
 * Reads every segment of the head, those too whose lines the volume knows. Where one is damaged the next save writes the
 * manifest whole, from what the volume knows of it.
 * @param known those that need no reading; those that are as they were written are added
 * @returns the names of the damaged ones
 */
export async function rewriteDamagedSegments(
  { space, state }: Pick<SegmentsContext, 'space' | 'state'>,
  head: Head,
  known: Set<string> = new Set(),
): Promise<string[]> {
  const damaged: string[] = [];
  for (const segment of head.segments) {
    const key = `${segment.name} ${segment.hash}`;
    if (known.has(key)) continue;
    if ((await judgeSegment(space, segment)) === 'as-written') known.add(key);
    else damaged.push(segment.name);
  }
  if (damaged.length === 0) return damaged;
  // What the volume knows of the manifest is complete only where it has read all of it.
  if (state.meta('manifest-segments') === null) await loadManifest(space, state, head);
  state.setMeta('manifest-segments', null);
  return damaged;
}
