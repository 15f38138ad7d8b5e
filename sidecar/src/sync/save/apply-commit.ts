import type { Logger } from 'pino';
import {
  isSpaceError,
  parentOf,
  type Space,
  type SpaceEntry,
  SpaceError,
  shortCalls,
} from '../../spaces/space.ts';
import { type RemoteFacts, sameVersion } from '../plan/compare.ts';
import { forEachLimit } from '../pool.ts';
import { type CommitHeader, type Expected, type Step, trashOfSave } from './commit-record.ts';
import type { EntryStep, TailStep } from './failed-steps.ts';
import { FreshFolders } from './fresh-folders.ts';
import { putAway } from './move-over.ts';
import { checkRecord, recordSteps } from './read-record.ts';
import { conflictName, LAYOUT } from './space-layout.ts';

export interface CommitOptions {
  readonly log: Logger;
  /** Called before each step; throws where this instance may write no longer. */
  assertMayWrite(): Promise<void>;
  /** Does a step, or notes that it fails for its entry alone. @throws what concerns everything */
  attempt(step: EntryStep, apply: (step: EntryStep) => Promise<void>): Promise<void>;
  /**
   * Called when all but the head is in its place, with what could not be done left out.
   * @returns the last steps, where the save was decided anew
   */
  settle(
    header: CommitHeader,
    tail: readonly TailStep[],
    apply: (step: EntryStep) => Promise<void>,
  ): Promise<readonly TailStep[]>;
  /** Told of links, which only exist once they are made. */
  onMade?(path: string, facts: RemoteFacts): void;
  /** Told of uploads that are neither in staging nor in place any more. Without it that is an error. */
  onMissing?(path: string): void;
}

/** Carries out the steps of a decided save, in order where order matters. Done again, it completes what is missing. */
export async function applyCommit(
  space: Space,
  header: CommitHeader,
  steps: AsyncIterable<Step> | Iterable<Step>,
  options: CommitOptions,
): Promise<void> {
  const mover = new Mover(space, header, options);
  const apply = async (step: Step): Promise<void> => {
    await options.assertMayWrite();
    await mover.apply(step);
  };
  let batch: EntryStep[] = [];
  const tail: TailStep[] = [];
  const flush = async (): Promise<void> => {
    const current = batch;
    batch = [];
    // Directories go child before parent, one after the other.
    await mover.prepare(current);
    const limit = current[0]?.do === 'rmdir' ? 1 : () => shortCalls(space.capabilities);
    await forEachLimit(current, limit, (step) => options.attempt(step, apply));
  };
  for await (const step of steps) {
    if (step.do === 'keep' || step.do === 'head') {
      tail.push(step);
      continue;
    }
    const first = batch[0];
    if (batch.length >= 256 || (first !== undefined && !runTogether(first, step))) await flush();
    batch.push(step);
  }
  await flush();
  for (const step of await options.settle(header, tail, apply)) await apply(step);
}

/** Directories of different depths one after the other: a parent that is made by the way is not known to be new. */
function runTogether(first: EntryStep, step: EntryStep): boolean {
  if (first.do !== step.do) return false;
  return first.do !== 'mkdir' || step.do !== 'mkdir' || depthOf(first.path) === depthOf(step.path);
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/**
 * Finishes every save that was decided and not completed. Only the holder of the lease may call it.
 * @param records of those saves
 * @returns ids of the saves that were finished
 */
export async function finishInterruptedCommits(
  space: Space,
  records: readonly SpaceEntry[],
  optionsOf: (header: CommitHeader, steps: () => AsyncIterable<Step>) => CommitOptions,
): Promise<string[]> {
  const finished: string[] = [];
  for (const record of records) {
    const header = await checkRecord(space, record);
    const steps = () => recordSteps(space, record, header);
    const options = optionsOf(header, steps);
    await applyCommit(space, header, steps(), options);
    await space.removeFile(record.path);
    finished.push(header.saveId);
    options.log.info({ saveId: header.saveId, steps: header.steps }, 'finished an interrupted save');
  }
  return finished;
}

class Mover {
  readonly #space: Space;
  readonly #header: CommitHeader;
  readonly #options: CommitOptions;
  readonly #trash: string;
  /** Directories of the trash that were made in this run. */
  readonly #made = new Set<string>();
  readonly #fresh: FreshFolders;
  #repairs = 0;
  #repairing: Promise<unknown> = Promise.resolve();

  constructor(space: Space, header: CommitHeader, options: CommitOptions) {
    this.#space = space;
    this.#header = header;
    this.#options = options;
    this.#trash = trashOfSave(header);
    this.#fresh = new FreshFolders(space);
  }

  /** Before steps that are carried out together. */
  async prepare(steps: readonly Step[]): Promise<void> {
    await this.#fresh.renew(steps.flatMap((step) => (step.do === 'place' ? [step.path] : [])));
  }

  async apply(step: Step): Promise<void> {
    switch (step.do) {
      case 'remove':
        return this.#remove(step.path, step.kind, step.expect);
      case 'rmdir':
        return this.#removeDirectory(step.path);
      case 'mkdir':
        return this.#makeDirectory(step.path);
      case 'place':
        return this.#place(step.path, step.staged, step.expect);
      case 'symlink':
        return this.#symlink(step.path, step.target, step.expect);
      case 'keep':
        return this.#keep(step.staged, step.to);
      case 'head':
        return this.#moveHead(step.staged);
    }
  }

  /** The save is complete without it. */
  async #keep(staged: string, to: string): Promise<void> {
    try {
      await this.#space.move({ path: staged, kind: 'file' }, to);
    } catch (error) {
      if (!isSpaceError(error, 'not-found', 'not-a-directory', 'is-a-directory')) throw error;
    }
  }

  async #moveHead(staged: string): Promise<void> {
    const found = await this.#space.stat({ path: LAYOUT.head });
    if (found?.kind === 'directory') await putAway(this.#space, LAYOUT.head, this.#header.decidedAt);
    await this.#moveIfThere(staged, LAYOUT.head, true);
  }

  async #remove(path: string, kind: 'file' | 'symlink', expect: Expected): Promise<void> {
    const found = await this.#space.stat({ path });
    if (found === null || !this.#matches(expect, found) || found.kind !== kind) return;
    if (found.kind === 'symlink') await this.#space.removeFile(path);
    else await this.#toTrash(found, 'removed');
  }

  async #removeDirectory(path: string): Promise<void> {
    try {
      await this.#space.removeEmptyDirectory(path, { aside: `${this.#trash}/folders` });
    } catch (error) {
      // Somebody else's file is in it, or the place has already been given to something new.
      if (!isSpaceError(error, 'not-empty', 'not-a-directory')) throw error;
    }
  }

  async #makeDirectory(path: string): Promise<void> {
    try {
      const { isNew } = await this.#space.makeDirectory(path);
      if (isNew === true) this.#fresh.made(path);
    } catch (error) {
      if (!isSpaceError(error, 'exists', 'not-a-directory')) throw error;
      await this.#repair(path);
    }
  }

  async #place(path: string, staged: string, expect: Expected): Promise<void> {
    const found = this.#fresh.isFree(path) ? null : await this.#space.stat({ path });
    if (found !== null) {
      if ((await this.#space.stat({ path: staged })) === null) {
        // Either this step was done before, and what is here is its result or newer, or the upload is gone.
        if (this.#matches(expect, found)) this.#missing(staged, path);
        return;
      }
      await this.#clear(found, expect);
    }
    await this.#moveIfThere(staged, path, found === null);
    this.#fresh.put(path);
  }

  async #symlink(path: string, target: string, expect: Expected): Promise<void> {
    // A link is made only where nothing is, so a place that should be free needs no look before.
    if (expect === null && (await this.#makeLink(path, target))) return;
    const found = await this.#space.stat({ path });
    if (found?.kind === 'symlink' && (await this.#space.readSymlink(found)) === target) {
      this.#options.onMade?.(path, found);
      return;
    }
    if (found !== null) await this.#clear(found, expect);
    if (await this.#makeLink(path, target)) return;
    throw new SpaceError('exists', `${path} came back while a link was made there`, { path });
  }

  /** @returns false where something is there */
  async #makeLink(path: string, target: string): Promise<boolean> {
    const seen = this.#repairs;
    try {
      this.#options.onMade?.(path, await this.#space.makeSymlink(path, target));
    } catch (error) {
      if (isSpaceError(error, 'exists')) return false;
      if (!isSpaceError(error, 'not-found', 'not-a-directory') || !(await this.#repair(parentOf(path), seen)))
        throw error;
      return this.#makeLink(path, target);
    }
    return true;
  }

  /**
   * Somebody may have removed a directory of the save, or put a file in its place. What was saved in it keeps its path.
   * One repair at a time: steps that run together meet the same obstacle.
   * @returns whether something was repaired since `seen`, the value of `#repairs` before the call that failed
   */
  #repair(directory: string, seen = this.#repairs): Promise<boolean> {
    const repaired = this.#repairing.then(async () => {
      const names = directory === '' ? [] : directory.split('/');
      for (let depth = 1; depth <= names.length; depth += 1) {
        const path = names.slice(0, depth).join('/');
        const found = await this.#space.stat({ path });
        if (found?.kind === 'directory') continue;
        if (found !== null) await this.#aside(found);
        await this.#space.makeDirectory(path);
        this.#repairs += 1;
      }
      return this.#repairs > seen;
    });
    this.#repairing = repaired.catch(() => undefined);
    return repaired;
  }

  /** Makes a name free: the expected version goes to the trash, anything else is somebody's change and stays beside. */
  async #clear(found: SpaceEntry, expect: Expected): Promise<void> {
    if (found.kind === 'directory' || !this.#matches(expect, found)) await this.#aside(found);
    else if (found.kind === 'symlink') await this.#space.removeFile(found.path);
    else await this.#toTrash(found, 'replaced');
  }

  async #toTrash(found: SpaceEntry, folder: 'removed' | 'replaced'): Promise<void> {
    const to = `${this.#trash}/${folder}/${found.path}`;
    const parent = parentOf(to);
    if (!this.#made.has(parent)) {
      await this.#space.makeDirectory(parent);
      if (this.#made.size > 10_000) this.#made.clear();
      this.#made.add(parent);
    }
    await this.#space.move({ path: found.path, id: found.id, kind: 'file' }, to);
  }

  async #aside(found: SpaceEntry): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const to = conflictName(found.path, this.#header.decidedAt, attempt);
      if ((await this.#space.stat({ path: to })) !== null) continue;
      await this.#space.move({ path: found.path, id: found.id, kind: found.kind }, to);
      this.#options.log.warn('kept a version that was changed elsewhere under a conflict name');
      return;
    }
  }

  /** @param mayLack what is gone is reported and left out, where somebody takes the report */
  async #moveIfThere(from: string, to: string, mayLack: boolean): Promise<void> {
    const seen = this.#repairs;
    try {
      await this.#space.move({ path: from, kind: 'file' }, to);
    } catch (error) {
      if (!isSpaceError(error, 'not-found', 'not-a-directory')) throw error;
      if (await this.#repair(parentOf(to), seen)) return this.#moveIfThere(from, to, mayLack);
      if (!isSpaceError(error, 'not-found')) throw error;
      if (
        (await this.#space.stat({ path: to })) !== null &&
        (await this.#space.stat({ path: from })) === null
      )
        return;
      if (!mayLack) throw error;
      this.#missing(from, to);
    }
  }

  #missing(staged: string, path: string): void {
    if (this.#options.onMissing === undefined) {
      throw new SpaceError('not-found', `${staged} is gone before it was moved to ${path}`, { path });
    }
    this.#options.onMissing(path);
  }

  #matches(expect: Expected, found: SpaceEntry): boolean {
    if (expect === null) return false;
    return sameVersion(expect, found, found.kind === 'symlink' || this.#space.capabilities.idsSurviveMove);
  }
}
