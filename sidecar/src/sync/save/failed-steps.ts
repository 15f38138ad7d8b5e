import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import { parentOf, type Space, SpaceError } from '../../spaces/space.ts';
import { FileFailures } from '../file-failures.ts';
import { foldersOf } from '../plan/lost-files.ts';
import { type CommitHeader, type Step, trashOfSave } from './commit-record.ts';

/** Path → what is at its place: what was there before, or nothing although something was. */
export type LeftOut = ReadonlyMap<string, 'as-before' | 'gone'>;

/** A step that is about an entry of the project. */
export type EntryStep = Exclude<Step, { readonly do: 'keep' | 'head' }>;

/** The last steps of a save, which make it the one of the space. */
export type TailStep = Exclude<Step, EntryStep>;

export interface FailedStepsContext {
  readonly space: Space;
  readonly scratch: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal?: AbortSignal;
}

/**
 * The steps of a decided save that fail for their entry alone. They are tried once more when all others are done; the save
 * is then decided anew without those that fail again, so that it claims nothing that the space does not hold.
 */
export class FailedSteps {
  readonly #context: FailedStepsContext;
  readonly #first: FileFailures;
  readonly #failures: FileFailures;
  readonly #steps: EntryStep[] = [];
  /** Paths of those, and the folders that they lie in. */
  readonly #paths = new Set<string>();
  readonly #above = new Set<string>();

  /** @param failures gets those that fail again */
  constructor(context: FailedStepsContext, failures: FileFailures) {
    this.#context = context;
    this.#failures = failures;
    this.#first = new FileFailures(context, 'project', 'save');
  }

  /** Does a step, or notes that it failed. @throws what concerns everything */
  async attempt(step: EntryStep, apply: (step: EntryStep) => Promise<void>): Promise<void> {
    // What comes at, above or below such a place counts on what was to be done there.
    if (this.#above.has(step.path) || isAtOrBelow(step.path, this.#paths)) {
      this.#defer(step);
      return;
    }
    try {
      await apply(step);
      this.#first.succeeded();
    } catch (error) {
      await this.#first.note(aboutEntry(error, step), { does: 'apply', path: step.path });
      this.#defer(step);
    }
  }

  #defer(step: EntryStep): void {
    this.#steps.push(step);
    this.#paths.add(step.path);
    for (const folder of foldersOf(step.path)) this.#above.add(folder);
  }

  /**
   * Tries again what failed, when all else but the head is in its place.
   * @returns what stays undone; empty: the save is as it was decided
   */
  async settle(header: CommitHeader, apply: (step: EntryStep) => Promise<void>): Promise<LeftOut> {
    const left: Map<string, 'as-before' | 'gone'> = new Map();
    // In the order in which they would have been done.
    for (const step of this.#steps) {
      if (isAtOrBelow(step.path, left)) {
        this.#failures.add(step.path, step.do === 'mkdir', 'in-the-way');
        if (!left.has(step.path)) left.set(step.path, 'as-before');
        continue;
      }
      // A folder stays for what stays in it.
      if (step.do === 'rmdir' && [...left.keys()].some((path) => path.startsWith(`${step.path}/`))) {
        left.set(step.path, 'as-before');
        continue;
      }
      try {
        await apply(step);
      } catch (error) {
        const found = await this.#found(step);
        if (found === 'done') continue;
        await this.#failures.note(aboutEntry(error, step), { does: 'apply', path: step.path });
        const isPutAway = found === 'gone' && step.do !== 'mkdir';
        left.set(step.path, !isPutAway ? found : await this.#putBack(header, step.path));
      }
    }
    return left;
  }

  /** `gone`: the version before has left its place, if there was one. What cannot be asked is taken for as it was. */
  async #found(step: EntryStep): Promise<'as-before' | 'gone' | 'done'> {
    const { space } = this.#context;
    const found = await space.stat({ path: step.path }).catch(() => undefined);
    if (found === undefined) return 'as-before';
    if (step.do === 'remove' || step.do === 'rmdir') return found === null ? 'done' : 'as-before';
    if (step.do === 'mkdir' && found?.kind === 'directory') return 'done';
    if (found === null) return step.do !== 'mkdir' && step.expect === null ? 'as-before' : 'gone';
    if (step.do !== 'place') return 'as-before';
    return (await isGone(space, step.staged)) ? 'done' : 'as-before';
  }

  /** What was put away for a version that cannot come to its place goes back, or stays in the trash as something removed. */
  async #putBack(header: CommitHeader, path: string): Promise<'as-before' | 'gone'> {
    const { space, log } = this.#context;
    const trash = trashOfSave(header);
    const from = { path: `${trash}/replaced/${path}`, kind: 'file' as const };
    try {
      await space.move(from, path);
      return 'as-before';
    } catch (error) {
      log.warn(
        { error: (error as Error).message },
        'a place in the space takes neither the new version of its file nor the old one',
      );
    }
    if (await isGone(space, from.path)) return 'gone';
    await space.makeDirectory(parentOf(`${trash}/removed/${path}`));
    await space.move(from, `${trash}/removed/${path}`);
    return 'gone';
  }
}

function isAtOrBelow(path: string, places: { has(path: string): boolean; readonly size: number }): boolean {
  return places.size > 0 && (places.has(path) || foldersOf(path).some((folder) => places.has(folder)));
}

async function isGone(space: Space, path: string): Promise<boolean> {
  return (await space.stat({ path }).catch(() => undefined)) === null;
}

/**
 * An error of the move from the staging folder is one of the file that was to be moved. Whether the token or the space is
 * to blame is asked of the space itself.
 */
function aboutEntry(error: unknown, { path }: EntryStep): unknown {
  if (!(error instanceof SpaceError)) return error;
  const isUnclear = ['not-found', 'space-unknown'].includes(error.code) || error.code.startsWith('token-');
  return new SpaceError(isUnclear ? 'transfer-broken' : error.code, error.message, { path, cause: error });
}
