import { createHash } from 'node:crypto';
import { isWithoutFile, type Space, type SpaceEntry } from '../../spaces/space.ts';
import { type ManifestEntry, manifestMatches } from '../model.ts';
import { forEachLimit } from '../pool.ts';
import { parseManifestLine } from '../state/manifest-line.ts';
import { ScratchDatabase } from '../state/scratch-database.ts';
import { textLines } from '../text-lines.ts';
import { type Expected, RecordSum, type Step } from './commit-record.ts';
import type { LeftOut } from './failed-steps.ts';
import type { Head } from './head.ts';
import { describeSegment } from './head-from-segments.ts';
import { historyPath } from './history.ts';
import { LAYOUT } from './space-layout.ts';

/** An entry that a save changes: as it was before, and as it is to be. */
interface Change {
  readonly path: string;
  readonly before: ManifestEntry | null;
  /** Whether the save takes away what was there. */
  readonly goes: boolean;
  readonly next: ManifestEntry | null;
}

/** Decided by the order in which steps are safe; folders go child before parent. */
const STAGES = { remove: 0, rmdir: 1, mkdir: 2, place: 2, symlink: 3 } as const;
/** Uploads of one size that are read to find one of them, at most. */
const CANDIDATES = 1_000;

type RemadeStep = Extract<Step, { readonly do: keyof typeof STAGES }>;

/**
 * The steps of a decided save whose record is damaged or gone, from all else that it has left: its part of the manifest says
 * what is to be, its part of the history what was, the staging folder and the places themselves how far it has come.
 */
export class RemadeSteps {
  readonly #space: Space;
  readonly #staging: string;
  readonly #trash: string;
  readonly #scratch: ScratchDatabase;
  /** Entries whose new version is nowhere in the space; what was put away for them is back. */
  readonly left = new Map<string, 'as-before' | 'gone'>() satisfies LeftOut;

  constructor(context: { readonly space: Space; readonly scratch: string }, staging: string, trash: string) {
    this.#space = context.space;
    this.#staging = staging;
    this.#trash = trash;
    this.#scratch = new ScratchDatabase(
      context.scratch,
      `CREATE TABLE steps (stage INTEGER, seq INTEGER, step TEXT, PRIMARY KEY (stage, seq)) WITHOUT ROWID;
       CREATE TABLE uploads (path TEXT PRIMARY KEY, id TEXT, size INTEGER, mtime INTEGER) WITHOUT ROWID;
       CREATE INDEX uploads_id ON uploads (id); CREATE INDEX uploads_size ON uploads (size)`,
    );
  }

  close(): void {
    this.#scratch.close();
  }

  async *steps(): AsyncIterable<Step> {
    for (const { step } of this.#scratch.db.prepare('SELECT step FROM steps ORDER BY stage, seq').iterate())
      yield JSON.parse(step as string) as Step;
  }

  /** @param stem names the save's part of the history; both parts are as they were written */
  async make(head: Head, stem: string): Promise<void> {
    await this.#listUploads();
    let seq = 0;
    const changes = changesOf(this.#space, head, stem);
    await forEachLimit(changes, this.#space.capabilities.concurrency, (change) => {
      seq += 1;
      return this.#add(change, seq);
    });
  }

  async #listUploads(): Promise<void> {
    const insert = this.#scratch.db.prepare('INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)');
    for await (const { path, id, size, kind, mtimeSeconds } of this.#space.list({ path: this.#staging }))
      if (kind === 'file') insert.run(path, id, size, mtimeSeconds);
  }

  async #add({ path, before, goes, next }: Change, seq: number): Promise<void> {
    const found = await this.#space.stat({ path });
    const isBefore = found !== null && before !== null && (await this.#isVersion(found, before));
    const expect: Expected =
      isBefore && goes ? { id: found.id, size: found.size, mtimeSeconds: found.mtimeSeconds } : null;
    const note = (step: RemadeStep): void => {
      // Children come after their parents, and folders go the other way round.
      const number = step.do === 'rmdir' ? -seq : seq;
      this.#scratch.db
        .prepare('INSERT OR REPLACE INTO steps VALUES (?, ?, ?)')
        .run(STAGES[step.do], number, JSON.stringify(step));
    };
    const makesWay = next === null || next.remote === null || next.kind === 'directory';
    if (goes && before?.kind === 'directory' && next?.kind !== 'directory') note({ do: 'rmdir', path });
    else if (makesWay && expect !== null && found?.kind !== 'directory' && found !== null)
      note({ do: 'remove', path, kind: found.kind, expect });
    if (next === null || next.remote === null) return;
    if (next.kind === 'directory') return note({ do: 'mkdir', path });
    if (next.kind === 'symlink') {
      if (next.target !== null) note({ do: 'symlink', path, target: next.target, expect });
      return;
    }
    if (await this.#isPlaced(found, next, isBefore)) return;
    const staged = await this.#upload(next);
    if (staged !== null) note({ do: 'place', path, staged, expect });
    else if (found !== null && manifestMatches(next, found) && !goes) return;
    else this.left.set(path, await this.#backAsBefore(path, found, before));
  }

  async #isVersion(found: SpaceEntry, known: ManifestEntry): Promise<boolean> {
    if (known.kind === 'symlink')
      return found.kind === 'symlink' && (await this.#space.readSymlink(found)) === known.target;
    return manifestMatches(known, found);
  }

  /** Versions of one size and second are told apart by their id, or by what is in them. */
  async #isPlaced(found: SpaceEntry | null, next: ManifestEntry, isBefore: boolean): Promise<boolean> {
    if (found === null || !manifestMatches(next, found)) return false;
    if (this.#space.capabilities.idsSurviveMove) return found.id === next.remote?.id;
    return !isBefore || (await this.#hashOf(found.path)) === next.hash;
  }

  async #upload({ size, hash, remote }: ManifestEntry): Promise<string | null> {
    const { db } = this.#scratch;
    const byId = db
      .prepare('SELECT path FROM uploads WHERE id = ? AND size = ?')
      .all(String(remote?.id), size);
    if (this.#space.capabilities.idsSurviveMove && byId[0] !== undefined) return byId[0].path as string;
    // It was sent once more, or the space was copied: the content says it. Each serves one entry.
    const bySize = db.prepare(`SELECT path FROM uploads WHERE size = ? LIMIT ${CANDIDATES}`).all(size);
    for (const { path } of [...byId, ...bySize]) {
      if (hash === null || (await this.#hashOf(path as string)) !== hash) continue;
      if (db.prepare('DELETE FROM uploads WHERE path = ?').run(path as string).changes === 1)
        return path as string;
    }
    return null;
  }

  async #hashOf(path: string): Promise<string | null> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of this.#space.read({ path })) hash.update(chunk);
    } catch (error) {
      if (!isWithoutFile(error)) throw error;
      return null;
    }
    return hash.digest('hex');
  }

  async #backAsBefore(
    path: string,
    found: SpaceEntry | null,
    before: ManifestEntry | null,
  ): Promise<'as-before' | 'gone'> {
    if (found !== null || before === null) return 'as-before';
    const from = { path: `${this.#trash}/replaced/${path}`, kind: 'file' as const };
    if ((await this.#space.stat(from)) === null) return 'gone';
    await this.#space.move(from, path);
    return 'as-before';
  }
}

/** Whether what a save has left of its manifest and its history is what it wrote. */
export async function hasWholeParts(space: Space, head: Head, stem: string): Promise<boolean> {
  const segment = head.segments.at(-1);
  if (segment === undefined) return false;
  if ((await describeSegment(space, segment.name))?.hash !== segment.hash) return false;
  const sum = new RecordSum();
  try {
    for await (const line of textLines(space.read({ path: historyPath(stem) }))) sum.add(line);
  } catch (error) {
    if (!isWithoutFile(error)) throw error;
    return false;
  }
  return sum.isRight();
}

/** Lines of both parts stand in the same order; a first save has none of before. */
async function* changesOf(space: Space, head: Head, stem: string): AsyncIterable<Change> {
  const past = pastLines(space, stem);
  let before = await past.next();
  const segment = `${LAYOUT.manifest}/${head.segments.at(-1)?.name}`;
  for await (const line of textLines(space.read({ path: segment }))) {
    const parsed = parseManifestLine(line);
    if (parsed === null) continue;
    const { path, entry: next } = parsed;
    const known = before.done !== true && before.value.path === path ? before.value : null;
    yield { path, next, before: known?.before ?? null, goes: known?.goes === true };
    if (known !== null) before = await past.next();
  }
}

async function* pastLines(
  space: Space,
  stem: string,
): AsyncGenerator<Pick<Change, 'path' | 'before' | 'goes'>, undefined> {
  for await (const line of textLines(space.read({ path: historyPath(stem) }))) {
    const parsed = parseManifestLine(line);
    // The first line and the last one are of the file itself.
    if (parsed === null) continue;
    const { w } = JSON.parse(line) as { w?: unknown };
    yield { path: parsed.path, before: parsed.entry, goes: w === 'removed' || w === 'replaced' };
  }
}
