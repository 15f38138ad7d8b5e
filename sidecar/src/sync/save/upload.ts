import { randomUUID } from 'node:crypto';
import { Connections, type Gate, isShort } from '../../spaces/connections.ts';
import { isOddTarget } from '../../spaces/link-target.ts';
import { type Content, contentOf, counted, SpaceError, shortCalls } from '../../spaces/space.ts';
import { FileChangedError, isOfUploads } from '../file-errors.ts';
import type { FileFailures } from '../file-failures.ts';
import { type BaseEntry, type LocalEntry, lookOf } from '../model.ts';
import { decodeItem, encodeItem, type PlanItem } from '../plan/plan.ts';
import { linkGroup } from '../plan/resolve.ts';
import { forEachLimit } from '../pool.ts';
import { Batch } from '../state/batch.ts';
import type { StateStore } from '../state/state.ts';
import { type CopyOptions, localFacts, openStable, type StableFile } from '../volume/file-copy.ts';
import type { LocalTree } from '../volume/local-tree.ts';
import type { MovedFiles } from './moved-files.ts';
import {
  confirmUploads,
  isConfirmed,
  isUpload,
  type SentContext,
  stagedPath,
  stagingOf,
} from './sent-uploads.ts';
import {
  forgetUnfinished,
  goesInParts,
  type PartsContext,
  type SentFile,
  UnfinishedUpload,
  uploadParts,
} from './upload-parts.ts';

const READ_ATTEMPTS = 3;
/** A save sends large files for so long; then what else is there is saved, and the next save sends more of them. */
const LARGE_MS = 120_000;
const SEND_ATTEMPTS = 3;

export interface UploadContext extends SentContext, Omit<PartsContext, 'largeTurn'>, CopyOptions {
  readonly tree: LocalTree;
  /** @default 2 minutes */
  readonly largeMs?: number;
}

type SendingContext = UploadContext & PartsContext;

/**
 * Sends what is to be sent to the staging folder and says for every path what will be remembered. What was moved on the
 * volume, and only that, is copied in the space.
 * Files that kept changing while they were read go to `unread`.
 */
export async function uploadPending(
  context: UploadContext,
  unread: FileFailures,
  moved: MovedFiles | null,
): Promise<void> {
  const { state, space } = context;
  let [files, bytes] = [0, 0];
  for (const row of state.pending.rows('transfer')) {
    const item = decodeItem(row.data);
    if (item.action !== 'upload' || item.local?.kind !== 'file') continue;
    files += 1;
    bytes += item.local.size;
  }
  context.progress.begin(files, bytes);
  if (files > 0) await space.makeDirectory(stagingOf(context.volumeId));
  const connections = new Connections(() => space.capabilities);
  const largeTurn = { until: context.clock.monotonic() + (context.largeMs ?? LARGE_MS), hasSent: false };
  /** Large files that did not get through: what was sent of them is not sent again. */
  const unfinished = new Set<string>();
  for (let round = 1; ; round += 1) {
    const batch = new Batch(state);
    try {
      await forEachLimit(
        state.pending.rows('transfer'),
        () => shortCalls(space.capabilities),
        async (row) => {
          context.signal?.throwIfAborted();
          const item = decodeItem(row.data);
          try {
            const done = await prepare({ ...context, largeTurn }, item, row.seq, connections.forOne(), moved);
            unread.succeeded();
            const weight = 1 + (done.staged?.facts.size ?? 0) / BYTES_A_WEIGHT;
            batch.add(() => noteUpload(state, row.seq, done), weight);
          } catch (error) {
            const bytes = item.local?.size ?? 0;
            const ask = isOfUploads(error) ? () => tryUpload(context, bytes) : undefined;
            if (error instanceof UnfinishedUpload) unread.add(item.path, false, 'sending');
            else await unread.note(error, { does: 'send', path: item.path }, ask);
            if (goesInParts(space, item.local?.size ?? 0)) unfinished.add(item.path);
            state.pending.delete(row.seq);
          }
        },
      );
    } finally {
      batch.write();
    }
    const broken = await confirmUploads(context);
    if (broken === 0) {
      forgetUnfinished(state, unfinished);
      return;
    }
    if (round === SEND_ATTEMPTS) {
      // The space holds them otherwise than they were sent, each time.
      for (const { seq, data } of state.pending.rows('transfer')) {
        const broke = new SpaceError('transfer-broken', 'the space holds it otherwise than it was sent');
        await unread.note(broke, { does: 'send', path: decodeItem(data).path });
        state.pending.delete(seq);
      }
      forgetUnfinished(state, unfinished);
      return;
    }
  }
}

/** Whether the space takes other uploads, of more bytes than the one that failed. @throws SpaceError */
async function tryUpload(
  context: Pick<UploadContext, 'space' | 'volumeId' | 'signal'>,
  bytes: number,
): Promise<void> {
  const { space, signal } = context;
  const path = `${stagingOf(context.volumeId)}/trial-${randomUUID()}`;
  const content = contentOf(Buffer.alloc(Math.min(bytes + 4_096, TRIAL_BYTES)));
  await space.write(path, content, signal === undefined ? {} : { signal });
  await space.removeFile(path);
}

const TRIAL_BYTES = 8 << 20;

/** What so many bytes weigh in a batch, beside the item itself: a crash costs sending again what was not noted. */
const BYTES_A_WEIGHT = 320_000;

/** What was sent, also for a save after this one, where this one does not come to its end. */
function noteUpload(state: StateStore, seq: number, item: PlanItem): void {
  state.pending.update(seq, isConfirmed(item) ? 'ready' : 'sent', encodeItem(item));
  const { path, staged, next } = item;
  if (staged === undefined || next === undefined || next.racy || next.hash === null) return;
  state.staged.put({
    path,
    facts: localFacts(next),
    staged: staged.path,
    size: staged.facts.size,
    hash: next.hash,
    remoteId: staged.facts.id,
  });
}

async function prepare(
  context: SendingContext,
  item: PlanItem,
  seq: number,
  network: Gate,
  moved: MovedFiles | null,
): Promise<PlanItem> {
  const { local, base } = item;
  if (item.action === 'remove-remote' || local === null) return item;
  if (item.action === 'record' && base !== null) {
    const same = { hash: base.hash, remote: base.remote };
    return { ...item, next: { ...row(local, base.racy), ...same } };
  }
  switch (local.kind) {
    case 'directory':
      return { ...item, next: { ...row(local, false), remote: { id: '', size: 0, mtimeSeconds: null } } };
    case 'symlink': {
      const held = context.space.capabilities.symlinks && !isOddTarget(local.target ?? '');
      const remote = held ? { id: '', size: 0, mtimeSeconds: null } : null;
      return { ...item, next: { ...row(local, false), remote } };
    }
    case 'file':
      return uploadFile(context, item, seq, network, moved);
  }
}

async function uploadFile(
  context: SendingContext,
  item: PlanItem,
  seq: number,
  network: Gate,
  moved: MovedFiles | null,
): Promise<PlanItem> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (
        (await network(() => reuse(context, item), true)) ??
        (moved === null ? null : await network(() => moved.stage(item, seq))) ??
        (await uploadOnce(context, item, seq, network))
      );
    } catch (error) {
      if (!(error instanceof FileChangedError) || attempt >= READ_ATTEMPTS) throw error;
      await context.clock.sleep(50 * attempt, context.signal);
    }
  }
}

/** An upload of an earlier save that did not come to its end, if it is still there and the file is still the same. */
async function reuse(
  context: Pick<UploadContext, 'space' | 'state' | 'tree' | 'progress'>,
  item: PlanItem,
): Promise<PlanItem | null> {
  const known = context.state.staged.get(item.path);
  const local = context.tree.look(item.path);
  if (known === null || local === null || known.facts !== localFacts(local)) return null;
  const found = await context.space.stat({ path: known.staged });
  if (!isUpload(context.space, known.remoteId, found) || found.size !== known.size) return null;
  context.progress.bytes(local.size);
  context.progress.file();
  const facts = { id: found.id, size: found.size, mtimeSeconds: found.mtimeSeconds };
  return {
    ...item,
    staged: { path: known.staged, facts },
    next: { ...row(local, true), hash: known.hash, remote: facts },
  };
}

async function uploadOnce(
  context: SendingContext,
  item: PlanItem,
  seq: number,
  network: Gate,
): Promise<PlanItem> {
  const file = ownErrors(await openStable(context.tree, item.path, context));
  const stage = () => stagedPath(context.volumeId, randomUUID(), seq);
  try {
    const { staged, written, hash } = goesInParts(context.space, file.content.size)
      ? await uploadParts(context, file, network, stage)
      : await network(() => uploadWhole(context, file, stage()), isShort(file.content.size));
    await file.assertUnchanged();
    const facts = { id: written.id, size: written.size, mtimeSeconds: written.mtimeSeconds };
    context.progress.file();
    return {
      ...item,
      staged: { path: staged, facts },
      next: { ...row(file.entry, file.racy), hash, remote: facts },
    };
  } catch (error) {
    // A space may take what its reader met for trouble of its own.
    throw file.failure() ?? error;
  } finally {
    await file.close();
  }
}

/** Remembers what went wrong with the file itself. */
function ownErrors(file: StableFile): StableFile & { failure(): unknown } {
  let failure: unknown;
  const watched = <T extends Content>(content: T): T => ({
    ...content,
    async *open() {
      try {
        yield* content.open();
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  });
  return {
    ...file,
    content: watched(file.content),
    part: (start, length) => watched(file.part(start, length)),
    failure: () => failure,
  };
}

async function uploadWhole(
  context: Pick<UploadContext, 'space' | 'progress' | 'signal'>,
  file: StableFile,
  staged: string,
): Promise<SentFile> {
  const { space, progress, signal } = context;
  const { size } = file.content;
  const content = counted(file.content, (count) => progress.bytes(count));
  const options = { unconfirmed: true, ...(signal === undefined ? {} : { signal }) };
  const written = await space.write(staged, content, options);
  if (written.size !== size) {
    const text = `${file.entry.path}: the space has ${written.size} of ${size} bytes`;
    throw new SpaceError('transfer-broken', text);
  }
  return { staged, written, hash: file.hash() };
}

function row(local: LocalEntry, racy: boolean): BaseEntry {
  return {
    ...lookOf(local),
    hash: null,
    linkGroup: linkGroup(local),
    remote: null,
    racy,
  };
}
