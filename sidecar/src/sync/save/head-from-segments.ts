import { createHash } from 'node:crypto';
import { isSpaceError, isWithoutFile, type Space } from '../../spaces/space.ts';
import { manifestMatches } from '../model.ts';
import { parseManifestLine } from '../state/manifest-line.ts';
import { textLines } from '../text-lines.ts';
import type { Head, Segment } from './head.ts';
import { LAYOUT } from './space-layout.ts';

const SEGMENT = /^(\d{8,15})-([A-Za-z0-9-]{1,100})-(full|changes)\.jsonl$/;

interface NamedSave {
  readonly generation: number;
  readonly saveId: string;
  readonly mtime: number;
  readonly isFull: boolean;
}

/**
 * The head of the last save from the manifest's segments alone, whose names tell the save that wrote them. Of several
 * saves with one number the last one counts: those before it never came to their end.
 * @returns null where no segment is there of a save that was carried out
 */
export async function headFromSegments(space: Space): Promise<Head | null> {
  const all = await namedSaves(space);
  while (all.length > 0 && !(await isCarriedOut(space, all))) all.pop();
  const last = all.at(-1);
  if (last === undefined) return null;
  const from = all.findLastIndex(({ isFull }) => isFull);
  const segments: Segment[] = [];
  for (const save of all.slice(Math.max(0, from))) {
    for (const kind of save.isFull ? (['full', 'changes'] as const) : (['changes'] as const)) {
      const segment = await describeSegment(space, nameOf(save, kind));
      if (segment !== null) segments.push(segment);
    }
  }
  const ids = all.map(({ saveId }) => saveId);
  return {
    version: 1,
    generation: last.generation,
    saveId: last.saveId,
    savedAt: new Date(last.mtime * 1000).toISOString(),
    savedBy: 'an instance that is not known any more',
    segments,
    recent: ids.slice(-50),
    history: ids.slice(-1_000),
  };
}

/** One a generation, oldest first. */
async function namedSaves(space: Space): Promise<NamedSave[]> {
  const saves = new Map<number, NamedSave>();
  try {
    for await (const entry of space.list({ path: LAYOUT.manifest })) {
      const [, number, saveId, kind] = SEGMENT.exec(entry.name) ?? [];
      if (number === undefined || saveId === undefined) continue;
      const known = saves.get(Number(number));
      const isSame = known?.saveId === saveId;
      const mtime = Math.max(entry.mtimeSeconds ?? 0, isSame ? known.mtime : 0);
      if (known !== undefined && !isSame && mtime <= known.mtime) continue;
      const isFull = kind === 'full' || (isSame && known.isFull);
      saves.set(Number(number), { generation: Number(number), saveId, mtime, isFull });
    }
  } catch (error) {
    if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
  }
  return [...saves.values()].sort((a, b) => a.generation - b.generation);
}

const LOOKED_AT = 5;

/** Segments of the last save may be of one that was broken off before it was decided: then its files are not there. */
async function isCarriedOut(space: Space, all: readonly NamedSave[]): Promise<boolean> {
  let files = 0;
  try {
    const path = `${LAYOUT.manifest}/${nameOf(all.at(-1) as NamedSave, 'changes')}`;
    for await (const line of textLines(space.read({ path }))) {
      const entry = parseManifestLine(line)?.entry;
      if (entry?.kind !== 'file' || entry.remote === null) continue;
      const found = await space.stat({ path: entry.path });
      if (found !== null && manifestMatches(entry, found)) return true;
      files += 1;
      if (files === LOOKED_AT) return false;
    }
  } catch (error) {
    if (!isWithoutFile(error)) throw error;
  }
  return files === 0 && all.length > 1;
}

function nameOf({ generation, saveId }: NamedSave, kind: 'full' | 'changes'): string {
  return `${String(generation).padStart(8, '0')}-${saveId}-${kind}.jsonl`;
}

/** null: it is not there. */
export async function describeSegment(space: Space, name: string): Promise<Segment | null> {
  const hash = createHash('sha256');
  let lines = 0;
  try {
    for await (const chunk of space.read({ path: `${LAYOUT.manifest}/${name}` })) {
      hash.update(chunk);
      for (const byte of chunk) if (byte === 10) lines += 1;
    }
  } catch (error) {
    if (isWithoutFile(error)) return null;
    throw error;
  }
  return { name, lines, hash: hash.digest('hex') };
}
