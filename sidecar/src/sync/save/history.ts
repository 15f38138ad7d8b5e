import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { parseJson } from '../../../contract/parse-json.ts';
import { isNoFile, isSpaceError, isWithoutFile, nameOf, type Space } from '../../spaces/space.ts';
import { FileError } from '../file-errors.ts';
import { type ManifestEntry, manifestMatches, toManifest, VIRTUAL_ID } from '../model.ts';
import { isEncodingOf, type NameCodec } from '../names.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import { type ManifestLine, parseManifestLine } from '../state/manifest-line.ts';
import type { StateStore } from '../state/state.ts';
import { textLines } from '../text-lines.ts';
import { RecordSum, recordLines } from './commit-record.ts';
import type { Head } from './head.ts';
import { completeHead } from './head-copies.ts';
import { fileContent, manifestLine, writeLines } from './manifest.ts';
import { versionOf } from './sealed.ts';
import { LAYOUT, stemOf } from './space-layout.ts';

/**
 * The history of a space: for each save, every entry that it changed, as the save before had it. The manifest of now,
 * with the files of all later saves taken back, is the manifest of then. A file is written before its save is decided; it
 * counts only where the head, or a file that counts, names its save.
 */

/** What became of the version before: it lies in that folder of the trash of the save, or (`kept`) where it was. */
export type Became = 'removed' | 'replaced' | 'kept';
const BECAME = ['removed', 'replaced', 'kept'] as const;

export const HISTORY_VERSION = 1;

const STEM = /^[\w-]{1,150}$/;
const saveNameSchema = z.object({
  saveId: z.string().max(100),
  generation: z.int().min(0),
  savedAt: z.iso.datetime(),
  /** Of its own history file, where it is known: a listing may leave it out. */
  stem: z.string().regex(STEM).optional(),
});
type SaveName = z.infer<typeof saveNameSchema>;
const headerSchema = saveNameSchema.extend({
  version: z.literal(HISTORY_VERSION),
  savedBy: z.string().max(500),
  /** Bytes of the versions in the trash that it names. */
  bytes: z.int().min(0).optional(),
  /** Folders of the trash that it names. Absent: its own. */
  folders: z.array(z.string().regex(STEM)).optional(),
  /** Entries that the save changed; with those that this file took over from saves that are not kept. */
  changes: z.int().min(0),
  /** null: before it there was nothing, or nothing that is kept. */
  previous: saveNameSchema.nullable(),
});
export type HistoryHeader = z.infer<typeof headerSchema>;

/** A save that can be brought back. */
export interface KnownSave {
  readonly saveId: string;
  readonly generation: number;
  readonly savedAt: string;
  /** null: it was made by a program that kept no history. */
  readonly header: HistoryHeader | null;
  /** Names its history file and its folder in the trash; null as `header`. */
  readonly stem: string | null;
  /** Its history file has to be there, and cannot be read: nothing is known of older ones. */
  readonly isBroken: boolean;
}

export interface HistoryLine extends ManifestLine {
  readonly became: Became;
  /** Names the save whose trash has the version. */
  readonly stem: string;
}

export function historyPath(stem: string): string {
  return `${LAYOUT.history}/${stem}.jsonl`;
}

/** What the history of a space is read with. */
export interface HistoryContext {
  readonly space: Space;
  readonly state: StateStore;
}

/** What a part of it is written with. */
export interface HistoryWriter {
  readonly space: Space;
  readonly scratch: string;
}

/** What the part of a save is written with. */
export interface SaveHistoryContext extends HistoryContext, HistoryWriter {
  readonly codec: NameCodec;
  /** Names the instance to others, `<namespace>/<stack>`. */
  readonly instance: string;
}

/** Writes down what the save that is ready takes the place of. Called before it is decided. */
export async function writeHistory(
  context: SaveHistoryContext,
  before: Head | 'damaged' | null,
  save: { readonly saveId: string; readonly generation: number; readonly decidedAt: number },
): Promise<void> {
  const { state } = context;
  const previous = before === null || before === 'damaged' ? null : before;
  const stem = stemOf(save.decidedAt, save.saveId);
  const earlier = previous === null ? null : await stemOfSave(context, previous.saveId);
  if (previous !== null) await removeBrokenOff(context, previous);
  const header: HistoryHeader = {
    version: HISTORY_VERSION,
    saveId: save.saveId,
    generation: save.generation,
    savedAt: new Date(save.decidedAt).toISOString(),
    savedBy: context.instance,
    changes: state.pending.count('ready'),
    previous:
      previous === null
        ? null
        : {
            saveId: previous.saveId,
            generation: previous.generation,
            savedAt: previous.savedAt,
            ...(earlier === null ? {} : { stem: earlier }),
          },
    bytes: previous === null ? 0 : bytesBefore(state),
  };
  const lines = function* (): Iterable<string> {
    for (const row of state.pending.rows('ready')) yield lineBefore(context, decodeItem(row.data));
  };
  // Nobody goes back to the time before the first save.
  await uploadHistory(context, stem, header, previous === null ? [] : lines());
  state.setJson(META, { saveId: save.saveId, stem, on: previous?.saveId });
}

/** Of the history file that was written last. */
const META = 'history-file';

/** The file of a save that never was decided: in a space that is full, each attempt would leave one. */
async function removeBrokenOff(context: HistoryContext, head: Head): Promise<void> {
  const { on, stem } = lastFile(context.state);
  if (stem === undefined || on !== head.saveId) return;
  await context.space.removeFile(historyPath(stem));
  context.state.setMeta(META, null);
}

/** `on`: the save that it follows. */
function lastFile(state: StateStore) {
  return state.json<{ saveId?: string; stem?: string; on?: string }>(META, {});
}

async function stemOfSave(context: HistoryContext, saveId: string): Promise<string | null> {
  const last = lastFile(context.state);
  if (last.saveId === saveId && last.stem !== undefined) return last.stem;
  return (await historyStems(context.space)).get(saveId) ?? null;
}

function bytesBefore(state: StateStore): number {
  let bytes = 0;
  for (const row of state.pending.rows('ready')) {
    const item = decodeItem(row.data);
    const isMoved = item.remote?.kind === 'file' && becameOf(item) !== 'kept';
    if (isMoved) bytes += item.remote?.size ?? 0;
  }
  return bytes;
}

export async function uploadHistory(
  context: HistoryWriter,
  stem: string,
  header: HistoryHeader,
  lines: AsyncIterable<string> | Iterable<string>,
  to = historyPath(stem),
): Promise<void> {
  const file = join(context.scratch, `history-${stem}`);
  try {
    await writeLines(file, recordLines(header, lines));
    await context.space.write(to, await fileContent(file));
  } finally {
    await rm(file, { force: true });
  }
}

function lineBefore(context: Pick<SaveHistoryContext, 'state' | 'codec'>, item: PlanItem): string {
  const entry = entryBefore(context.state, item);
  const line = manifestLine({ path: item.path, entry }, context.codec);
  return entry === null ? line : withBecame(line, becameOf(item));
}

export function withBecame(line: string, became: Became, stem?: string): string {
  return `${line.slice(0, -1)},"w":"${became}"${stem === undefined ? '' : `,"f":${JSON.stringify(stem)}`}}`;
}

function entryBefore(state: StateStore, { path, base, remote }: PlanItem): ManifestEntry | null {
  const known = state.manifest.get(path);
  // Somebody else removed it; what it was is told all the same.
  if (remote === null || remote.id === VIRTUAL_ID) return known ?? (base === null ? null : toManifest(base));
  if (known !== null && (manifestMatches(known, remote) || remote.kind === 'symlink')) return known;
  if (base !== null && base.kind === remote.kind) return toManifest(base);
  return {
    path,
    kind: remote.kind,
    size: remote.size,
    mtimeNs: BigInt(remote.mtimeSeconds ?? 0) * 1_000_000_000n,
    mode: remote.kind === 'file' ? 0o664 : 0o775,
    target: remote.target ?? null,
    hash: null,
    linkGroup: null,
    remote: { id: remote.id, mtimeSeconds: remote.mtimeSeconds },
  };
}

/** As the steps of the save do it. */
function becameOf({ action, next, remote, keepBoth }: PlanItem): Became {
  if (remote === null || keepBoth === true || action === 'record') return 'kept';
  if (next === undefined || next.remote === null || next.kind === 'directory')
    return next?.kind === 'directory' && remote.kind === 'directory' ? 'kept' : 'removed';
  return 'replaced';
}

/** All saves that can be brought back, newest first; the first one is the last save. */
export async function knownSaves(context: HistoryContext): Promise<KnownSave[]> {
  const head = await completeHead(context.space);
  if (head === null) return [];
  const stems = await historyStems(context.space);
  const saves: KnownSave[] = [];
  let name: SaveName | null = head;
  while (name !== null && !saves.some((each) => each.saveId === name?.saveId)) {
    const { saveId, generation, savedAt, stem: told }: SaveName = name;
    const last = saves.length === 0 ? await stemOfSave(context, saveId) : null;
    const stem: string | null = stems.get(saveId) ?? told ?? last;
    const header: HistoryHeader | null = stem === null ? null : await readHeader(context.space, stem);
    const isBroken = stem !== null && header === null;
    saves.push({ saveId, generation, savedAt, header, stem: header === null ? null : stem, isBroken });
    name = header?.previous ?? null;
  }
  return saves;
}

/** Id of the save → stem, of all files that are there. */
export async function historyStems(space: Space): Promise<Map<string, string>> {
  const stems = new Map<string, string>();
  try {
    for await (const { name } of space.list({ path: LAYOUT.history })) {
      const [, stem, saveId] = /^(\d{8}T\d{6}Z-(.+))\.jsonl$/.exec(name) ?? [];
      if (stem !== undefined && saveId !== undefined) stems.set(saveId, stem);
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found')) throw error;
  }
  return stems;
}

const READS = 3;

/** null: it cannot be read, each time. An answer that was cut on its way looks the same. */
export async function readHeader(space: Space, stem: string): Promise<HistoryHeader | null> {
  for (let attempt = 1; ; attempt += 1) {
    let header: HistoryHeader | null = null;
    try {
      for await (const line of textLines(space.read({ path: historyPath(stem) }))) {
        header = headerSchema.safeParse(parseJson(line)).data ?? null;
        break;
      }
    } catch (error) {
      if (!isWithoutFile(error)) throw error;
    }
    if (header !== null || attempt === READS) return header;
  }
}

/** That a part of the history says it has; undefined: it cannot be read, or says none. */
export async function historyVersion(space: Space, stem: string): Promise<number | undefined> {
  try {
    for await (const line of textLines(space.read({ path: historyPath(stem) }))) return versionOf(line);
  } catch (error) {
    if (!isWithoutFile(error)) throw error;
  }
  return undefined;
}

/**
 * What a save took the place of, in no useful order. What it yields counts only when it comes to its end.
 * @throws FileError where the file is not what was written
 */
export async function* historyLines(context: HistoryContext, stem: string): AsyncIterable<HistoryLine> {
  const sum = new RecordSum();
  let isFirst = true;
  for await (const text of historyText(context.space, stem)) {
    if (sum.add(text) || isFirst) {
      isFirst = false;
      continue;
    }
    const line = parseLine(context.state, text, stem);
    if (line === null) throw damagedHistory(historyPath(stem));
    yield line;
  }
  if (!sum.isRight()) throw damagedHistory(historyPath(stem));
}

async function* historyText(space: Space, stem: string): AsyncIterable<string> {
  try {
    yield* textLines(space.read({ path: historyPath(stem) }));
  } catch (error) {
    throw isNoFile(error) ? damagedHistory(historyPath(stem)) : error;
  }
}

export function damagedHistory(what: string): FileError {
  return new FileError(
    'damaged',
    `${what} in the project space is damaged: saves before it cannot be brought back. Later ones can`,
  );
}

function parseLine(state: StateStore, text: string, own: string): HistoryLine | null {
  const line = parseManifestLine(text);
  if (line === null) return null;
  const { w, f } = JSON.parse(text) as { w?: unknown; f?: unknown };
  const name = nameOf(line.path);
  if (line.rawName !== null) {
    if (!isEncodingOf(name, line.rawName)) return null;
    state.rememberName(name, line.rawName);
  }
  const became = BECAME.find((each) => each === w) ?? 'kept';
  return { ...line, became, stem: typeof f === 'string' && STEM.test(f) ? f : own };
}
