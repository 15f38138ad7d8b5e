import { createReadStream, createWriteStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ProjectContext } from '../context.ts';
import { isIgnoredAtRoot, manifestMatches } from '../model.ts';
import { forEachLimit } from '../pool.ts';
import { decidingSave } from '../save/deciding.ts';
import { recover } from '../save/recover.ts';
import { besides, compactTime } from '../save/space-layout.ts';
import { isSpaceError, joinPath, parentOf, type SpaceEntry } from '../spaces/space.ts';
import { RequestError } from '../sync-errors.ts';
import { textLines } from '../text-lines.ts';
import { utimesSeconds } from '../volume/local-tree.ts';
import { sidesOf } from '../volume/sqlite-set.ts';
import { comingFile } from './database-sets.ts';
import { fetchFile } from './fetch-file.ts';
import { assertRoom } from './room.ts';

export interface AsideResult {
  /** The folder of the project that holds the copy. */
  readonly to: string;
  /** The save that it was copied from. */
  readonly generation: number;
  readonly files: number;
  readonly bytes: number;
  /** Entries that went away in the space before they could be copied. */
  readonly skipped: number;
}

/** What is to be copied; made by `planAside`. */
export interface AsidePlan {
  readonly to: string;
  readonly generation: number;
  /** One entry of the space a line, parents before children. */
  readonly listing: string;
  readonly from: string;
  readonly bytes: number;
}

/** Saves of the running project come first. */
const AT_ONCE = 4;

interface Listed extends SpaceEntry {
  /** Of a link that only the manifest holds. */
  readonly target?: string;
}

/**
 * Lists what the last complete save has at `path`. Copying may take long and runs beside later saves: an entry is then
 * read by its id, under which a replaced version is found in the trash.
 * @param path of a file or folder in the space; empty: all of it
 * @param to name of a new folder in the project; null: `restored-<time>`
 * @throws RequestError where there is nothing at `path`, or something at `to`
 */
export async function planAside(
  context: ProjectContext,
  path: string,
  to: string | null,
  generation: number,
): Promise<AsidePlan> {
  const folder = to ?? `restored-${compactTime(context.clock.now())}`;
  if (!isPlain(folder) || isIgnoredAtRoot(folder.split('/')[0] as string)) {
    throw new RequestError(
      `${JSON.stringify(folder)} is no name of a new folder in the project: give one without "..", not beginning with "/"`,
    );
  }
  if (path !== '' && !isPlain(path))
    throw new RequestError(`${JSON.stringify(path)} is no path in the project`);
  if (context.tree.look(folder) !== null) {
    throw new RequestError(
      `${folder} is in the project already. Nothing was copied; give another name with --to`,
    );
  }
  if (decidingSave(context) !== null) await recover(context);
  const found = path === '' ? null : await context.space.stat({ path });
  if (path !== '' && (found === null || isIgnoredAtRoot(path.split('/')[0] as string))) {
    throw new RequestError(
      `the last save has nothing at ${path}. Paths begin with the name of a project; removed files: sync trash`,
    );
  }
  let bytes = 0;
  const lines = async function* (): AsyncIterable<string> {
    const entries = found !== null && found.kind !== 'directory' ? [found] : below(context, path);
    for await (const entry of entries) {
      bytes += entry.size;
      yield `${JSON.stringify(entry)}\n`;
    }
  };
  const listing = join(context.scratch, `aside-${nextListing++}`);
  await pipeline(lines, createWriteStream(listing));
  return { to: folder, generation, listing, from: parentOf(path), bytes };
}
let nextListing = 1;

/** Everything below a folder of the space, with the links that only the manifest holds. */
async function* below(context: ProjectContext, directory: string): AsyncIterable<Listed> {
  const names = new Set<string>();
  const folders: string[] = [];
  for await (const entry of context.space.list({ path: directory })) {
    if (directory === '' && isIgnoredAtRoot(entry.name)) continue;
    names.add(entry.name);
    yield { ...entry, path: joinPath(directory, entry.name) };
    if (entry.kind === 'directory') folders.push(joinPath(directory, entry.name));
  }
  for (const [name, entry] of context.state.manifestChildren(directory)) {
    if (entry.remote !== null || entry.target === null || names.has(name)) continue;
    yield {
      path: entry.path,
      name,
      id: '',
      kind: 'symlink',
      size: 0,
      mtimeSeconds: null,
      target: entry.target,
    };
  }
  for (const folder of folders) yield* below(context, folder);
}

/**
 * Copies what was listed into its new folder. Saves may go on meanwhile.
 * @throws VolumeFullError before anything is copied; SpaceError
 */
export async function copyAside(context: ProjectContext, plan: AsidePlan): Promise<AsideResult> {
  await assertRoom(context, 'the copy does not fit on the project volume', plan.bytes);
  const { tree } = context;
  const place = (path: string): string =>
    joinPath(plan.to, plan.from === '' ? path : path.slice(plan.from.length + 1));
  const result = { to: plan.to, generation: plan.generation, files: 0, bytes: 0, skipped: 0 };
  try {
    await tree.makeDirectory(plan.to);
    for await (const entry of listed(plan.listing)) {
      const at = place(entry.path);
      await tree.makeDirectory(entry.kind === 'directory' ? at : parentOf(at));
    }
    await forEachLimit(listed(plan.listing), AT_ONCE, async (entry) => {
      try {
        if (entry.kind === 'symlink')
          await tree.makeSymlink(place(entry.path), await targetOf(context, entry));
        if (entry.kind === 'file') await placeCopy(context, entry, place(entry.path));
      } catch (error) {
        if (!isSpaceError(error, 'not-found')) throw error;
        result.skipped += 1;
        return;
      }
      if (entry.kind !== 'directory') result.files += 1;
      result.bytes += entry.size;
    });
  } finally {
    await fs.rm(plan.listing, { force: true });
  }
  context.log.info({ operation: 'restore-aside', ...result }, 'a save was copied into a new folder');
  return result;
}

async function* listed(file: string): AsyncIterable<Listed> {
  for await (const line of textLines(createReadStream(file))) yield JSON.parse(line) as Listed;
}

async function targetOf(context: ProjectContext, entry: Listed): Promise<string> {
  return entry.target ?? (await context.space.readSymlink(entry));
}

/**
 * Copies one file of the space to a path of the volume where nothing is; with mode and time where the manifest knows
 * them. A name that is taken meanwhile stays as it is: the copy gets `name (restored <time>)`.
 * @returns the path that it got
 */
export async function placeCopy(context: ProjectContext, entry: SpaceEntry, path: string): Promise<string> {
  const { space, state, tree, clock, signal } = context;
  const fetched = await fetchFile(space, entry, context, { signal });
  const known = state.manifest(entry.path);
  const manifest = known !== null && manifestMatches(known, entry) ? known : null;
  await fs.chmod(fetched.file, manifest?.mode ?? 0o664);
  const mtimeNs =
    manifest?.mtimeNs ?? (entry.mtimeSeconds === null ? null : BigInt(entry.mtimeSeconds) * 10n ** 9n);
  if (mtimeNs !== null) await fs.utimes(fetched.file, utimesSeconds(mtimeNs), utimesSeconds(mtimeNs));
  const isDatabase = comingFile(fetched.file) === 'database';
  for (let attempt = 0; ; attempt += 1) {
    const mark = `restored ${compactTime(clock.now())}${attempt < 2 ? '' : `-${attempt}`}`;
    const to = attempt === 0 ? path : besides(path, mark);
    // What lies beside it would be taken for its own.
    if (isDatabase && sidesOf(tree.at(to)).length > 0 && attempt < 100) continue;
    try {
      // A link is made only where nothing is; a move would replace.
      await tree.placeNew(fetched.file, to);
      return to;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 100) throw error;
    }
  }
}

/** Pure. A relative path without anything that leads elsewhere. */
export function isPlain(path: string): boolean {
  return (
    !path.includes('\0') && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')
  );
}
