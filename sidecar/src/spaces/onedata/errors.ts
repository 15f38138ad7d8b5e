import * as z from 'zod';
import { parseJson } from '../../../contract/parse-json.ts';
import { judgeRefusal, type Refusal, unknownRefusal } from '../../../contract/token-judgement.ts';
import { SpaceError, type SpaceErrorCode } from '../space-error.ts';
import { codeOfCause } from './error-code.ts';

/** What the request was for, so that a message can name it. */
export interface ErrorContext {
  readonly host: string;
  readonly spaceId: string;
  readonly path?: string | undefined;
}

const innerSchema = z.object({ id: z.string(), details: z.record(z.string(), z.unknown()).optional() });
const bodySchema = z.object({ error: innerSchema });

/** ⚠ A refused token is remembered by the provider for about this long; asking sooner gives the same answer. */
const TOKEN_RETRY_MS = 10_000;

/** POSIX errors, all of them HTTP 400. What is not listed is what unknown internal errors become: passing. */
const ERRNO_CODES: Readonly<Record<string, SpaceErrorCode>> = {
  enoent: 'not-found',
  eexist: 'exists',
  enotdir: 'not-a-directory',
  eisdir: 'is-a-directory',
  enotempty: 'not-empty',
  einval: 'bad-request',
  enametoolong: 'invalid-name',
  enodata: 'not-found',
  enoattr: 'not-found',
  enospc: 'space-full',
  edquot: 'space-full',
  erofs: 'read-only',
  eacces: 'token-not-permitted',
  eperm: 'token-not-permitted',
};

/** Error ids of HTTP 400 and above that are not about a token. */
const ID_CODES: Readonly<Record<string, SpaceErrorCode>> = {
  quotaExceeded: 'space-full',
  spaceNotSupportedBy: 'space-not-supported',
  forbidden: 'space-unknown',
  badValueFilePath: 'invalid-name',
  notSupported: 'unsupported',
  notImplemented: 'unsupported',
  alreadyExists: 'exists',
  notFound: 'not-found',
  serviceUnavailable: 'unavailable',
  timeout: 'unavailable',
  temporaryFailure: 'unavailable',
  internalServerError: 'unavailable',
  noConnectionToOnezone: 'unavailable',
  noConnectionToPeerOneprovider: 'unavailable',
  noConnectionToClusterNode: 'unavailable',
  unregisteredOneprovider: 'unavailable',
  externalServiceOperationFailed: 'unavailable',
};

/** ⚠ A 401 that says nothing about the token: the provider could not ask its zone. */
const PASSING_AUTH_ERRORS: ReadonlySet<string> = new Set([
  'noConnectionToOnezone',
  'internalServerError',
  'timeout',
  'serviceUnavailable',
  'temporaryFailure',
]);

/** Turns an answer outside 2xx into the error of the table in the reference; text of the answer is never looked at. */
export function classify(
  status: number,
  body: string,
  context: ErrorContext,
  retryAfterMs?: number,
): SpaceError {
  const error = parse(body);
  if (status === 401) return authError(error, context);
  const errno = error?.id === 'posix' ? String(error.details?.errno ?? '') : undefined;
  const code = codeOf(status, error?.id, errno);
  const reason = errno ? `posix ${errno}` : (error?.id ?? `HTTP ${status}`);
  return new SpaceError(code, sentence(code, reason, context), {
    ...(context.path === undefined ? {} : { path: context.path }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    cause: new Error(`HTTP ${status} ${reason} from ${context.host}`),
  });
}

function codeOf(status: number, id: string | undefined, errno: string | undefined): SpaceErrorCode {
  if (errno !== undefined) return ERRNO_CODES[errno] ?? 'unavailable';
  const known = id === undefined ? undefined : ID_CODES[id];
  if (known) return known;
  if (id !== undefined && isTokenError(id)) return 'token-invalid';
  if (status === 403) return 'space-unknown';
  if (status === 416) return 'bad-range';
  // ⚠ A redirect, but not to the archive of a directory: a gateway in between wants something first.
  if (status === 429 || status >= 500 || status < 400) return 'unavailable';
  return 'bad-request';
}

/** Nobody means more by it; a wait goes on for as long as it is asked for anyway. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** Milliseconds that a `Retry-After` header asks for: seconds or a date. undefined: none, or nothing of the kind. */
export function retryAfterOf(header: string | undefined, nowMs = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), LONGEST_RETRY_AFTER_MS);
}

const isTokenError = (id: string) => /^(token|badToken|badValueToken|notAn?[A-Z]\w*Token)/.test(id);

function parse(body: string): z.infer<typeof innerSchema> | undefined {
  return bodySchema.safeParse(parseJson(body)).data?.error;
}

function authError(error: z.infer<typeof innerSchema> | undefined, context: ErrorContext): SpaceError {
  const inner = innerSchema.safeParse(error?.details?.authError).data;
  if (inner && PASSING_AUTH_ERRORS.has(inner.id)) {
    return new SpaceError(
      'unavailable',
      `The Onedata provider ${context.host} cannot check the token now (${inner.id}): its zone does not answer.`,
      { retryAfterMs: TOKEN_RETRY_MS },
    );
  }
  return tokenError(inner, context);
}

/** The error of a token that was refused, from the token error itself. */
export function tokenError(refusal: Refusal | undefined, context: ErrorContext): SpaceError {
  const { code, message } =
    (refusal && judgeRefusal(refusal, context)) ?? unknownRefusal(refusal?.id, context);
  return new SpaceError(code, message, { retryAfterMs: TOKEN_RETRY_MS });
}

function sentence(code: SpaceErrorCode, reason: string, { host, spaceId, path }: ErrorContext): string {
  const where = path ? `${JSON.stringify(path)} in space ${spaceId}` : `space ${spaceId}`;
  switch (code) {
    case 'space-unknown':
      return `The provider ${host} knows no space ${spaceId} that this token's owner belongs to. Check the space id (the id, not the name).`;
    case 'space-not-supported':
      return `The provider ${host} does not support space ${spaceId}. Check the host and the space id (the id, not the name).`;
    case 'space-full':
      return `Onedata space ${spaceId} has no free room at ${host}. Free some or ask for a larger quota; saving continues automatically then.`;
    case 'token-not-permitted':
      return `The token may not do this with ${where} at ${host} (${reason}). Check that it allows this space, and writing where it is the project space.`;
    case 'read-only':
      return `The storage of space ${spaceId} at ${host} can only be read.`;
    case 'unavailable':
      return `The Onedata provider ${host} cannot serve ${where} now (${reason}).`;
    default:
      return `Onedata refused the request for ${where} at ${host}: ${reason}.`;
  }
}

const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS/;
const CONNECTION_REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
};
const STALL_CODES: ReadonlySet<string> = new Set(['UND_ERR_BODY_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT']);

/** A request that got no whole answer: name, route, TLS, a connection that broke or stood still. */
export function connectionError(error: unknown, { host, path }: ErrorContext, isInBody: boolean): SpaceError {
  if (error instanceof SpaceError) return error;
  const code = codeOfCause(error);
  const options = { ...(path === undefined ? {} : { path }), cause: error };
  if (STALL_CODES.has(code)) {
    return new SpaceError(
      'stalled',
      `The Onedata provider ${host} sent nothing for too long${path ? ` (${path})` : ''}.`,
      options,
    );
  }
  if (CERTIFICATE_CODES.test(code)) {
    return new SpaceError(
      'unreachable',
      `The certificate of the Onedata host ${host} is not trusted (${code}). Check the host; a provider with its own certificate authority needs that authority in the configuration.`,
      options,
    );
  }
  if (isInBody)
    return new SpaceError(
      'transfer-broken',
      `The transfer of ${path ?? 'an answer'} from ${host} broke off (${code}).`,
      options,
    );
  const reason = CONNECTION_REASONS[code] ?? code;
  return new SpaceError(
    'unreachable',
    `The Onedata provider ${host} cannot be reached: ${reason}. Check the host and the network.`,
    options,
  );
}
