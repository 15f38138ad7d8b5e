import { SpaceError, type SpaceErrorCode } from './space.ts';

/** What the system says of a directory, as errors of a space. */

export const ERRNO_CODES: Record<string, SpaceErrorCode> = {
  ENOENT: 'not-found',
  EEXIST: 'exists',
  ENOTDIR: 'not-a-directory',
  EISDIR: 'is-a-directory',
  ENOTEMPTY: 'not-empty',
  ENAMETOOLONG: 'invalid-name',
  EACCES: 'token-not-permitted',
  EPERM: 'token-not-permitted',
  EROFS: 'read-only',
  ENOSPC: 'space-full',
  EDQUOT: 'space-full',
  ELOOP: 'bad-request',
  // "Transport endpoint is not connected": the client behind a FUSE mount has ended.
  ENOTCONN: 'not-mounted',
  ESTALE: 'not-mounted',
  EIO: 'unavailable',
  EBUSY: 'unavailable',
  EAGAIN: 'unavailable',
  EMFILE: 'unavailable',
  ETIMEDOUT: 'unavailable',
};

export function fail(code: SpaceErrorCode, path: string, what: string): SpaceError {
  return new SpaceError(code, `${path === '' ? 'the root' : path} ${what}`, { path });
}

/** Nothing is there. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '');
}

export function translate(error: unknown, path: string): unknown {
  const errno = (error as NodeJS.ErrnoException | undefined)?.code;
  if (error instanceof SpaceError || errno === undefined) return error;
  const code = ERRNO_CODES[errno];
  if (code === undefined) return error;
  return new SpaceError(code, `${path === '' ? 'the mounted space' : path}: ${errno}`, {
    path,
    cause: error,
  });
}
