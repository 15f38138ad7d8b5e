import { isSpaceError } from '../../spaces/space.ts';
import { FileError } from '../file-errors.ts';
import type { ManifestEntry } from '../model.ts';
import { formatManifestLine, formatRemovedLine, parseManifestLine } from '../state/manifest-line.ts';
import { PathTexts } from '../state/path-texts.ts';
import {
  type Became,
  damagedHistory,
  type HistoryContext,
  type HistoryHeader,
  type HistoryLine,
  type HistoryWriter,
  historyLines,
  historyPath,
  type KnownSave,
  knownSaves,
  uploadHistory,
  withBecame,
} from './history.ts';
import { removeOrphans } from './history-orphans.ts';
import type { Lease } from './lease.ts';
import { LAYOUT } from './space-layout.ts';

/** Which saves are kept, as far as they are needed to go back to; the last save always is. */
export interface SaveRetention {
  /** So many of the newest ones, as long as they are not older than the longest of the other limits. */
  readonly last: number;
  /** The last one of each hour, for so many hours; and so on. */
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  /** Bytes that older versions may take; null: no limit. */
  readonly maxBytes: number | null;
}

export const DEFAULT_SAVE_RETENTION: SaveRetention = {
  last: 10,
  hourly: 24,
  daily: 14,
  weekly: 0,
  maxBytes: null,
};

/** With the defaults for what a configuration leaves out. */
export function retentionOf(
  given: { [K in keyof SaveRetention]?: SaveRetention[K] | undefined } = {},
): SaveRetention {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_SAVE_RETENTION, ...Object.fromEntries(set) };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function spansOf({ hourly, daily, weekly }: SaveRetention): { each: number; count: number }[] {
  return [
    { each: HOUR_MS, count: hourly },
    { each: DAY_MS, count: daily },
    { each: 7 * DAY_MS, count: weekly },
  ];
}

/** Pure. No save but the last one is kept for longer, in ms. */
export function longestKept(retention: SaveRetention): number {
  return Math.max(...spansOf(retention).map(({ each, count }) => each * count));
}

/** Pure. @param saves newest first @param now in ms @returns those that are kept, in the same order */
export function keptSaves(
  saves: readonly KnownSave[],
  retention: SaveRetention,
  now: number,
): readonly KnownSave[] {
  const longest = longestKept(retention);
  const kept = new Set<KnownSave>(saves.slice(0, 1));
  for (const { each, count } of spansOf(retention)) {
    const seen = new Set<number>();
    for (const save of saves) {
      const at = Date.parse(save.savedAt);
      const period = Math.floor(at / each);
      if (now - at > each * count || seen.has(period)) continue;
      seen.add(period);
      kept.add(save);
    }
  }
  for (const save of saves.slice(0, retention.last))
    if (now - Date.parse(save.savedAt) <= longest) kept.add(save);
  return saves.filter((save) => kept.has(save));
}

/** What of the trash is needed. */
export interface Needs {
  /** Names of the folders in the trash that kept saves need. */
  readonly folders: ReadonlySet<string>;
  /** Nothing is known of what saves before this time need, in ms; null: all is known. */
  readonly unknownBefore: number | null;
  /** A sentence for each part of the history that cannot be read. */
  readonly damaged: readonly string[];
}

export interface RetentionContext extends HistoryContext, HistoryWriter {
  readonly lease: Lease;
}

/**
 * Gives up the saves that are not kept, and the versions that none of the others needs. Around a part of the history that
 * cannot be read nothing is given up, since kept saves may be behind it.
 * @param now the earlier of two clocks, in ms
 */
export async function forgetSaves(
  context: RetentionContext,
  retention: SaveRetention,
  now: number,
): Promise<Needs> {
  const saves = await knownSaves(context);
  const broken = saves.find(({ isBroken }) => isBroken);
  const isOpen = broken !== undefined && now - Date.parse(broken.savedAt) <= longestKept(retention);
  const damaged = isOpen ? [damagedHistory(`the history of save ${broken.generation}`).message] : [];
  const readable = isOpen ? saves.slice(0, saves.indexOf(broken)) : saves;
  const last = readable.at(-1);
  const chosen = new Set(keptSaves(readable, retention, now));
  // It names the one that cannot be read.
  if (isOpen && last !== undefined) chosen.add(last);
  const inOrder = () => readable.filter((save) => chosen.has(save));
  const merged = new Map<KnownSave, HistoryHeader>();
  const wanted = inOrder();
  for (const [index, save] of wanted.entries()) {
    const before = wanted[index + 1];
    const group = saves.slice(saves.indexOf(save), before === undefined ? undefined : saves.indexOf(before));
    if (before === undefined || group.length === 1) continue;
    try {
      merged.set(save, await merge(context, save, group, before));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      damaged.push(error.message);
      for (const each of group) chosen.add(each);
    }
  }
  const headerOf = (save: KnownSave) => merged.get(save) ?? save.header;
  const all = inOrder();
  const kept = within(all, headerOf, retention.maxBytes);
  const hasEnd = !isOpen || kept.length < all.length;
  if (hasEnd) await cut(context, kept.at(-1), saves, headerOf);
  await removeOrphans(context, kept, hasEnd, now - longestKept(retention));
  const needed = hasEnd ? kept.slice(0, -1) : kept;
  return {
    folders: new Set(needed.flatMap((save) => headerOf(save)?.folders ?? [save.stem ?? ''])),
    unknownBefore: hasEnd ? null : last === undefined ? Number.POSITIVE_INFINITY : Date.parse(last.savedAt),
    damaged,
  };
}

/** The newest of them, as many as the bytes of their versions allow. */
function within(
  kept: readonly KnownSave[],
  headerOf: (save: KnownSave) => HistoryHeader | null,
  maxBytes: number | null,
): readonly KnownSave[] {
  let bytes = 0;
  const end = kept.findIndex((save) => {
    bytes += headerOf(save)?.bytes ?? 0;
    return maxBytes !== null && bytes > maxBytes;
  });
  // The file of a save says what the one before it needs.
  return end < 0 ? kept : kept.slice(0, end + 1);
}

/** The files of a save and of those before it that are not kept become one. */
async function merge(
  context: HistoryContext & HistoryWriter,
  save: KnownSave,
  group: readonly KnownSave[],
  before: KnownSave,
): Promise<HistoryHeader> {
  const { space } = context;
  const lines = new PathTexts(context.scratch);
  const unneeded = new PathTexts(context.scratch);
  try {
    for (const each of [...group].reverse()) {
      for await (const line of historyLines(context, each.stem as string)) {
        const older = lines.get(line.path);
        if (older === null) lines.put(line.path, textOf(line, line.became, line.stem));
        else if (isWaiting(older, line)) lines.put(line.path, moved(older, line));
        else if (line.became === 'replaced' && line.entry?.kind === 'file') {
          const path = `${LAYOUT.trash}/${line.stem}/replaced/${line.path}`;
          unneeded.put(path, path);
        }
      }
    }
    const folders = new Set<string>();
    let bytes = 0;
    for (const text of lines.texts()) {
      const { w, f, s = 0, k } = JSON.parse(text) as { w?: Became; f?: string; s?: number; k?: string };
      if (w === undefined || w === 'kept' || f === undefined || k !== 'f') continue;
      folders.add(f);
      bytes += s;
    }
    const { stem: _, ...own } = save.header as HistoryHeader;
    const { saveId, generation, savedAt } = before;
    const previous = { saveId, generation, savedAt, ...(before.stem === null ? {} : { stem: before.stem }) };
    const header = { ...own, previous, bytes, folders: [...folders] };
    await replaceHistory(context, save.stem as string, header, lines.texts());
    for (const path of unneeded.texts()) await space.removeFile(path);
    for (const { stem } of group.slice(1)) if (stem !== null) await space.removeFile(historyPath(stem));
    return header;
  } finally {
    lines.close();
    unneeded.close();
  }
}

/** The content of the older line stayed in its place then, and went from there with this one. */
function isWaiting(older: string, line: HistoryLine): boolean {
  if ((JSON.parse(older) as { w?: Became }).w !== 'kept' || line.became === 'kept') return false;
  const entry = parseManifestLine(older)?.entry;
  return entry != null && line.entry?.kind === entry.kind && line.entry.hash === entry.hash;
}

function moved(older: string, { became, stem }: HistoryLine): string {
  const { w: _w, f: _f, ...line } = JSON.parse(older) as Record<string, unknown>;
  return withBecame(JSON.stringify(line), became, stem);
}

function textOf({ path, entry, rawName }: HistoryLine, became: Became, stem: string): string {
  if (entry === null) return formatRemovedLine(path);
  return withBecame(formatManifestLine(entry satisfies ManifestEntry, rawName), became, stem);
}

/** The oldest save that is kept needs nothing of what it took the place of; older ones are gone. */
async function cut(
  context: HistoryWriter,
  oldest: KnownSave | undefined,
  saves: readonly KnownSave[],
  headerOf: (save: KnownSave) => HistoryHeader | null,
): Promise<void> {
  const header = oldest === undefined ? null : headerOf(oldest);
  if (oldest?.stem == null || header === null || header.previous === null) return;
  const end = { ...header, previous: null, bytes: 0, folders: [] };
  await replaceHistory(context, oldest.stem, end, []);
  for (const { stem } of saves.slice(saves.indexOf(oldest) + 1))
    if (stem !== null) await context.space.removeFile(historyPath(stem));
}

async function replaceHistory(
  context: HistoryWriter,
  stem: string,
  header: HistoryHeader,
  lines: Iterable<string>,
): Promise<void> {
  const temporary = `${LAYOUT.history}/${stem}.new`;
  await uploadHistory(context, stem, header, lines, temporary);
  try {
    await context.space.move({ path: temporary, kind: 'file' }, historyPath(stem));
  } catch (error) {
    // Done, and its answer was lost.
    if (!isSpaceError(error, 'not-found')) throw error;
  }
}
