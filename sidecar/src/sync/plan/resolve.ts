import { createHash } from 'node:crypto';
import { parentOf, type ReadOnlySpace } from '../../spaces/space.ts';
import { classify } from '../file-errors.ts';
import type { FileFailures } from '../file-failures.ts';
import { type BaseEntry, type LocalEntry, lookOf, manifestMatches, VIRTUAL_ID } from '../model.ts';
import { forEachLimit } from '../pool.ts';
import { Batch } from '../state/batch.ts';
import type { Stage } from '../state/pending-table.ts';
import type { StateStore } from '../state/state.ts';
import { type CopyOptions, hashStable, openStable } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import { localState, type RemoteStat, remoteState } from './compare.ts';
import { decodeItem, encodeItem, type PlanItem } from './plan.ts';
import { type Action, decide, type LocalState, type Occasion } from './table.ts';

export interface ResolveContext extends CopyOptions {
  readonly space: Pick<ReadOnlySpace, 'read' | 'stat' | 'check' | 'readSymlink' | 'capabilities'>;
  readonly state: StateStore;
  readonly tree: LocalTree;
}

/**
 * Decides every noted path: asks the content where times are not enough, and the space where it was not listed.
 * What needs nothing is dropped; the rest moves to the stage that carries it out.
 */
export async function resolveDifferences(
  context: ResolveContext,
  occasion: Occasion,
  withRemote: boolean,
  unread: FileFailures,
): Promise<void> {
  /** Directories that the space does not have: what is below them need not be asked for. */
  const absent = new Set<string>();
  const resolver = new Resolver(context, occasion, withRemote, absent);
  const { state, space } = context;
  const batch = new Batch(state);
  await forEachLimit(state.pending.rows('found'), space.capabilities.concurrency, async ({ seq, data }) => {
    context.signal?.throwIfAborted();
    const found = decodeItem(data);
    let item: PlanItem | null;
    try {
      item = await resolver.resolve(found);
    } catch (error) {
      await unread.note(error, { does: 'read', path: found.path });
      item = null;
    }
    if (item === null) batch.add(() => state.pending.delete(seq));
    else {
      const [stage, text] = [stageOf(item.action as Action), encodeItem(item)];
      batch.add(() => state.pending.update(seq, stage, text));
    }
  });
  batch.write();
}

function stageOf(action: Action): Stage {
  if (action === 'download') return 'download';
  if (action === 'remove-local') return 'remove-local';
  return 'transfer';
}

class Resolver {
  readonly #context: ResolveContext;
  readonly #occasion: Occasion;
  readonly #withRemote: boolean;
  readonly #absent: Set<string>;
  /** Files that may have been written to while they were read. */
  readonly #racy = new Set<string>();

  constructor(context: ResolveContext, occasion: Occasion, withRemote: boolean, absent: Set<string>) {
    this.#context = context;
    this.#occasion = occasion;
    this.#withRemote = withRemote;
    this.#absent = absent;
  }

  async resolve(found: PlanItem): Promise<PlanItem | null> {
    const { base, local } = found;
    const { verdict, hash } = await this.#local(base, local);
    if (verdict === 'same' && !this.#withRemote) {
      this.#refresh(base, local);
      return null;
    }
    const remote = await this.#remote(found);
    const item = { ...found, remote };
    const action = decide(
      base === null ? 'none' : 'known',
      verdict,
      remoteState(base, remote, this.#context.space.capabilities.idsSurviveMove),
      this.#occasion,
    );
    switch (action) {
      case 'nothing':
      case 'later':
        if (verdict === 'same') this.#refresh(base, local);
        return null;
      case 'forget':
        this.#context.state.base.delete(found.path);
        return null;
      case 'reconcile':
        return this.#reconcile(item, hash);
      default: {
        const racy = this.#racy.delete(found.path);
        return { ...item, base: base === null ? null : { ...base, racy }, action };
      }
    }
  }

  /** The entry in the space now, with the target of a link whose id and time do not tell whether it changed. */
  async #remote(item: PlanItem): Promise<RemoteStat | null> {
    const { space, state } = this.#context;
    let remote = item.remote;
    if (!this.#withRemote) {
      if (this.#absent.has(parentOf(item.path))) remote = null;
      else remote = await space.stat({ path: item.path });
      if (remote === null) {
        if (item.local?.kind === 'directory') this.#absent.add(item.path);
        const manifest = state.manifest.get(item.path);
        if (manifest?.remote === null) {
          const { path, kind, target } = manifest;
          remote = { path, kind, target, id: VIRTUAL_ID, size: 0, mtimeSeconds: null };
        }
      }
    }
    if (remote?.kind !== 'symlink' || remote.target != null) return remote;
    if (remote.id === VIRTUAL_ID) return { ...remote, target: state.manifest.get(item.path)?.target ?? null };
    return { ...remote, target: await space.readSymlink(remote) };
  }

  async #local(
    base: BaseEntry | null,
    local: LocalEntry | null,
  ): Promise<{ verdict: LocalState; hash: string | null }> {
    const verdict = localState(base, local);
    if (verdict !== 'unsure' || base === null || local === null) {
      return { verdict: verdict === 'unsure' ? 'changed' : verdict, hash: null };
    }
    const hash = await this.#hashLocal(local.path);
    if (hash !== base.hash) return { verdict: 'changed', hash };
    const same =
      base.mtimeNs === local.mtimeNs && base.mode === local.mode && linkGroup(local) === base.linkGroup;
    return { verdict: same ? 'same' : 'meta', hash };
  }

  /** Content is known to be equal: later looks need not read it again. */
  #refresh(base: BaseEntry | null, local: LocalEntry | null): void {
    if (base === null || local === null || local.kind !== 'file') return;
    const isYoung = local.ctimeNs > BigInt(this.#context.clock.now()) * 1_000_000n - 1_000_000_000n;
    const racy = this.#racy.delete(local.path) || isYoung;
    this.#context.state.base.put({ ...base, inode: local.inode, ctimeNs: local.ctimeNs, racy });
  }

  async #reconcile(item: PlanItem, hash: string | null): Promise<PlanItem | null> {
    const { local, remote } = item;
    if (local === null || remote === null) return null;
    const equal = local.kind === remote.kind && (await this.#equalContent(local, remote, hash));
    if (!equal) return { ...item, action: 'upload', keepBoth: true };
    // An interrupted restore made it, and did not come to set its times.
    const isOurs = local.kind !== 'file' && this.#context.state.manifest.get(item.path) !== null;
    if (isOurs && this.#occasion === 'start') return { ...item, action: 'download' };
    // Remembered as equal by the next save, which also writes mode and time of the local side to the manifest.
    const known = this.#context.state.manifest.get(item.path);
    const racy = this.#racy.delete(item.path);
    const base = { ...adopted(local, remote, known?.hash ?? hash), racy };
    if (known === null || !sameMeta(known.mtimeNs, known.mode, local))
      return { ...item, base, action: 'record' };
    this.#context.state.base.put(base);
    return null;
  }

  async #equalContent(local: LocalEntry, remote: RemoteStat, known: string | null): Promise<boolean> {
    if (local.kind === 'directory') return true;
    if (local.kind === 'symlink') return local.target === remote.target;
    const manifest = this.#context.state.manifest.get(remote.path);
    const trusted = manifest !== null && manifest.hash !== null && manifestMatches(manifest, remote);
    if (!trusted && local.size !== remote.size) return false;
    const hash = known ?? (await this.#hashLocal(local.path));
    if (trusted) return hash === manifest.hash;
    return hash === (await this.#hashRemote(remote));
  }

  async #hashLocal(path: string): Promise<string> {
    const file = await openStable(this.#context.tree, path, this.#context);
    try {
      const hash = await hashStable(file);
      if (file.racy) this.#racy.add(path);
      return hash;
    } finally {
      await file.close();
    }
  }

  async #hashRemote(remote: RemoteStat): Promise<string | null> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of this.#context.space.read(remote)) hash.update(chunk);
    } catch (error) {
      // What cannot be read is not equal: both are kept.
      const { scope } = classify(error, { does: 'fetch', path: remote.path });
      if (scope === 'everything') throw error;
      if (scope === 'unsure') await this.#context.space.check();
      return null;
    }
    return hash.digest('hex');
  }
}

/** Times on a disk are set to the microsecond. */
export function sameMeta(mtimeNs: bigint, mode: number, local: LocalEntry): boolean {
  const apart = mtimeNs - local.mtimeNs;
  return apart < 1_000n && apart > -1_000n && (local.kind === 'symlink' || mode === local.mode);
}

export function linkGroup(local: LocalEntry): string | null {
  return local.kind === 'file' && local.links > 1 ? String(local.inode) : null;
}

/** The base entry for content that is equal on both sides. */
export function adopted(local: LocalEntry, remote: RemoteStat, hash: string | null): BaseEntry {
  return {
    ...lookOf(local),
    hash: local.kind === 'file' ? hash : null,
    linkGroup: linkGroup(local),
    remote:
      remote.id === VIRTUAL_ID
        ? null
        : { id: remote.id, size: remote.size, mtimeSeconds: remote.mtimeSeconds },
    racy: false,
  };
}
