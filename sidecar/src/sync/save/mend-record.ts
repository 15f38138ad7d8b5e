import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSpaceError, type Space, type SpaceEntry } from '../../spaces/space.ts';
import type { CommitOptionsContext } from './commit-options.ts';
import { type CommitHeader, trashOfSave } from './commit-record.ts';
import { decide, decideAnew } from './decide-anew.ts';
import type { TailStep } from './failed-steps.ts';
import { descendsFrom, type Head, readHead } from './head.ts';
import { completeHead, headCopyPath } from './head-copies.ts';
import { historyStems, readHeader } from './history.ts';
import { writeLines } from './manifest.ts';
import { putAway } from './move-over.ts';
import { leaveOut } from './pending-commit.ts';
import { checkRecord, DamagedRecordError } from './read-record.ts';
import { hasWholeParts, RemadeSteps } from './remade-steps.ts';
import { LAYOUT, stemOf } from './space-layout.ts';
import { noteGivenUp } from './untold.ts';

/** A save that was being made, by the head that waits for it in a staging folder. */
interface StagedSave {
  readonly head: Head;
  readonly staging: string;
  readonly mtime: number;
}

/**
 * A save that was decided and not completed needs its record. One that is damaged is made again from the rest of what the
 * save has left in the space, and takes its place; so is one that is gone although moves were made. What cannot be made
 * again is put aside. The lease is held.
 * @param records those that are there
 * @returns what became of them, in sentences for people
 */
export async function mendRecords(
  context: CommitOptionsContext,
  records: readonly SpaceEntry[],
): Promise<string[]> {
  const mended: string[] = [];
  for (const record of records) {
    try {
      await checkRecord(context.space, record);
    } catch (error) {
      if (!(error instanceof DamagedRecordError)) throw error;
      mended.push(await mendDamaged(context, record, error));
    }
  }
  if (records.length > 0) return mended;
  const lost = await mendLost(context);
  return lost === null ? [] : [lost];
}

async function mendDamaged(
  context: CommitOptionsContext,
  record: SpaceEntry,
  { saveId, why }: DamagedRecordError,
): Promise<string> {
  const { space, clock, log } = context;
  const fence = Number(/(\d+)\.jsonl$/.exec(record.path)?.[1]);
  const complete = await completeHead(space);
  const staged = await savesAfter(space, complete);
  const isOver = saveId !== null && complete !== null && descendsFrom(complete, saveId);
  // Where the record does not say right which one it was: the save that came last is the one that was decided.
  const save = staged.find(({ head }) => head.saveId === saveId) ?? staged.at(-1);
  log.error({ record: record.path, why }, 'a commit record in the project space is damaged');
  const [what, evidence] = [
    `the commit record ${record.path} in the project space was damaged (${why})`,
    `The damaged one is in the trash of the space (engine/)`,
  ];
  const aside = () => putAway(space, record.path, clock.now());
  if (isOver) {
    await aside();
    return `${what}. Its save was complete. ${evidence}`;
  }
  const remade = save === undefined ? null : await remake(context, save, fence, aside);
  if (remade !== null) return `${what}; ${remade}. ${evidence}`;
  noteGivenUp(context.state);
  await aside();
  return `${what}, and too little is left of its save to complete it: the save before it counts. ${evidence}`;
}

/** Versions lie in the trash of a save only once it was decided. */
async function mendLost(context: CommitOptionsContext): Promise<string | null> {
  const { space, lease, log } = context;
  const staged = await savesAfter(space, await completeHead(space));
  for (const save of staged.reverse()) {
    const { trash } = await placesOf(space, save.head);
    if ((await space.stat({ path: trash })) === null) continue;
    log.error({ saveId: save.head.saveId }, 'the commit record of a save that was begun is gone');
    const what = `the commit record of save ${save.head.generation} is gone from the project space`;
    const remade = await remake(context, save, lease.fence, async () => undefined);
    if (remade !== null) return `${what}; ${remade}`;
    noteGivenUp(context.state);
    return `${what}, and too little is left of that save to complete it: the save before it counts`;
  }
  return null;
}

/** Heads in staging folders that follow the last complete save, oldest first. */
async function savesAfter(space: Space, complete: Head | null): Promise<StagedSave[]> {
  const saves: StagedSave[] = [];
  for (const folder of await listed(space, LAYOUT.staging)) {
    if (folder.kind !== 'directory') continue;
    for (const { name, path, kind, mtimeSeconds } of await listed(space, folder.path, /^head-.+\.json$/)) {
      if (kind !== 'file') continue;
      const head = await readHead(space, path);
      if (head === null || head === 'damaged' || name !== `head-${head.saveId}.json`) continue;
      if (complete !== null && descendsFrom(complete, head.saveId)) continue;
      if (complete !== null && !descendsFrom(head, complete.saveId)) continue;
      saves.push({ head, staging: folder.path, mtime: mtimeSeconds ?? 0 });
    }
  }
  return saves.sort((a, b) => a.head.generation - b.head.generation || a.mtime - b.mtime);
}

async function listed(space: Space, path: string, names = /./): Promise<SpaceEntry[]> {
  const found: SpaceEntry[] = [];
  try {
    for await (const entry of space.list({ path })) if (names.test(entry.name)) found.push(entry);
  } catch (error) {
    if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
  }
  return found;
}

/** Where a save has its part of the history, and the trash that it uses. */
async function placesOf(space: Space, { saveId, savedAt }: Head) {
  const own = stemOf(Date.parse(savedAt), saveId);
  const stem = (await historyStems(space)).get(saveId) ?? own;
  // Decided anew, it goes on with the trash of the first time.
  const folder = (await readHeader(space, stem))?.folders?.[0] ?? stem;
  return { stem, folder, trash: `${LAYOUT.trash}/${folder}` };
}

/**
 * @param makeWay called just before the new record comes to its place
 * @returns what was done; null where too little is left
 */
async function remake(
  context: CommitOptionsContext,
  { head, staging }: StagedSave,
  fence: number,
  makeWay: () => Promise<void>,
): Promise<string | null> {
  const { space, state } = context;
  const { stem, folder } = await placesOf(space, head);
  if (!(await hasWholeParts(space, head, stem))) return null;
  const { saveId, generation, savedAt } = head;
  const decidedAt = Date.parse(savedAt);
  const header: CommitHeader = { version: 2, saveId, fence, generation, decidedAt, trash: folder, steps: 0 };
  const steps = new RemadeSteps(context, staging, trashOfSave(header));
  try {
    await steps.make(head, stem);
    await makeWay();
    const tail = [
      { do: 'keep', staged: `${staging}/copy-${saveId}.json`, to: headCopyPath(head) },
      { do: 'head', staged: `${staging}/head-${saveId}.json` },
    ] as const;
    if (steps.left.size === 0) await decideAgain(context, header, steps, tail);
    else
      await decideAnew(context, { header, steps: () => steps.steps(), tail }, steps.left, (anew) =>
        leaveOut(state, header, anew, steps.left),
      );
    return `it was made again from what that save had left, and the save is complete${withoutWhat([...steps.left.keys()])}`;
  } finally {
    steps.close();
  }
}

/** Under its own id, by which the volume of the save knows it. */
async function decideAgain(
  context: CommitOptionsContext,
  header: CommitHeader,
  steps: RemadeSteps,
  tail: readonly TailStep[],
): Promise<void> {
  const lines = async function* (): AsyncIterable<string> {
    for await (const step of steps.steps()) yield JSON.stringify(step);
    for (const step of tail) yield JSON.stringify(step);
  };
  const file = join(context.scratch, `steps-${header.saveId}`);
  try {
    const written = await writeLines(file, lines());
    await decide(context, { ...header, steps: written.lines }, file);
  } finally {
    await rm(file, { force: true });
  }
}

const NAMED = 5;

function withoutWhat(paths: readonly string[]): string {
  if (paths.length === 0) return '';
  const names = paths.slice(0, NAMED).map((path) => JSON.stringify(path));
  return (
    ` but for ${paths.length} files whose new version is nowhere in the space: ${names.join(', ')}` +
    `${paths.length > NAMED ? ' and others' : ''}. What there was of them before is in its place (older versions: sync trash)`
  );
}
