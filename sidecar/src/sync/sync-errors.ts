/** The volume holds work that is in no save, and the space has gone on without it. A person has to choose. */
export class UnsavedWorkError extends Error {
  override readonly name = 'UnsavedWorkError';
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
