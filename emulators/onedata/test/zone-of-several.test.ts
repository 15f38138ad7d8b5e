import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomFaults } from '../faults.ts';
import { errorOf, Given } from './given.ts';

const BETA = { id: 'provider-b', name: 'Provider B', host: 'beta.onedata.localhost' };
let given: Given;
let port: string;
beforeAll(async () => {
  given = await Given.start({
    providers: [{ ...BETA, version: '21.02.4', spaces: ['sp1', 'sp3'], readonlySpaces: ['sp1'] }],
    users: [
      { id: 'guest', spaces: ['sp2'] },
      { id: 'nobody', spaces: [] },
    ],
  });
  port = given.emulator.providerHost.split(':')[1] ?? '';
});
afterAll(() => given.dispose());

const infer = async (token: string) =>
  (await given.zone('POST', 'tokens/infer_access_token_scope', { token: null, body: { token } })).json;
const atBeta = (method: string, path: string, token = given.token) =>
  given.at(`${BETA.host}:${port}`, method, path, { token });

describe('several providers', () => {
  test('the zone says who supports what, in which way and version', async () => {
    const { spaces, providers } = (await infer(given.token)).dataAccessScope;
    expect(spaces.sp1.supports).toEqual({
      'provider-a': { readonly: false },
      'provider-b': { readonly: true },
    });
    expect(Object.keys(spaces.sp2.supports)).toEqual(['provider-a']);
    expect(Object.keys(spaces.sp3.supports)).toEqual(['provider-b']);
    expect(providers['provider-b']).toEqual({
      name: 'Provider B',
      domain: `${BETA.host}:${port}`,
      version: '21.02.4',
      online: true,
    });
    const space = await given.op('GET', 'spaces/sp1');
    expect(space.json.providers.map(({ providerId }: { providerId: string }) => providerId)).toEqual([
      'provider-a',
      'provider-b',
    ]);
  });

  test('each serves its own spaces in its own version', async () => {
    const id = await given.put('shared', 'hello');
    expect((await atBeta('GET', `data/${id}/content`)).text).toBe('hello');
    expect((await atBeta('GET', 'configuration')).json).toMatchObject({
      providerId: 'provider-b',
      version: '21.02.4',
    });
    expect((await atBeta('GET', `data/${id}`)).json.fileId).toBeUndefined();
    expect(errorOf(await atBeta('GET', 'data/sp2'))).toBe('400 spaceNotSupportedBy');
    expect((await atBeta('GET', 'data/sp3')).status).toBe(200);
    expect(errorOf(await atBeta('PUT', 'data/sp1/path/new'))).toBe('400 erofs');
  });

  test('a token for one provider is refused at the other, and the zone leaves that out', async () => {
    const token = given.mint({ type: 'service', whitelist: ['opw-provider-b'] });
    expect((await atBeta('GET', 'spaces', token)).status).toBe(200);
    expect((await given.op('GET', 'spaces', { token })).json.error.details.authError.id).toBe(
      'tokenCaveatUnverified',
    );
    expect(Object.keys((await infer(token)).dataAccessScope.providers)).toEqual(['provider-b']);
  });

  test('one that is gone breaks connections, the others go on', async () => {
    given.emulator.context.faults.apply({ offline: ['provider-b'] });
    await expect(atBeta('GET', 'configuration')).rejects.toThrow();
    expect((await infer(given.token)).dataAccessScope.providers['provider-b'].online).toBe(false);
    expect((await given.op('GET', 'configuration')).status).toBe(200);
    given.emulator.context.faults.apply({ offline: [] });
    expect((await atBeta('GET', 'configuration')).status).toBe(200);
  });
});

describe('several users', () => {
  test('a user sees the spaces that it is a member of', async () => {
    const { token } = given.emulator.mint({ userId: 'guest' });
    const { json } = await given.op('GET', 'spaces', { token });
    expect(json.map(({ spaceId }: { spaceId: string }) => spaceId)).toEqual(['sp2']);
    expect(Object.keys((await infer(token)).dataAccessScope.spaces)).toEqual(['sp2']);
    const id = await given.put('private', 'x');
    for (const path of ['spaces/sp1', 'data/sp1', `data/${id}`])
      expect(errorOf(await given.op('GET', path, { token }))).toBe('403 forbidden');
    expect(errorOf(await given.op('POST', 'lookup-file-id/lab', { token }))).toBe('400 enoent');
  });

  test('a member makes no file with content that its mode lets nobody write; the owner of the space does', async () => {
    const { token } = given.emulator.mint({ userId: 'guest' });
    const make = (path: string, body: string, own = token) =>
      given.op('PUT', `data/sp2/path/${path}`, { body, token: own });
    expect(errorOf(await make('closed?mode=444', 'x'))).toBe('400 eacces');
    expect(errorOf(await given.op('GET', 'data/sp2/path/closed'))).toBe('400 enoent');
    expect((await make('empty?mode=444', '')).status).toBe(201);
    expect((await make('owned?mode=444', 'x', given.token)).status).toBe(201);
  });

  test('who has no space here is refused as such', async () => {
    const { token } = given.emulator.mint({ userId: 'nobody' });
    const answer = await given.op('GET', 'spaces', { token });
    expect(answer.status).toBe(401);
    expect(answer.json.error.details.authError.id).toBe('userNotSupported');
    expect(() => given.emulator.mint({ userId: 'stranger' })).toThrow('there are: user-a, guest, nobody');
  });

  test('a consumer caveat asks for the one who is named', async () => {
    const token = given.mint({ type: 'consumer', whitelist: ['usr-guest'] });
    const use = async (userId: string) => {
      const identity = given.emulator.mint({ kind: 'identity', userId }).token;
      const headers = { 'x-onedata-consumer-token': identity };
      return (await given.op('GET', 'spaces', { token, headers })).status;
    };
    expect(await use('guest')).toBe(200);
    expect(await use('user-a')).toBe(401);
  });
});

describe('fault rules', () => {
  const faults = () => given.emulator.context.faults;

  test('a sick space fails by every way to it, others do not', async () => {
    const id = await given.put('sick', 'x');
    faults().add({
      space: 'sp1',
      action: { kind: 'error', status: 400, id: 'posix', details: { errno: 'eagain' } },
    });
    const calls: [string, string][] = [
      ['GET', 'data/sp1'],
      ['GET', `data/${id}`],
      ['GET', 'data/sp1/path/sick'],
      ['POST', 'lookup-file-id/lab@sp1/sick'],
      ['GET', 'spaces/sp1'],
    ];
    for (const [method, path] of calls) expect(errorOf(await given.op(method, path))).toBe('400 eagain');
    expect((await given.op('GET', 'data/sp2')).status).toBe(200);
    faults().clear();
  });

  test('an upload is refused after some bytes, which stay', async () => {
    const id = await given.put('partial');
    faults().add({ method: 'PUT', times: 1, action: { kind: 'refuse-body', afterBytes: 100_000 } });
    const body = Buffer.alloc(4_000_000, 7);
    expect(errorOf(await given.op('PUT', `data/${id}/content`, { body }))).toBe('400 enospc');
    const { size } = (await given.op('GET', `data/${id}?attributes=size`)).json;
    expect(size).toBeGreaterThanOrEqual(100_000);
    expect(size).toBeLessThan(body.length);
  });

  test('an answer without a body', async () => {
    faults().add({ times: 1, action: { kind: 'status', status: 502 } });
    expect(await given.op('GET', 'health')).toMatchObject({ status: 502, text: '' });
  });

  test('the same seed and requests meet the same faults, and the log tells them', async () => {
    const run = async (seed: number) => {
      faults().clear();
      faults().apply({ seed });
      for (const rule of randomFaults(0.4)) faults().add(rule);
      const seen: string[] = [];
      for (let count = 0; count < 40; count++) {
        seen.push(
          await given.op('GET', 'data/sp2').then(
            ({ status }) => String(status),
            () => 'broken',
          ),
        );
      }
      const struck = faults().log.map(({ kind }) => kind);
      faults().clear();
      return { seen, struck };
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
    expect(first.struck.length).toBeGreaterThan(5);
  });
});

test.each([
  ['zone and provider', { zoneHost: 'one.localhost', providerHost: 'one.localhost' }],
  [
    'two providers',
    { providers: [{ id: 'provider-b', name: 'B', host: 'Provider.onedata.localhost', spaces: [] }] },
  ],
])('%s with one host are refused with a sentence', async (_name, hosts) => {
  await expect(Given.start(hosts)).rejects.toThrow(
    /each needs one of its own\. Found: .*\. Expected: different names/,
  );
});
