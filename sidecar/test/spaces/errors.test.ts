import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { classify, retryAfterOf } from '../../src/spaces/onedata/errors.ts';
import { originOf } from '../../src/spaces/onedata/host.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { SPACE_ERROR_RETRY, type SpaceError, type SpaceErrorCode } from '../../src/spaces/space-error.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

type Row = [status: number, id: string, details: Record<string, unknown> | undefined, code: SpaceErrorCode];
const posix = (errno: string, code: SpaceErrorCode): Row => [400, 'posix', { errno }, code];
const auth = (id: string, code: SpaceErrorCode, details?: object): Row => [
  401,
  'unauthorized',
  { authError: { id, details, description: id } },
  code,
];

/** The table of errors of the reference: what is answered → what it is for us. */
const TABLE: Row[] = [
  posix('enoent', 'not-found'),
  posix('eexist', 'exists'),
  posix('eacces', 'token-not-permitted'),
  posix('eperm', 'token-not-permitted'),
  posix('enotdir', 'not-a-directory'),
  posix('eisdir', 'is-a-directory'),
  posix('einval', 'bad-request'),
  posix('enospc', 'space-full'),
  [400, 'quotaExceeded', undefined, 'space-full'],
  posix('erofs', 'read-only'),
  posix('eagain', 'unavailable'),
  posix('ebusy', 'unavailable'),
  posix('etimedout', 'unavailable'),
  posix('ecanceled', 'unavailable'),
  posix('enodata', 'not-found'),
  posix('enoattr', 'not-found'),
  [400, 'missingRequiredValue', { key: 'name' }, 'bad-request'],
  [400, 'malformedData', undefined, 'bad-request'],
  [400, 'badData', { key: 'caveats' }, 'bad-request'],
  [400, 'badValueInteger', { key: 'mode' }, 'bad-request'],
  [400, 'badValueBoolean', { key: 'create_parents' }, 'bad-request'],
  [400, 'badValueString', { key: 'token' }, 'bad-request'],
  [400, 'badValueEmpty', { key: 'token' }, 'bad-request'],
  [400, 'badValueIdentifier', { key: 'id' }, 'bad-request'],
  [400, 'badValueJSON', { key: 'metadata' }, 'bad-request'],
  [400, 'badValueNotAllowed', { key: 'type', allowed: ['REG'] }, 'bad-request'],
  [400, 'badValueNotInRange', { key: 'limit', low: 1, high: 1000 }, 'bad-request'],
  [400, 'badValueTooLow', { key: 'offset', limit: 0 }, 'bad-request'],
  [400, 'badValueIdNotFound', { key: 'target_file_id' }, 'bad-request'],
  [400, 'badValueFilePath', undefined, 'invalid-name'],
  [400, 'spaceNotSupportedBy', { spaceId: 'x', providerId: 'p' }, 'space-not-supported'],
  [400, 'notSupported', undefined, 'unsupported'],
  [400, 'limitReached', { limit: 100 }, 'bad-request'],
  [400, 'tokenInvalid', undefined, 'token-invalid'],
  [400, 'badToken', undefined, 'token-invalid'],
  [400, 'tokenRevoked', undefined, 'token-invalid'],
  [400, 'tokenCaveatUnverified', { caveat: { type: 'ip', whitelist: [] } }, 'token-invalid'],
  [400, 'badValueToken', { key: 'token' }, 'token-invalid'],
  [400, 'notAnAccessToken', undefined, 'token-invalid'],
  [401, 'unauthorized', undefined, 'token-invalid'],
  auth('tokenInvalid', 'token-invalid'),
  auth('badToken', 'token-invalid'),
  auth('tokenRevoked', 'token-invalid'),
  auth('notAnAccessToken', 'token-invalid'),
  auth('tokenSubjectInvalid', 'token-invalid'),
  auth('userBlocked', 'token-invalid'),
  auth('tokenTooLarge', 'token-invalid'),
  auth('tokenServiceForbidden', 'token-not-permitted'),
  auth('userNotSupported', 'space-not-supported'),
  auth('tokenCaveatUnverified', 'token-expired', { caveat: { type: 'time', validUntil: 1_700_000_000 } }),
  auth('tokenCaveatUnverified', 'token-not-permitted', { caveat: { type: 'service', whitelist: ['opw-x'] } }),
  auth('noConnectionToOnezone', 'unavailable'),
  auth('internalServerError', 'unavailable'),
  auth('timeout', 'unavailable'),
  auth('serviceUnavailable', 'unavailable'),
  auth('temporaryFailure', 'unavailable'),
  [403, 'forbidden', undefined, 'space-unknown'],
  [404, 'notFound', undefined, 'not-found'],
  [409, 'alreadyExists', undefined, 'exists'],
  [500, 'internalServerError', { reference: 'abc' }, 'unavailable'],
  [501, 'notImplemented', undefined, 'unsupported'],
  [503, 'serviceUnavailable', undefined, 'unavailable'],
  ...[
    'timeout',
    'temporaryFailure',
    'noConnectionToOnezone',
    'noConnectionToPeerOneprovider',
    'noConnectionToClusterNode',
    'unregisteredOneprovider',
    'externalServiceOperationFailed',
  ].map((id): Row => [503, id, undefined, 'unavailable']),
];

/** Answers of the HTTP layer, without a body. */
const BARE: [status: number, code: SpaceErrorCode][] = [
  [404, 'bad-request'],
  [405, 'bad-request'],
  [406, 'bad-request'],
  [415, 'bad-request'],
  [416, 'bad-range'],
  [429, 'unavailable'],
  [502, 'unavailable'],
  [503, 'unavailable'],
];

/** The whole table, written out from the reference by itself, so that no row of it is forgotten above. */
const REFERENCE: string[] = [
  ...'enoent eexist eacces eperm enotdir eisdir einval enospc erofs eagain ebusy etimedout ecanceled enodata enoattr'
    .split(' ')
    .map((errno) => `400 posix ${errno}`),
  ...'quotaExceeded missingRequiredValue malformedData badData badValueInteger badValueBoolean badValueString badValueEmpty badValueIdentifier badValueJSON badValueFilePath badValueNotAllowed badValueNotInRange badValueTooLow badValueIdNotFound spaceNotSupportedBy notSupported limitReached'
    .split(' ')
    .map((id) => `400 ${id}`),
  '401 unauthorized',
  ...'tokenInvalid badToken tokenRevoked tokenCaveatUnverified tokenServiceForbidden notAnAccessToken tokenSubjectInvalid userBlocked userNotSupported tokenTooLarge noConnectionToOnezone internalServerError timeout serviceUnavailable temporaryFailure'
    .split(' ')
    .map((id) => `401 unauthorized ${id}`),
  '403 forbidden',
  '404 notFound',
  '409 alreadyExists',
  '500 internalServerError',
  '501 notImplemented',
  ...'serviceUnavailable timeout temporaryFailure noConnectionToOnezone noConnectionToPeerOneprovider noConnectionToClusterNode unregisteredOneprovider externalServiceOperationFailed'
    .split(' ')
    .map((id) => `503 ${id}`),
];

const context = { host: 'provider.example.org', spaceId: 'sp1', path: 'dir/file' };

describe('the table of errors', () => {
  let given: GivenEmulator;
  let space: Space;
  beforeAll(async () => {
    given = await givenEmulator();
    space = given.open(await given.addSpace());
  });
  afterAll(async () => {
    await space.close();
    await given.dispose();
  });

  test.each(TABLE)('%d %s %j is %s', async (status, id, details, code) => {
    given.emulator.context.faults.add({
      path: '/spaces/',
      times: 1,
      action: { kind: 'error', status, id, ...(details ? { details } : {}) },
    });
    const error = await space.check().then(
      () => undefined,
      (caught: SpaceError) => caught,
    );
    expect(error?.code).toBe(code);
    expect(error?.retry).toBe(SPACE_ERROR_RETRY[code]);
    expect(error?.message).toMatch(/\.$/);
    if (status === 401) expect(error?.retryAfterMs).toBeGreaterThanOrEqual(10_000);
    await space.check();
  });

  test.each(BARE)('%d without a body is %s', async (status, code) => {
    given.emulator.context.faults.add({ path: '/spaces/', times: 1, action: { kind: 'status', status } });
    await expect(space.check()).rejects.toMatchObject({ code, retry: SPACE_ERROR_RETRY[code] });
  });
});

describe('what stands between', () => {
  let given: GivenEmulator;
  let space: Space;
  beforeAll(async () => {
    given = await givenEmulator();
    space = given.open(await given.addSpace());
    await space.makeDirectory('dir');
    await space.write('dir/file', contentOf('content'));
    await space.makeSymlink('dir/link', 'file');
  });
  afterAll(async () => {
    await space.close();
    await given.dispose();
  });

  const collect = async (items: AsyncIterable<unknown>) => {
    for await (const _ of items);
  };
  const calls: [string, (space: Space) => Promise<unknown>][] = [
    ['check', (it) => it.check()],
    ['list', (it) => collect(it.list({ path: 'dir' }))],
    ['stat', (it) => it.stat({ path: 'dir/file' })],
    ['read', (it) => collect(it.read({ path: 'dir/file' }))],
    ['readSymlink', (it) => it.readSymlink({ path: 'dir/link' })],
    ['write', (it) => it.write('dir/file', contentOf('new'))],
    ['move', (it) => it.move({ path: 'dir/file', kind: 'file' }, 'dir/other')],
    ['removeFile', (it) => it.removeFile('dir/file')],
    ['removeTree', (it) => it.removeTree('dir')],
  ];
  test.each(calls)('a web page with 200 is no answer to %s', async (_name, call) => {
    const { faults } = given.emulator.context;
    faults.add({ path: '/(data|cdmi|spaces|lookup)', action: { kind: 'wrong-answer' } });
    await expect(call(space)).rejects.toMatchObject({ code: 'unavailable' });
    faults.clear();
    expect(await space.stat({ path: 'dir/file' })).not.toBeNull();
  });

  test('a time to come back is kept to, a minute at most', async () => {
    const { faults } = given.emulator.context;
    for (const [retryAfterSeconds, retryAfterMs] of [
      [7, 7_000],
      [86_400, 60_000],
    ] as const) {
      faults.add({ path: '/spaces/', times: 1, action: { kind: 'status', status: 429, retryAfterSeconds } });
      await expect(space.check()).rejects.toMatchObject({ code: 'unavailable', retryAfterMs });
    }
    const now = Date.parse('2026-05-04T12:00:00Z');
    expect(retryAfterOf('Mon, 04 May 2026 12:00:05 GMT', now)).toBe(5_000);
    expect(retryAfterOf('Mon, 04 May 2026 11:00:00 GMT', now)).toBe(0);
    expect([retryAfterOf('soon', now), retryAfterOf(undefined, now)]).toEqual([undefined, undefined]);
  });

  test('a redirect that is none to an archive is no directory', () => {
    expect(classify(302, '', context).code).toBe('unavailable');
  });
});

test('every id and errno of the table of errors has its row', () => {
  const rows = new Set(
    TABLE.flatMap(([status, id, details]) => {
      const inner = (details?.authError as { id: string } | undefined)?.id;
      return [`${status} ${id}${inner ? ` ${inner}` : ''}${details?.errno ? ` ${details.errno}` : ''}`];
    }),
  );
  const missing = REFERENCE.filter((row) => !rows.has(row));
  expect(missing).toEqual([]);
});

describe('sentences', () => {
  const body = (id: string, details?: object) =>
    JSON.stringify({ error: { id, details, description: 'never read' } });

  test('an expired token says when, a foreign host says whose it is', () => {
    const caveat = { type: 'time', validUntil: 1_700_000_000 };
    const expired = classify(
      401,
      body('unauthorized', { authError: { id: 'tokenCaveatUnverified', details: { caveat } } }),
      context,
    );
    expect(expired.message).toBe(
      'The Onedata token for space sp1 has expired at 2023-11-14 22:13 UTC. Make a new access token in the web page of your Onedata zone and set it.',
    );
    expect(classify(403, body('forbidden'), context).message).toBe(
      "The provider provider.example.org knows no space sp1 that this token's owner belongs to. Check the space id (the id, not the name).",
    );
  });

  test('an answer that is no Onedata error is judged by its status', () => {
    expect(classify(502, '<html>bad gateway</html>', context).code).toBe('unavailable');
    expect(classify(429, '', context).code).toBe('unavailable');
    expect(classify(405, '', context).code).toBe('bad-request');
  });

  test.each([
    ['https://provider.example.org', 'an address with a scheme', 'provider.example.org'],
    ['provider.example.org/spaces', 'a host with a path', 'provider.example.org'],
    ['https://provider.example.org:8443/x', 'an address with a scheme', 'provider.example.org:8443'],
  ])('%s is told to be %s', (host, found, advice) => {
    expect(() => originOf(host)).toThrow(`is ${found}: write only "${advice}".`);
  });

  test('a host name with or without a port is taken', () => {
    expect(originOf('provider.example.org')).toBe('https://provider.example.org');
    expect(originOf(' 127.0.0.1:8443 ')).toBe('https://127.0.0.1:8443');
    expect(() => originOf('my provider')).toThrow('no host name');
  });
});
