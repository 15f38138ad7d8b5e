import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Content, isWithoutFile, nameOf, type Space } from '../../spaces/space.ts';
import type { ManifestEntry } from '../model.ts';
import { isEncodingOf, type NameCodec } from '../names.ts';
import { formatManifestLine, formatRemovedLine, parseManifestLine } from '../state/manifest-line.ts';
import type { StateStore } from '../state/state.ts';
import { textLines } from '../text-lines.ts';
import type { Head, Segment } from './head.ts';
import { LAYOUT } from './space-layout.ts';

const BLOCK_CHARACTERS = 1 << 16;

/** Lines of a manifest written to a local file first, so that their number is bounded by nothing. */
export async function writeLines(
  file: string,
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<{ lines: number; hash: string }> {
  const hash = createHash('sha256');
  let count = 0;
  const counted = async function* (): AsyncIterable<string> {
    let text = '';
    for await (const line of lines) {
      count += 1;
      text += `${line}\n`;
      if (text.length < BLOCK_CHARACTERS) continue;
      hash.update(text);
      yield text;
      text = '';
    }
    hash.update(text);
    yield text;
  };
  await pipeline(Readable.from(counted()), createWriteStream(file));
  return { lines: count, hash: hash.digest('hex') };
}

export async function fileContent(file: string): Promise<Content> {
  const { size } = await stat(file);
  return {
    size,
    // Opened by its reader: a stream that fails while nobody reads it yet ends the process.
    async *open() {
      yield* createReadStream(file) as AsyncIterable<Buffer>;
    },
  };
}

export interface ManifestChange {
  readonly path: string;
  /** null: removed. */
  readonly entry: ManifestEntry | null;
}

export function manifestLine(change: ManifestChange, codec: NameCodec): string {
  if (change.entry === null) return formatRemovedLine(change.path);
  return formatManifestLine(change.entry, codec.rawOf(nameOf(change.path)));
}

/** Uploads one segment under its final name; nothing refers to it until the head does. */
export async function uploadSegment(
  space: Space,
  scratch: string,
  name: string,
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<Segment> {
  const file = join(scratch, name);
  try {
    const written = await writeLines(file, lines);
    await space.write(`${LAYOUT.manifest}/${name}`, await fileContent(file));
    return { name, ...written };
  } finally {
    await rm(file, { force: true });
  }
}

/**
 * Brings the manifest in the state up to the head, reading only segments that it has not seen.
 * @returns the names of segments that are missing or damaged; what they said is then unknown, the rest is used
 */
export async function loadManifest(space: Space, state: StateStore, head: Head): Promise<string[]> {
  const known = state.json<string[]>('manifest-segments', []);
  const wanted = head.segments.map((each) => each.hash);
  const extends_ = known.length <= wanted.length && known.every((hash, index) => wanted[index] === hash);
  if (!extends_) state.manifest.clear();
  const damaged: string[] = [];
  for (const segment of head.segments.slice(extends_ ? known.length : 0)) {
    let isWhole = await loadSegment(space, state, segment);
    // An answer that was cut on its way looks the same.
    for (let again = 1; !isWhole && again < SEGMENT_READS; again += 1)
      isWhole = await loadSegment(space, state, segment);
    if (isWhole) continue;
    damaged.push(segment.name);
    // A hash that may be wrong would make the right content look rotten.
    await loadSegment(space, state, segment, true);
  }
  // A damaged one is read again at the next start: it may have been a fault of the way, not of the file.
  state.setJson('manifest-segments', damaged.length === 0 ? wanted : null);
  return damaged;
}

const SEGMENT_READS = 3;
const BATCH_LINES = 1_000;

async function loadSegment(
  space: Space,
  state: StateStore,
  segment: Segment,
  isDamaged = false,
): Promise<boolean> {
  const hash = createHash('sha256');
  const path = `${LAYOUT.manifest}/${segment.name}`;
  const bytes = async function* () {
    for await (const chunk of space.read({ path })) {
      hash.update(chunk);
      yield chunk;
    }
  };
  // Junk can have millions of lines: what is more than a damaged segment of this length could say is not looked at.
  const mostLines = 2 * segment.lines + BATCH_LINES;
  let lines = 0;
  let isBad = false;
  let batch: string[] = [];
  const flush = (): void => {
    lines += batch.length;
    state.transaction(() => {
      for (const line of batch) isBad = !applyLine(state, line, isDamaged) || isBad;
    });
    batch = [];
  };
  try {
    for await (const line of textLines(bytes())) {
      if (batch.push(line) < BATCH_LINES) continue;
      flush();
      if ((isBad && !isDamaged) || lines > mostLines) return false;
    }
  } catch (error) {
    if (!isWithoutFile(error)) throw error;
    return false;
  }
  flush();
  return !isBad && hash.digest('hex') === segment.hash;
}

function applyLine(state: StateStore, line: string, isDamaged: boolean): boolean {
  const parsed = parseManifestLine(line);
  if (parsed === null) return false;
  const name = nameOf(parsed.path);
  if (parsed.rawName !== null) {
    if (!isEncodingOf(name, parsed.rawName)) return false;
    state.rememberName(name, parsed.rawName);
  }
  if (parsed.entry === null) state.manifest.delete(parsed.path);
  else state.manifest.put(isDamaged ? { ...parsed.entry, hash: null } : parsed.entry);
  return true;
}
