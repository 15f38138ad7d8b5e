/**
 * What can go wrong with a space, whatever holds it. Code decides behaviour; text is for people.
 *
 * Retry classes: `never` the same call fails again; `soon` a passing fault (seconds); `late` something outside must
 * change first (a token, free room, a server that is back), so ask again every minute or so and say what is wrong.
 */
export const SPACE_ERROR_RETRY = {
  /** Nothing has this path or id. */
  'not-found': 'never',
  /** A create or a directory move met an existing entry. */
  exists: 'never',
  'not-a-directory': 'never',
  'is-a-directory': 'never',
  'not-empty': 'never',
  /** The space cannot hold this name (reserved, too long, not text). */
  'invalid-name': 'never',
  /** The space cannot do this at all, see its capabilities. */
  unsupported: 'never',
  /** A range began beyond the end of the file. */
  'bad-range': 'never',
  /** A call that is wrong in itself: a fault of this program. */
  'bad-request': 'never',
  /** A listing ended early, or part of it is not visible to this token. What is missing in it is unknown, not gone. */
  'listing-incomplete': 'soon',
  /** A body came short, or was longer than announced. */
  'transfer-broken': 'soon',
  /** No byte moved for the stall time. */
  stalled: 'soon',
  /** The server answers, but not now: overload, start-up, a sick storage, its own zone out of reach. */
  unavailable: 'soon',
  /** The server does not answer: name, route, TLS or connection. */
  unreachable: 'soon',
  /** What should be mounted is not, or the mount is stale. What is missing in it is unknown, not gone. */
  'not-mounted': 'soon',
  /** The space says things of an entry that cannot be: what the entry is, and whether it is there, is unknown. */
  'odd-entry': 'late',
  'token-invalid': 'late',
  'token-expired': 'late',
  /** The token is good, but not for this: read-only, another path, another interface. */
  'token-not-permitted': 'late',
  'space-unknown': 'late',
  /** The space exists; this provider does not support it. */
  'space-not-supported': 'late',
  'space-full': 'late',
  /** The storage behind the space is read-only. */
  'read-only': 'late',
} as const satisfies Record<string, RetryClass>;

export type RetryClass = 'never' | 'soon' | 'late';
export type SpaceErrorCode = keyof typeof SPACE_ERROR_RETRY;

/** The only kind of error that a `Space` throws on purpose. Messages hold no token and no authorization header. */
export class SpaceError extends Error {
  override readonly name = 'SpaceError';
  readonly code: SpaceErrorCode;
  /** Path within the space, where one is concerned. */
  readonly path: string | undefined;
  /** Least wait before another attempt makes sense, e.g. 10 s for a token that the server has just refused. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: SpaceErrorCode,
    message: string,
    options: { path?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.path = options.path;
    this.retryAfterMs = options.retryAfterMs;
  }

  get retry(): RetryClass {
    return SPACE_ERROR_RETRY[this.code];
  }
}

export function isSpaceError(error: unknown, ...codes: SpaceErrorCode[]): error is SpaceError {
  return error instanceof SpaceError && (codes.length === 0 || codes.includes(error.code));
}

/** Where a file of the engine should be read lies something else: a directory, or a link, which a mounted space does not follow. */
export function isNoFile(error: unknown): error is SpaceError {
  return isSpaceError(error, 'is-a-directory', 'bad-request');
}

/** No file lies there: nothing does, or something else. */
export function isWithoutFile(error: unknown): error is SpaceError {
  return isSpaceError(error, 'not-found') || isNoFile(error);
}
