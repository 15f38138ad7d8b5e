/** The volume holds work that is in no save, and the space has gone on without it. A person has to choose. */
export class UnsavedWorkError extends Error {
  override readonly name = 'UnsavedWorkError';
}

/** Everything is saved but files that could not be read or did not stand still. */
export class PartialSaveError extends Error {
  override readonly name = 'PartialSaveError';

  /** @param unreadable paths of some that this program may not read */
  constructor(count: number, unreadable: readonly string[]) {
    super(
      `${count} files or folders of the project could not be read or did not stand still, so they are not saved` +
        (unreadable.length === 0
          ? ''
          : `, e.g. ${unreadable.map((path) => JSON.stringify(path)).join(', ')}. Make them readable (chmod u+rwX) or remove them`),
    );
  }
}

/** Somebody asked for something that cannot be done; nothing was changed. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/** The directory where a volume should be is not the volume that was prepared. Nothing is read into it or from it. */
export class VolumeNotMountedError extends Error {
  override readonly name = 'VolumeNotMountedError';
}

/** The desktop did not end within the time that a drain gives it. What was there is saved; more may come. */
export class DesktopStillRunningError extends Error {
  override readonly name = 'DesktopStillRunningError';
}
