import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { contentOf } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { toManifest } from '../model.ts';
import type { RemoteFacts } from '../plan/compare.ts';
import { decodeItem } from '../plan/plan.ts';
import type { StateStore } from '../state/state.ts';
import { UnsavedWorkError } from '../sync-errors.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { applyCommit } from './apply-commit.ts';
import { commitOptions } from './commit-options.ts';
import type { CommitHeader, Step } from './commit-record.ts';
import { decide, linesOf } from './decide-anew.ts';
import { type Head, headText, idsAfter } from './head.ts';
import { headCopyPath, soundHead } from './head-copies.ts';
import { knownGeneration } from './histories.ts';
import { type SaveHistoryContext, writeHistory } from './history.ts';
import { noteLeftOut } from './left-out.ts';
import { manifestLine, uploadSegment, writeLines } from './manifest.ts';
import { applyDecided, type Deciding, decidingSave } from './pending-commit.ts';
import type { RecoveryContext } from './recover.ts';
import { saveSteps } from './save-steps.ts';
import { stagingOf } from './sent-uploads.ts';
import { commitPath } from './space-layout.ts';
import { timeOfSave } from './two-clocks.ts';
import { clearStaging } from './upload-parts.ts';

export interface CommitContext extends RecoveryContext, SaveHistoryContext {
  readonly tree: LocalTree;
}

/**
 * Makes a save of what is ready; of nothing too, where only the manifest or the head has to be written again.
 * @param failures gets what the space does not take to its place
 */
export async function commit(
  context: CommitContext,
  failures: FileFailures = new FileFailures(context, 'project', 'save'),
): Promise<number> {
  const { state, space, lease } = context;
  await lease.assertHeld();
  const { head: before } = await soundHead(context);
  assertNotOvertaken(state, before);
  const generation =
    Math.max(before === 'damaged' ? 0 : (before?.generation ?? 0), knownGeneration(state)) + 1;
  const saveId = randomUUID();
  const staging = stagingOf(context.volumeId);
  await space.makeDirectory(staging);
  const decidedAt = await timeOfSave(context, before === 'damaged' ? null : before);
  const head = await writeManifest(context, before, { saveId, generation, decidedAt });
  await writeHistory(context, before, { saveId, generation, decidedAt });
  const staged = {
    staged: `${staging}/head-${saveId}.json`,
    copy: `${staging}/copy-${saveId}.json`,
    kept: headCopyPath(head),
  };
  for (const path of [staged.staged, staged.copy]) await space.write(path, contentOf(headText(head)));

  const stepsFile = join(context.scratch, `steps-${saveId}`);
  try {
    const steps = await writeLines(stepsFile, stepLines(state, staged));
    const header: CommitHeader = {
      version: 2,
      saveId,
      fence: lease.fence,
      generation,
      decidedAt,
      steps: steps.lines,
    };
    state.durably(() => state.setJson('deciding', { saveId, generation, head } satisfies Deciding));
    await decide(context, header, stepsFile);
    const links = new Map<string, RemoteFacts>();
    const ready = () => stepsOf(stepsFile);
    await applyCommit(space, header, ready(), {
      ...commitOptions(context, { header, steps: ready, failures }),
      onMade: (path, facts) => links.set(path, facts),
    });
    const decided = decidingSave(state) as Deciding;
    await applyDecided(state, links, new Set(), decided);
    noteLeftOut(context, decided.left ?? []);
  } finally {
    await rm(stepsFile, { force: true });
  }
  await space.removeFile(commitPath(lease.fence));
  await clearStaging(context);
  return generation;
}

function* stepLines(...save: Parameters<typeof saveSteps>): Iterable<string> {
  for (const step of saveSteps(...save)) yield JSON.stringify(step);
}

/** The steps of a save were worked out once; they are read again and again from the disk. */
async function* stepsOf(file: string): AsyncIterable<Step> {
  for await (const line of linesOf(file)) yield JSON.parse(line) as Step;
}

/** Somebody else took the lease over and saved; what is here was made on an older save. */
function assertNotOvertaken(state: StateStore, head: Head | 'damaged' | null): void {
  const known = state.meta('save-id');
  if (head === null || head === 'damaged' || known === null || head.saveId === known) return;
  throw new UnsavedWorkError(
    `the project volume was made on save ${knownGeneration(state)}, the project space has gone on to save ` +
      `${head.generation} by ${head.savedBy}. Nothing was written. Restart this instance: it then says how to bring both together`,
  );
}

/** Lines since the last full segment, above which a new full one pays. */
const COMPACT_AT_LEAST = 2_000;

async function writeManifest(
  context: SaveHistoryContext,
  before: Head | 'damaged' | null,
  save: { saveId: string; generation: number; decidedAt: number },
): Promise<Head> {
  const { state, space, scratch } = context;
  const intact = before !== null && before !== 'damaged' && state.meta('manifest-segments') !== null;
  let segments = intact ? [...before.segments] : [];
  const name = (kind: string): string =>
    `${String(save.generation).padStart(8, '0')}-${save.saveId}-${kind}.jsonl`;
  const later = segments.slice(1).reduce((sum, each) => sum + each.lines, 0);
  const isLong = later > COMPACT_AT_LEAST && later > state.manifest.count();
  const full = !intact || segments.length > 500 || isLong;
  if (full && state.manifest.count() > 0) {
    const lines = function* (): Iterable<string> {
      for (const entry of state.manifest.all())
        yield manifestLine({ path: entry.path, entry }, context.codec);
    };
    segments = [await uploadSegment(space, scratch, name('full'), lines())];
  } else if (!intact) segments = [];
  const changes = function* (): Iterable<string> {
    for (const row of state.pending.rows('ready')) {
      const { path, next } = decodeItem(row.data);
      yield manifestLine({ path, entry: next === undefined ? null : toManifest(next) }, context.codec);
    }
  };
  segments.push(await uploadSegment(space, scratch, name('changes'), changes()));
  return {
    version: 1,
    generation: save.generation,
    saveId: save.saveId,
    savedAt: new Date(save.decidedAt).toISOString(),
    savedBy: context.instance,
    segments,
    ...idsAfter(before === 'damaged' ? null : before, save.saveId),
  };
}
