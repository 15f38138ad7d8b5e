import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Logger } from 'pino';
import { isSpaceError } from '../../spaces/space.ts';
import { FileChangedError } from '../file-errors.ts';
import { type BaseEntry, type LocalEntry, lookOf } from '../model.ts';
import { type RemoteFacts, sameVersion } from '../plan/compare.ts';
import { decodeItem, type PlanItem } from '../plan/plan.ts';
import { linkGroup } from '../plan/resolve.ts';
import type { Progress } from '../progress.ts';
import { PathTexts } from '../state/path-texts.ts';
import { type CopyOptions, hashStable, localFacts, openStable } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { type SentContext, stagedPath } from './sent-uploads.ts';

export interface MovedFilesContext extends SentContext, CopyOptions {
  readonly tree: LocalTree;
  readonly log: Logger;
  readonly progress: Progress;
}

/** Copies that may fail before a save sends everything itself. */
const MAX_FAILURES = 3;

/**
 * Files that were moved or renamed on the volume since the last save. The space has their content, at the place where they
 * were: it is copied there into the staging folder, and no byte of it is sent. From then on it is an upload like others;
 * the old place goes to the trash as it is, so older saves keep what they have.
 */
export class MovedFiles {
  readonly #context: MovedFilesContext;
  /** Inode → the place in the last save. */
  readonly #places: PathTexts;
  #failures = 0;
  /** Bytes above which a copy took longer than a call may. */
  #most = Number.POSITIVE_INFINITY;

  private constructor(context: MovedFilesContext) {
    this.#context = context;
    this.#places = new PathTexts(context.scratch);
  }

  /** Those in the stage `transfer`; null: there are none, or the space copies nothing. */
  static find(context: MovedFilesContext): MovedFiles | null {
    const { state, space } = context;
    const least = space.capabilities.copiesFrom;
    if (space.copy === undefined || least === undefined || !state.base.hasFiles()) return null;
    let found: MovedFiles | null = null;
    for (const { data } of state.pending.rows('transfer')) {
      const { base, local } = decodeItem(data);
      if (base === null || base.size < least || !isInSpace(base) || local?.inode === base.inode) continue;
      found ??= new MovedFiles(context);
      found.#places.put(String(base.inode), base.path);
    }
    return found;
  }

  /**
   * @returns the item with its content in the staging folder; null where it has to be sent
   * @throws FileChangedError
   */
  async stage(item: PlanItem, seq: number): Promise<PlanItem | null> {
    const { state, space, tree, progress, log } = this.#context;
    const local = tree.look(item.path);
    const least = space.capabilities.copiesFrom ?? Number.POSITIVE_INFINITY;
    if (local?.kind !== 'file' || local.size < least || local.size > this.#most) return null;
    if (this.#failures >= MAX_FAILURES) return null;
    const place = this.#places.get(String(local.inode));
    const base = place === null || place === item.path ? null : state.base.get(place);
    const same = base === null || !isInSpace(base) ? null : await this.#sameAs(local, base);
    if (base === null || same === null) return null;
    const staged = stagedPath(this.#context.volumeId, randomUUID(), seq);
    const facts = await this.#copy(base, staged).catch((error: unknown) => {
      this.#context.signal?.throwIfAborted();
      this.#failures += isSpaceError(error, 'unsupported') ? MAX_FAILURES : 1;
      if (isSpaceError(error, 'stalled')) this.#most = local.size / 2;
      log.info({ error: (error as Error).message }, 'a moved file is sent: the space could not copy it');
      return null;
    });
    if (facts === null) return null;
    const now = tree.look(item.path);
    if (now === null || localFacts(now) !== localFacts(local))
      throw new FileChangedError(`${item.path} changed while it was copied in the space`);
    progress.bytes(local.size);
    progress.file();
    const known = { hash: base.hash, linkGroup: linkGroup(local), racy: same.racy };
    return { ...item, staged: { path: staged, facts }, next: { ...lookOf(local), ...known, remote: facts } };
  }

  close(): void {
    this.#places.close();
  }

  /**
   * null where the file may have other content than then. A new name for a folder changes nothing about the files in it;
   * one for the file itself changes a time, so its content is read.
   */
  async #sameAs(local: LocalEntry, base: BaseEntry): Promise<{ readonly racy: boolean } | null> {
    const { tree } = this.#context;
    if (local.inode !== base.inode || local.size !== base.size || local.mtimeNs !== base.mtimeNs) return null;
    if (local.ctimeNs === base.ctimeNs && !base.racy) {
      // A link that has taken the place of a folder above would lead elsewhere.
      closeSync(tree.open(local.path));
      return { racy: false };
    }
    const file = await openStable(tree, local.path, this.#context);
    try {
      const { racy } = file;
      return (await hashStable(file)) === base.hash ? { racy } : null;
    } finally {
      await file.close();
    }
  }

  /** @returns null where the space has another version there, or had one before the copy was made */
  async #copy(base: BaseEntry, staged: string): Promise<RemoteFacts | null> {
    const { space, signal } = this.#context;
    const options = signal === undefined ? {} : { signal };
    const { path, remote } = base;
    const isThen = async (id?: string) => {
      const found = await space.stat({ path, id }, options);
      const isSaved = found?.kind === 'file' && remote !== null;
      return isSaved && sameVersion(remote, found, space.capabilities.idsSurviveMove) ? found : null;
    };
    const from = await isThen();
    if (from === null) return null;
    await space.copy?.({ path, id: from.id }, staged, options);
    const made = await space.stat({ path: staged }, options);
    if (made === null || made.size !== from.size || (await isThen(from.id)) === null) return null;
    return { id: made.id, size: made.size, mtimeSeconds: made.mtimeSeconds };
  }
}

function isInSpace({ kind, hash, remote }: BaseEntry): boolean {
  return kind === 'file' && hash !== null && remote !== null;
}
