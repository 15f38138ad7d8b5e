import type { FileProblems } from '../../contract/status.ts';

/** The volume holds work that is in no save, and the space has gone on without it. A person has to choose. */
export class UnsavedWorkError extends Error {
  override readonly name = 'UnsavedWorkError';
}

/** Everything is saved but files that could not be read or kept changing meanwhile. */
export class PartialSaveError extends Error {
  override readonly name = 'PartialSaveError';

  readonly problems: FileProblems;
  /** A drain waits for a person to agree to lose them. */
  readonly isOfDrain: boolean;

  /** @param wayOut of a drain: what a person can do about all of them */
  constructor(problems: FileProblems, wayOut = '') {
    const { total, items } = problems;
    super(`${total} files or folders of the project are not saved${namely(items)}${wayOut}`);
    this.problems = problems;
    this.isOfDrain = wayOut !== '';
  }

  /** Of a drain, which would take them away with the volume. */
  ofDrain(): PartialSaveError {
    const { total } = this.problems;
    return new PartialSaveError(
      this.problems,
      ` To end the instance without them, for good: sync confirm unsaved ${total}, then drain again. What earlier saves have of them stays in the space`,
    );
  }
}

/** Files of the project that cannot be restored now. The desktop opens without them when a person agrees to that. */
export class MissingFilesError extends Error {
  override readonly name = 'MissingFilesError';
  readonly problems: FileProblems;

  constructor(problems: FileProblems) {
    const { total, items } = problems;
    super(
      `${total} files or folders of the project cannot be restored${namely(items)} ` +
        `To open the desktop without them: sync confirm missing ${total}. They stay in the space, and no save takes them for removed`,
    );
    this.problems = problems;
  }
}

const NAMED = 3;

/** `: "a", "b" and others. <what to do about the first>` */
function namely(items: FileProblems['items']): string {
  const names = items.slice(0, NAMED).map(({ path }) => JSON.stringify(path));
  const [first] = items;
  if (first === undefined) return '';
  return `: ${names.join(', ')}${items.length > NAMED ? ' and others' : ''}. ${first.message}`;
}

/** Somebody asked for something that cannot be done; nothing was changed. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/** The directory where a volume should be is not the volume that was prepared. Nothing is read into it or from it. */
export class VolumeNotMountedError extends Error {
  override readonly name = 'VolumeNotMountedError';
}

/** The folder that all of the project lies in is closed to this program. Nothing was read, and nothing counts as removed. */
export class ProjectClosedError extends Error {
  override readonly name = 'ProjectClosedError';

  /** @param mode its rights */
  constructor(mode: number) {
    super(
      `the folder of the project itself may not be read (its rights are ${mode.toString(8).padStart(3, '0')}), so nothing in it can be saved. ` +
        'Make it readable: chmod u+rwx ~/ScipionUserData/projects in a terminal of the desktop. What was saved stays in the space, and the next save tries it again',
    );
  }
}

/** A space or a state was written by a newer version of this program; going on could destroy what it knows. */
export class NewerFormatError extends Error {
  override readonly name = 'NewerFormatError';
}

/**
 * @param what has the format that was found; undefined: it says none
 * @param sentence what a newer version did
 * @param rest whether anything was changed, and what to do
 * @throws NewerFormatError
 */
export function refuseNewer(
  what: string,
  found: number | undefined,
  known: number,
  sentence: string,
  rest = 'Nothing was changed. Use that version, or a newer one',
): void {
  if (found === undefined || found <= known) return;
  throw new NewerFormatError(`${sentence} (${what} has format ${found}, known here: ${known}). ${rest}`);
}

export const VOLUME_IS_NEWER = 'the volume was used by a newer version of this program';

/** The desktop did not end within the time that a drain gives it. What was there is saved; more may come. */
export class DesktopStillRunningError extends Error {
  override readonly name = 'DesktopStillRunningError';
}
