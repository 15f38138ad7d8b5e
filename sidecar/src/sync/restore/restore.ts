import { chmodSync, utimesSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { VolumeContext } from '../context.ts';
import { FileError } from '../file-errors.ts';
import { type LocalEntry, type ManifestEntry, manifestMatches, VIRTUAL_ID } from '../model.ts';
import type { RemoteLook } from '../plan/compare.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import { forEachLimit } from '../pool.ts';
import { compactTime } from '../save/space-layout.ts';
import { Connections } from '../spaces/connections.ts';
import { isSpaceError, shortCalls } from '../spaces/space.ts';
import { Batch } from '../state/batch.ts';
import { utimesSeconds } from '../volume/local-tree.ts';
import { partialFiles } from '../volume/partials.ts';
import { type Attributes, mayBeDatabase, newFileIn, withNewFile } from '../volume/small-file.ts';
import { type Coming, comingBytes, comingFile, isSideName, makeSetWay } from './database-sets.ts';
import { fetchFile, fetchSmall, isSmall } from './fetch-file.ts';
import type { FetchOptions } from './fetch-parts.ts';
import { PlacedFiles } from './placed-files.ts';
import { asBase, secondsToNs } from './restored-base.ts';
import { assertRoom } from './room.ts';
import { VolumeTrash } from './volume-trash.ts';

/** The volume is not what the plan saw any more. */
class LocalChangedError extends Error {
  override readonly name = 'LocalChangedError';
}

export interface RestoreOutcome {
  readonly restored: number;
  readonly removed: number;
  /** Paths where something changed meanwhile; the next comparison looks again. */
  readonly skipped: number;
  /** A sentence for each file that the space does not give as it was saved. */
  readonly leftOut: readonly string[];
}

export interface RestoreOptions {
  /** Files get no hash: nothing is there to compare it with, now or later. @default false */
  readonly isUnhashed?: boolean;
}

/**
 * Carries out `remove-local` and `download`. Only files that are as the plan saw them are replaced or removed.
 * @param noRoom what to say where the volume is too small, e.g. `the project does not fit on its volume`
 * @throws VolumeFullError before anything is changed
 */
export async function restorePending(
  context: VolumeContext,
  noRoom: string,
  options: RestoreOptions = {},
): Promise<RestoreOutcome> {
  const { state } = context;
  let [files, bytes] = [0, 0];
  const directories: number[] = [];
  for (const row of state.pending('download')) {
    const { remote } = decodeItem(row.data);
    if (remote?.kind === 'directory') directories.push(row.seq);
    else if (remote !== null) {
      files += 1;
      bytes += remote.size;
    }
  }
  await assertRoom(context, noRoom, bytes);
  context.progress.begin(files, bytes);
  state.setMeta('restoring', 'yes');
  const restorer = new Restorer(context, options);
  const outcome = { restored: 0, removed: 0, skipped: 0, leftOut: [] as string[] };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    context.signal?.throwIfAborted();
    try {
      await work();
    } catch (error) {
      if (error instanceof FileError) {
        outcome.leftOut.push(error.message);
        return;
      }
      if (!(error instanceof LocalChangedError) && !isSpaceError(error, 'not-found')) throw error;
      outcome.skipped += 1;
    }
  };
  for (const row of state.pending('remove-local', true)) {
    await attempt(async () => {
      if (await restorer.removeLocal(decodeItem(row.data))) outcome.removed += 1;
    });
  }
  for (const row of state.pendingRows(directories))
    await attempt(() => restorer.directory(decodeItem(row.data)));
  const leaf = async (item: PlanItem): Promise<void> => {
    await attempt(async () => {
      await restorer.leaf(item);
      outcome.restored += 1;
    });
  };
  const linked: number[] = [];
  /** After their databases. */
  const sides: number[] = [];
  const single = async (row: { seq: number; data: string }): Promise<void> => {
    const item = decodeItem(row.data);
    if (item.remote === null || item.remote.kind === 'directory') return;
    if (item.remote.kind === 'file' && restorer.manifest(item.remote)?.linkGroup != null)
      linked.push(row.seq);
    else if (isSideName(item.path)) sides.push(row.seq);
    else await leaf(item);
  };
  try {
    const limit = () => shortCalls(context.space.capabilities) + AT_THE_DISK;
    await forEachLimit(state.pending('download'), limit, single);
  } finally {
    await restorer.placed.write();
  }
  // One after the other: the second name of a file is made from the first.
  for (const row of state.pendingRows([...linked, ...sides])) {
    await leaf(decodeItem(row.data));
    await restorer.placed.write();
  }
  await finishDirectories(context);
  if (outcome.skipped === 0) await clearPartials(context);
  state.clearPending();
  context.progress.done();
  return outcome;
}

/**
 * Gives directories the modes and times that the base says. They come last, because what is made inside changes them;
 * after an interrupted restore, the next start does it before it takes them for somebody's change.
 */
export async function finishDirectories(context: VolumeContext): Promise<void> {
  const { state, tree } = context;
  const batch = new Batch(state, DIRECTORIES_AT_ONCE);
  let seen = 0;
  for (const base of state.baseDirectories()) {
    seen += 1;
    if (seen % DIRECTORIES_AT_ONCE === 0) await new Promise((next) => setImmediate(next));
    const local = tree.look(base.path);
    if (local?.kind !== 'directory') continue;
    if (local.mode !== base.mode) tree.setMode(base.path, base.mode);
    if (local.mtimeNs !== base.mtimeNs) tree.setTimes(base.path, base.mtimeNs);
    const now = tree.look(base.path);
    if (now === null) continue;
    const { mtimeNs, ctimeNs, mode, inode } = now;
    batch.add(() => state.putBase({ ...base, mtimeNs, ctimeNs, mode, inode }));
  }
  batch.write();
  state.setMeta('restoring', null);
}

/** Then others have their turn. */
const DIRECTORIES_AT_ONCE = 200;

/** Parts of files that nobody asks for any more. */
async function clearPartials(context: VolumeContext): Promise<void> {
  for (const file of await partialFiles(context.partials)) await fs.rm(file, { force: true });
}

/** Files that are written or hashed while others come over the network. */
const AT_THE_DISK = 16;

interface Written {
  readonly hash: string | null;
  /** It is on the disk. */
  readonly isSynced: boolean;
  readonly local: LocalEntry;
}

class Restorer {
  readonly #context: VolumeContext;
  readonly #options: RestoreOptions;
  readonly placed: PlacedFiles;
  readonly #connections: Connections;
  readonly #hasManifest: boolean;
  /** The volume is a copy of the space, file by file. */
  readonly #isCopy: boolean;
  /** None where the space is always right. */
  readonly #trash: VolumeTrash | null;
  /** Link group → the first of its names that was restored, with its hash. */
  readonly #groups = new Map<string, { path: string; hash: string }>();

  constructor(context: VolumeContext, options: RestoreOptions) {
    this.#context = context;
    this.placed = new PlacedFiles(context.state, context.tree.root);
    this.#options = options;
    this.#isCopy = options.isUnhashed === true;
    this.#trash = this.#isCopy ? null : new VolumeTrash(context);
    this.#hasManifest = context.state.countManifest() > 0;
    this.#connections = new Connections(() => context.space.capabilities);
  }

  /** @returns false where the space has the entry after all. */
  async removeLocal(item: PlanItem): Promise<boolean> {
    const { space, tree, state, selection } = this.#context;
    const isLeftOut = selection?.has(item.path, item.base?.kind === 'directory') === false;
    const isListed = item.base?.remote !== null && !isLeftOut;
    // A listing may drop entries, so the space is asked for this very path.
    if (isListed && (await space.stat({ path: item.path })) !== null) return false;
    this.#asSeen(item);
    if (item.local?.kind === 'directory') {
      if (!(await tree.removeEmptyDirectory(item.path))) throw new LocalChangedError(item.path);
    } else {
      makeSetWay(this.#context, item, 'nothing', this.#isCopy);
      this.#trash?.keep(item.path, 'removed');
      await tree.removeFile(item.path);
    }
    state.deleteBase(item.path);
    state.deleteManifest(item.path);
    return true;
  }

  async directory(item: PlanItem): Promise<void> {
    const { tree, state } = this.#context;
    const remote = item.remote as RemoteLook;
    if (item.local?.kind !== 'directory') {
      await this.#makeWay(item);
      await tree.makeDirectory(item.path);
    }
    const manifest = this.manifest(remote);
    const local = this.#present(item.path);
    const wanted = {
      mtimeNs: manifest?.mtimeNs ?? secondsToNs(remote.mtimeSeconds) ?? local.mtimeNs,
      mode: manifest?.mode ?? local.mode,
    };
    state.putBase({ ...asBase(local, remote, null, null), ...wanted });
  }

  async leaf(item: PlanItem): Promise<void> {
    const remote = item.remote as RemoteLook;
    const manifest = this.manifest(remote);
    const { state, tree, progress } = this.#context;
    const { hash, isSynced, local } =
      remote.kind === 'symlink' ? await this.#link(item, manifest) : await this.#file(item, manifest);
    const base = asBase(local, remote, hash, manifest?.linkGroup ?? null);
    progress.file();
    await this.placed.add(isSynced ? null : tree.at(item.path), () => state.putBase(base));
  }

  async #link(item: PlanItem, manifest: ManifestEntry | null): Promise<Written> {
    const { space, tree, log } = this.#context;
    const remote = item.remote as RemoteLook;
    const target =
      remote.target ??
      manifest?.target ??
      (await this.#connections.forOne()(() => space.readSymlink(remote)));
    if (target === null) {
      log.warn('a link without a target in the manifest was left out');
      throw new LocalChangedError(item.path);
    }
    await this.#makeWay(item);
    await tree.makeSymlink(item.path, target);
    if (manifest !== null) tree.setTimes(item.path, manifest.mtimeNs);
    return { hash: null, isSynced: true, local: this.#present(item.path) };
  }

  async #file(item: PlanItem, manifest: ManifestEntry | null): Promise<Written> {
    const { tree } = this.#context;
    const remote = item.remote as RemoteLook;
    const group = manifest?.linkGroup ?? null;
    const first = group === null ? undefined : this.#groups.get(group);
    if (first !== undefined && first.hash === manifest?.hash && tree.look(first.path)?.kind === 'file') {
      await this.#makeWay(item, comingFile(tree.at(first.path)));
      await tree.link(first.path, item.path);
      this.#refreshLinked(first.path);
      return { hash: first.hash, isSynced: true, local: this.#present(item.path) };
    }
    const attributes = {
      mode: manifest?.mode ?? 0o664,
      mtimeNs: manifest?.mtimeNs ?? secondsToNs(remote.mtimeSeconds),
    };
    const written = isSmall(remote)
      ? await this.#small(item, manifest, attributes)
      : await this.#large(item, manifest, attributes);
    if (group !== null && written.hash !== null)
      this.#groups.set(group, { path: item.path, hash: written.hash });
    return written;
  }

  async #small(item: PlanItem, manifest: ManifestEntry | null, attributes: Attributes): Promise<Written> {
    const { space, tree, scratch } = this.#context;
    const remote = item.remote as RemoteLook;
    const { bytes, hash } = await this.#asSaved(manifest, () => fetchSmall(space, remote, this.#fetching()));
    const temporary = newFileIn(scratch);
    return withNewFile(temporary, bytes, attributes, async (descriptor) => {
      await this.#makeWay(item, comingBytes(bytes));
      const local = tree.placeOpen(descriptor, temporary, item.path, mayBeDatabase(bytes));
      if (local === null) throw new LocalChangedError(item.path);
      return { hash, isSynced: false, local };
    });
  }

  async #large(item: PlanItem, manifest: ManifestEntry | null, attributes: Attributes): Promise<Written> {
    const { space, tree } = this.#context;
    const remote = item.remote as RemoteLook;
    const fetch = () => fetchFile(space, remote, this.#context, this.#fetching());
    const { file, hash } = await this.#asSaved(manifest, fetch, ({ file }) => fs.rm(file, { force: true }));
    chmodSync(file, attributes.mode);
    if (attributes.mtimeNs !== null) {
      const seconds = utimesSeconds(attributes.mtimeNs);
      utimesSync(file, seconds, seconds);
    }
    await this.#makeWay(item, comingFile(file));
    tree.place(file, item.path);
    return { hash, isSynced: true, local: this.#present(item.path) };
  }

  #fetching(): FetchOptions {
    const { progress, signal } = this.#context;
    return {
      signal,
      onBytes: (count) => progress.bytes(count),
      network: this.#connections.forOne(),
      isHashed: this.#options.isUnhashed !== true,
    };
  }

  /** Once more from the start where the content is not what the manifest says: what was continued may be damaged. */
  async #asSaved<T extends { readonly hash: string | null }>(
    manifest: ManifestEntry | null,
    fetch: () => Promise<T>,
    forget?: (fetched: T) => Promise<void>,
  ): Promise<T> {
    const fetched = await fetch();
    if (manifest?.hash == null || manifest.hash === fetched.hash) return fetched;
    await forget?.(fetched);
    const again = await fetch();
    if (again.hash === manifest.hash) return again;
    await forget?.(again);
    throw new FileError('damaged', `${manifest.path} has other content in the space than was saved`);
  }

  /** Another name joined: the link count changed the inode's ctime. */
  #refreshLinked(path: string): void {
    const [base, local] = [this.#context.state.base(path), this.#context.tree.look(path)];
    if (base !== null && local !== null) {
      this.#context.state.putBase({ ...base, ctimeNs: local.ctimeNs, linkGroup: base.linkGroup });
    }
  }

  /** Makes sure that nothing is lost at the place of a new entry. */
  async #makeWay(item: PlanItem, coming: Coming = 'other'): Promise<void> {
    const { tree, clock, log } = this.#context;
    if (isSideName(item.path)) makeSetWay(this.#context, item, coming, this.#isCopy);
    const found = this.#asSeen(item);
    if (found?.kind !== 'directory') makeSetWay(this.#context, item, coming, this.#isCopy);
    if (found === null) return;
    if (found.kind !== 'directory') {
      this.#trash?.keep(item.path, 'replaced');
      if (item.remote?.kind === 'directory') await tree.removeFile(item.path);
      return;
    }
    if (await tree.removeEmptyDirectory(item.path)) return;
    const aside = `${item.path} (kept ${compactTime(clock.now())})`;
    await fs.rename(tree.at(item.path), tree.at(aside));
    log.warn('kept a directory of the volume beside a file of the space with the same name');
  }

  /** What is there, the same as the plan saw. @throws LocalChangedError */
  #asSeen(item: PlanItem): LocalEntry | null {
    const now = this.#context.tree.look(item.path);
    const seen = item.local;
    if (seen === null && now === null) return null;
    if (seen === null || now === null || seen.kind !== now.kind) throw new LocalChangedError(item.path);
    if (now.kind === 'directory') return now;
    if (seen.inode !== now.inode || seen.size !== now.size || seen.mtimeNs !== now.mtimeNs) {
      throw new LocalChangedError(item.path);
    }
    return now;
  }

  /** What the manifest says of this very version, null where somebody else made it. */
  manifest(remote: RemoteLook): ManifestEntry | null {
    if (!this.#hasManifest) return null;
    const manifest = this.#context.state.manifest(remote.path);
    if (manifest === null) return null;
    if (remote.id === VIRTUAL_ID) return manifest.remote === null ? manifest : null;
    if (remote.kind === 'symlink') return remote.target === manifest.target ? manifest : null;
    return manifestMatches(manifest, remote) ? manifest : null;
  }

  #present(path: string): LocalEntry {
    const local = this.#context.tree.look(path);
    if (local === null) throw new LocalChangedError(path);
    return local;
  }
}
