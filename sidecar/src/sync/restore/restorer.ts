import { chmodSync, utimesSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Logger } from 'pino';
import { Connections } from '../../spaces/connections.ts';
import { isSpaceError } from '../../spaces/space.ts';
import { FileChangedError, FileError } from '../file-errors.ts';
import type { FileFailures } from '../file-failures.ts';
import { type LocalEntry, type ManifestEntry, manifestMatches, VIRTUAL_ID } from '../model.ts';
import type { RemoteStat } from '../plan/compare.ts';
import type { PlanItem } from '../plan/plan.ts';
import type { Selection } from '../plan/selection.ts';
import type { Progress } from '../progress.ts';
import { compactTime } from '../save/space-layout.ts';
import { utimesSeconds } from '../volume/local-tree.ts';
import { type Attributes, mayBeDatabase, newFileIn, withNewFile } from '../volume/small-file.ts';
import { type Coming, comingBytes, comingFile, isSideName, makeSetWay } from './database-sets.ts';
import { fetchFile, fetchSmall, isSmall } from './fetch-file.ts';
import type { FetchOptions } from './fetch-parts.ts';
import type { FreeSpaceContext } from './free-space.ts';
import { PlacedFiles } from './placed-files.ts';
import { asBase, secondsToNs } from './restored-base.ts';
import type { VolumeTrash } from './volume-trash.ts';

/** Brings single entries to the volume and removes them there. */

export interface RestoreContext extends FreeSpaceContext {
  readonly log: Logger;
  readonly progress: Progress;
  /** Part of the space that is looked at; absent: all of it. */
  readonly selection?: Selection;
  readonly signal?: AbortSignal;
}

/** The volume is not what the plan saw any more. */
export class LocalChangedError extends Error {
  override readonly name = 'LocalChangedError';
}

/** A file that changes in the space while it is copied is begun anew so often. */
const VERSIONS = 3;

export interface RestoreOptions {
  /** Files get no hash: nothing is there to compare it with, now or later. @default false */
  readonly isUnhashed?: boolean;
  /** Nothing is compared again after it: what the space lists still and does not have is named. @default false */
  readonly isLast?: boolean;
  /** Gets what is removed or replaced on the volume. Absent: the space is always right. */
  readonly trash?: VolumeTrash;
}

interface Written {
  readonly hash: string | null;
  /** It is on the disk. */
  readonly isSynced: boolean;
  readonly local: LocalEntry;
}

export class Restorer {
  readonly #context: RestoreContext;
  readonly #options: RestoreOptions;
  readonly placed: PlacedFiles;
  readonly #connections: Connections;
  readonly #hasManifest: boolean;
  /** The volume is a copy of the space, file by file. */
  readonly #isCopy: boolean;
  /** Link group → the first of its names that was restored, with its hash. */
  readonly #groups = new Map<string, { path: string; hash: string }>();

  constructor(context: RestoreContext, options: RestoreOptions, failures: FileFailures) {
    this.#context = context;
    this.placed = new PlacedFiles(context.state, context.tree.root, (path, error) =>
      failures.noteLocal(error, { does: 'place', path }),
    );
    this.#options = options;
    this.#isCopy = options.isUnhashed === true;
    this.#hasManifest = context.state.manifest.count() > 0;
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
      this.#options.trash?.keep(item.path, 'removed');
      await tree.removeFile(item.path);
    }
    state.base.delete(item.path);
    state.manifest.delete(item.path);
    return true;
  }

  async directory(item: PlanItem): Promise<void> {
    const { tree, state } = this.#context;
    const remote = item.remote as RemoteStat;
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
    state.base.put({ ...asBase(local, remote, null, null), ...wanted });
  }

  /** What changes on its way is begun anew as it is then; what never stands still is left out. */
  async leaf(item: PlanItem): Promise<void> {
    for (let version = 1, current = item; ; version += 1) {
      try {
        return await this.#leaf(current);
      } catch (error) {
        if (!isSpaceError(error, 'transfer-broken', 'bad-range')) throw error;
        const { remote } = current;
        const now = await this.#context.space.stat({ path: item.path });
        if (now === null || remote === null) throw new LocalChangedError(item.path);
        if (now.size === remote.size && now.mtimeSeconds === remote.mtimeSeconds && now.id === remote.id)
          throw error;
        if (version === VERSIONS || now.kind !== remote.kind)
          throw new FileChangedError(`${item.path} is written while it is copied`, { cause: error });
        current = { ...item, remote: now };
      }
    }
  }

  async #leaf(item: PlanItem): Promise<void> {
    const remote = item.remote as RemoteStat;
    const manifest = this.manifest(remote);
    const { state, tree, progress } = this.#context;
    const { hash, isSynced, local } =
      remote.kind === 'symlink' ? await this.#link(item, manifest) : await this.#file(item, manifest);
    const base = asBase(local, remote, hash, manifest?.linkGroup ?? null);
    progress.file();
    const file = isSynced ? null : tree.at(item.path);
    await this.placed.add({ path: item.path, file, note: () => state.base.put(base) });
  }

  async #link(item: PlanItem, manifest: ManifestEntry | null): Promise<Written> {
    const { space, tree, log } = this.#context;
    const remote = item.remote as RemoteStat;
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
    const remote = item.remote as RemoteStat;
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
    const remote = item.remote as RemoteStat;
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
    const remote = item.remote as RemoteStat;
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
    const [base, local] = [this.#context.state.base.get(path), this.#context.tree.look(path)];
    if (base !== null && local !== null) {
      this.#context.state.base.put({ ...base, ctimeNs: local.ctimeNs, linkGroup: base.linkGroup });
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
      this.#options.trash?.keep(item.path, 'replaced');
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
  manifest(remote: RemoteStat): ManifestEntry | null {
    if (!this.#hasManifest) return null;
    const manifest = this.#context.state.manifest.get(remote.path);
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
