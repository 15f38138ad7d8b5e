import type { FaultRule } from '../../../emulators/onedata/faults.ts';

/** What a provider, or whatever stands before it, can answer to a request: all but what was asked for. */

type Action = FaultRule['action'];

const raw = (head: string, body = '', length: number | null = body.length): Action => ({
  kind: 'raw-answer',
  bytes: `HTTP/1.1 ${head}\r\n${length === null ? '' : `content-length: ${length}\r\n`}connection: close\r\n\r\n${body}`,
});
const status = (code: number, retryAfterSeconds?: number): Action => ({
  kind: 'status',
  status: code,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
});
const posix = (errno: string): Action => ({ kind: 'error', status: 400, id: 'posix', details: { errno } });
const error = (code: number, id: string, details?: Record<string, unknown>): Action => ({
  kind: 'error',
  status: code,
  id,
  ...(details === undefined ? {} : { details }),
});
const PAGE = '<!doctype html><title>502 Bad Gateway</title><h1>502</h1>';
const html = 'content-type: text/html\r\n';
const json = 'content-type: application/json\r\n';
const bytes = 'content-type: application/octet-stream\r\n';
/** An answer of 200 with so much less than there is, or more. */
const OTHER_BYTES = 'other bytes than those of the file';

const GROUPED: Readonly<Record<string, Readonly<Record<string, Action>>>> = {
  'errors of the storage': {
    ...Object.fromEntries(
      'eacces eperm enoent eio erofs enospc edquot estale enametoolong eagain ebusy etimedout ecanceled eisdir enotdir einval eexist'
        .split(' ')
        .map((errno) => [`posix ${errno}`, posix(errno)]),
    ),
  },
  'errors of Onedata': {
    '401 unauthorized': error(401, 'unauthorized'),
    '401 with a zone out of reach': error(401, 'unauthorized', {
      authError: { id: 'noConnectionToOnezone', description: 'no connection' },
    }),
    '403 forbidden': error(403, 'forbidden'),
    '404 notFound': error(404, 'notFound'),
    '400 with an id that nobody knows': error(400, 'somethingNew', { key: 'x' }),
    '500 internalServerError': error(500, 'internalServerError', { reference: 'abc' }),
    '503 serviceUnavailable': error(503, 'serviceUnavailable'),
    '429 with the words to wait': { ...error(429, 'limitReached'), retryAfterSeconds: 1 } as Action,
  },
  'bare answers': {
    ...Object.fromEntries(
      [
        400, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 418, 421, 422, 423, 425, 426,
        428, 431, 451,
      ]
        .concat([500, 501, 502, 503, 504, 505, 507, 508, 511, 599])
        .map((code) => [`bare ${code}`, status(code)]),
    ),
    '502 with a page': raw(`502 Bad Gateway\r\n${html}`.trimEnd(), PAGE),
  },
  'words to wait': {
    '429 and the words to wait a day': status(429, 86_400),
    '503 and the words to wait two hours': status(503, 7_200),
  },
  redirects: {
    '301 to nowhere': raw('301 Moved Permanently'),
    '302 to another host': raw('302 Found\r\nlocation: https://elsewhere.invalid/x'),
    '307 to itself': raw('307 Temporary Redirect\r\nlocation: ?again'),
    '308 to a file': raw('308 Permanent Redirect\r\nlocation: file:///etc/passwd'),
    '304': raw('304 Not Modified', '', null),
  },
  'success that is none': {
    '200 with a page': { kind: 'wrong-answer' },
    '200 with nothing': raw('200 OK'),
    '200 with other bytes': raw(`200 OK\r\n${bytes}`.trimEnd(), OTHER_BYTES),
    '200 that ends early': raw(`200 OK\r\n${bytes}`.trimEnd(), OTHER_BYTES, 100_000),
    '200 without a length that ends early': raw(`200 OK\r\n${bytes}`.trimEnd(), OTHER_BYTES, null),
    '200 in chunks that end early': raw('200 OK\r\ntransfer-encoding: chunked', 'ff\r\nshort', null),
    '200 with a length that is no number': raw('200 OK\r\ncontent-length: many', OTHER_BYTES, null),
    '200 that says gzip and is not': raw('200 OK\r\ncontent-encoding: gzip', OTHER_BYTES),
    '200 with the word null': raw(`200 OK\r\n${json}`.trimEnd(), 'null'),
    '200 with a list': raw(`200 OK\r\n${json}`.trimEnd(), '[]'),
    '200 with half of JSON': raw(`200 OK\r\n${json}`.trimEnd(), '{"fileId":"00'),
    '204': raw('204 No Content', '', null),
    '205': raw('205 Reset Content'),
    '206 of another range': raw('206 Partial Content\r\ncontent-range: bytes 90-99/100', '0123456789'),
    '206 of no range': raw('206 Partial Content', '0123456789'),
  },
  'no HTTP at all': {
    'another protocol': { kind: 'raw-answer', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' },
    'a header without an end': {
      kind: 'raw-answer',
      bytes: `HTTP/1.1 200 OK\r\nx-long: ${'a'.repeat(200_000)}`,
    },
    'a status beyond all numbers': raw('1000 Much'),
    'nothing, and the end of the connection': { kind: 'raw-answer', bytes: '' },
    'the end of the connection at once': { kind: 'cut' },
    'the end of the connection afterwards': { kind: 'lose-answer' },
    'a body that ends early': { kind: 'truncate-body', afterBytes: 3 },
    'a body that stops': { kind: 'stall-body', afterBytes: 3 },
    'a slow answer': { kind: 'latency', milliseconds: 1_000 },
  },
};

/** Names of answers, by what they have in common. */
export const GROUPS: readonly (readonly [string, readonly string[]])[] = Object.entries(GROUPED).map(
  ([group, answers]) => [group, Object.keys(answers)],
);
export const ANSWERS: Readonly<Record<string, Action>> = Object.assign({}, ...Object.values(GROUPED));

/** Those after which the work is done, for one file or for all. */
export const HARMLESS: ReadonlySet<string> = new Set(['a slow answer']);
