import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { contentOf, isSpaceError, parentOf, SpaceError } from '../../spaces/space.ts';
import { formatRemovedLine, parseManifestLine } from '../state/manifest-line.ts';
import { textLines } from '../text-lines.ts';
import { type CommitHeader, RecordSum, recordLines, type Step, trashStem } from './commit-record.ts';
import type { LeftOut, TailStep } from './failed-steps.ts';
import { type Head, headText, idsAfter, readHead } from './head.ts';
import { headCopyPath } from './head-copies.ts';
import { type HistoryHeader, type HistoryWriter, historyPath, uploadHistory } from './history.ts';
import type { Lease } from './lease.ts';
import { fileContent, uploadSegment, writeLines } from './manifest.ts';
import { commitPath, LAYOUT, stemOf } from './space-layout.ts';

/** A decided save without some of its entries. */
export interface DecidedAnew {
  readonly header: CommitHeader;
  readonly head: Head;
  /** What is left to do. */
  readonly tail: readonly TailStep[];
}

export interface DecideContext extends HistoryWriter {
  readonly lease: Lease;
}

/** From the move on the save is decided. Whoever took the lease over meanwhile either sees the record or is seen here. */
export async function decide(context: DecideContext, header: CommitHeader, stepsFile: string): Promise<void> {
  const { space, lease, scratch } = context;
  const file = join(scratch, `commit-${header.saveId}`);
  try {
    await writeLines(file, recordLines(header, linesOf(stepsFile)));
    await space.write(`${commitPath(header.fence)}.new`, await fileContent(file));
  } finally {
    await rm(file, { force: true });
  }
  await lease.assertHeld();
  await space.move({ path: `${commitPath(header.fence)}.new`, kind: 'file' }, commitPath(header.fence));
  await lease.assertHeld();
}

/** Opened by its reader: a stream that fails while nobody reads it yet ends the process. */
export async function* linesOf(file: string): AsyncIterable<string> {
  yield* textLines(createReadStream(file));
}

/**
 * Decides a save once more, under another id and without what could not be put in its place: the new record takes that of
 * the old one in one step, with a manifest, a history and a head that claim nothing of it. All that it needs is in the
 * space, so that whoever finishes an interrupted save can do it.
 * @param onDecide called when all is there, just before the record is replaced
 * @returns null where the save was complete before
 * @throws SpaceError
 */
export async function decideAnew(
  context: DecideContext & { readonly log: Logger },
  save: {
    readonly header: CommitHeader;
    readonly steps: () => AsyncIterable<Step>;
    readonly tail: readonly TailStep[];
  },
  left: LeftOut,
  onDecide: (anew: DecidedAnew) => void,
): Promise<DecidedAnew | null> {
  const { space, scratch, log } = context;
  const { header: old, tail } = save;
  const stagedHead = tail.find((step) => step.do === 'head')?.staged ?? '';
  const before = await readHead(space, stagedHead);
  if (before === null && (await readHead(space, LAYOUT.head)) !== null) return null;
  if (before === null || before === 'damaged') throw broken(stagedHead);
  const saveId = randomUUID();
  const trash = trashStem(old);
  const head = {
    ...before,
    saveId,
    segments: [...before.segments.slice(0, -1), await changesWithout(context, before, saveId, left)],
    ...idsAfter({ ...before, recent: before.recent.slice(0, -1), ...withoutLast(before) }, saveId),
  };
  await historyWithout(context, old, saveId, left);
  const staged = (what: string) => `${parentOf(stagedHead)}/${what}-${saveId}.json`;
  const anew = tail.map(
    (step): TailStep =>
      step.do === 'head'
        ? { do: 'head', staged: staged('head') }
        : { do: 'keep', staged: staged('copy'), to: headCopyPath(head) },
  );
  for (const step of anew) await space.write(step.staged, contentOf(headText(head)));
  const stepsFile = join(scratch, `steps-${saveId}`);
  try {
    const { lines } = await writeLines(stepsFile, stepsWithout(save.steps(), left, anew));
    const header = { ...old, version: 2 as const, saveId, trash, steps: lines };
    log.warn(
      { left: left.size },
      'a save is completed without files that could not be put in their places in the space',
    );
    const result = { header, head, tail: anew };
    onDecide(result);
    await decide(context, header, stepsFile);
    await space.removeFile(historyPath(stemOf(old.decidedAt, old.saveId)));
    return result;
  } finally {
    await rm(stepsFile, { force: true });
  }
}

function withoutLast({ history }: Head): Pick<Head, 'history'> {
  return history === undefined ? {} : { history: history.slice(0, -1) };
}

function broken(path: string): SpaceError {
  return new SpaceError('transfer-broken', `${path} is not what this save has written`, { path });
}

async function* stepsWithout(
  steps: AsyncIterable<Step>,
  left: LeftOut,
  tail: readonly TailStep[],
): AsyncIterable<string> {
  for await (const step of steps) {
    if (step.do === 'keep' || step.do === 'head' || left.has(step.path)) continue;
    yield JSON.stringify(step);
  }
  for (const step of tail) yield JSON.stringify(step);
}

/** The last segment of the manifest, with the changes of this save alone. */
async function changesWithout(context: HistoryWriter, head: Head, saveId: string, left: LeftOut) {
  const { space, scratch } = context;
  const segment = head.segments.at(-1);
  const path = `${LAYOUT.manifest}/${segment?.name}`;
  const lines = async function* (): AsyncIterable<string> {
    const sum = createHash('sha256');
    for await (const line of textLines(space.read({ path }))) {
      sum.update(`${line}\n`);
      const changed = parseManifestLine(line)?.path;
      if (changed === undefined) throw broken(path);
      const state = left.get(changed);
      if (state === 'gone') yield formatRemovedLine(changed);
      else if (state === undefined) yield line;
    }
    if (sum.digest('hex') !== segment?.hash) throw broken(path);
  };
  const name = `${String(head.generation).padStart(8, '0')}-${saveId}-changes.jsonl`;
  return uploadSegment(space, scratch, name, lines());
}

/** What the save takes the place of; it lies in the trash of the save as it was decided first. */
async function historyWithout(
  context: HistoryWriter,
  old: CommitHeader,
  saveId: string,
  left: LeftOut,
): Promise<void> {
  const path = historyPath(stemOf(old.decidedAt, old.saveId));
  const trash = trashStem(old);
  const sum = new RecordSum();
  const lines = textLines(context.space.read({ path }))[Symbol.asyncIterator]();
  let header: HistoryHeader;
  try {
    const first = await lines.next();
    if (first.done === true) throw broken(path);
    sum.add(first.value);
    header = { ...(JSON.parse(first.value) as HistoryHeader), saveId, folders: [trash] };
  } catch (error) {
    // It was decided by a version that kept no history.
    if (isSpaceError(error, 'not-found')) return;
    throw error instanceof SyntaxError ? broken(path) : error;
  }
  const rest = async function* (): AsyncIterable<string> {
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
      if (sum.add(next.value)) continue;
      const line = JSON.parse(next.value) as { p: string; k?: string; w?: string; f?: string };
      const state = left.get(line.p);
      if (state === 'as-before') continue;
      const became = state === 'gone' && line.w === 'replaced' ? 'removed' : line.w;
      yield JSON.stringify(line.k === undefined ? line : { ...line, w: became, f: line.f ?? trash });
    }
    if (!sum.isRight()) throw broken(path);
  };
  await uploadHistory(context, stemOf(old.decidedAt, saveId), header, rest());
}
