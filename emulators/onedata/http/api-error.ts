/**
 * An error as Onedata answers it: `{"error":{"id","details","description"}}`. Clients match on `id` and `details`;
 * some official ones look for the errno in the description, so it stands there too.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly id: string;
  readonly details: Record<string, unknown> | undefined;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    id: string,
    details?: Record<string, unknown>,
    description = id,
    headers: Record<string, string> = {},
  ) {
    super(description);
    this.status = status;
    this.id = id;
    this.details = details;
    this.headers = headers;
  }

  get body(): { id: string; details?: Record<string, unknown>; description: string } {
    return { id: this.id, ...(this.details ? { details: this.details } : {}), description: this.message };
  }
}

export type Errno =
  | 'eacces'
  | 'eagain'
  | 'ebusy'
  | 'ecanceled'
  | 'eexist'
  | 'einval'
  | 'eisdir'
  | 'enoattr'
  | 'enodata'
  | 'enoent'
  | 'enospc'
  | 'enotdir'
  | 'eperm'
  | 'erofs'
  | 'etimedout';

/** ⚠ Every POSIX error is HTTP 400: a missing file too. */
export const posix = (errno: Errno) =>
  new ApiError(400, 'posix', { errno }, `Operation failed with POSIX error: ${errno}.`);

/** Input errors, all HTTP 400, e.g. `badValue('badValueInteger', { key: 'mode' })`. */
export const badInput = (id: string, details?: Record<string, unknown>) =>
  new ApiError(400, id, details, `Bad value provided: ${id}.`);

export const missing = (key: string) =>
  new ApiError(400, 'missingRequiredValue', { key }, `Missing required value: ${key}.`);

export const spaceNotSupported = (spaceId: string, providerId: string) =>
  new ApiError(
    400,
    'spaceNotSupportedBy',
    { spaceId, providerId },
    `Space ${spaceId} is not supported by provider ${providerId}.`,
  );

export const forbidden = (hint?: string) =>
  new ApiError(
    403,
    'forbidden',
    hint ? { hint } : undefined,
    'You are not authorized to perform this operation.',
  );

/** 401; without `authError` it says that no token was sent. */
export const unauthorized = (authError?: ApiError) =>
  new ApiError(
    401,
    'unauthorized',
    authError ? { authError: authError.body } : undefined,
    'The resource you are trying to access requires authentication.',
  );

/** Answers of the HTTP layer (404, 405, 406, 415, 416): no JSON body. */
export class BareStatus extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(status: number, headers: Record<string, string> = {}) {
    super(`HTTP ${status}`);
    this.status = status;
    this.headers = headers;
  }
}
