import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathCaveat } from '../access.ts';
import { caveatText, parseCaveat } from '../tokens/caveats.ts';
import { parseMacaroon, serialiseMacaroon } from '../tokens/macaroon.ts';
import type { Caveat } from '../tokens.ts';
import { errorOf, Given } from './given.ts';

let given: Given;
beforeAll(async () => {
  given = await Given.start();
});
afterAll(() => given.dispose());

const past: Caveat = { type: 'time', validUntil: 1_700_000_000 };
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('tokens at the provider', () => {
  test('configuration and health are public, everything else is not', async () => {
    const configuration = await given.op('GET', 'configuration', { token: null });
    expect(configuration.json).toMatchObject({
      providerId: 'provider-a',
      version: '21.02.8',
      domain: given.emulator.providerHost,
      onezoneDomain: given.emulator.zoneHost,
    });
    expect((await given.op('GET', 'health', { token: null })).json).toEqual({ status: 'healthy' });
    const refused = await given.op('GET', 'spaces', { token: null });
    expect(refused.status).toBe(401);
    expect(refused.json.error.id).toBe('unauthorized');
    expect(refused.json.error.details).toBeUndefined();
  });

  test.each(['x-auth-token', 'authorization', 'macaroon'])('%s carries a token', async (header) => {
    const value = header === 'authorization' ? `Bearer ${given.token}` : given.token;
    expect((await given.op('GET', 'spaces', { token: null, headers: { [header]: value } })).status).toBe(200);
  });

  const refusals: [string, () => string, object][] = [
    ['rubbish', () => 'rubbish', { id: 'badToken' }],
    ['a changed signature', () => changeSignature(given.token), { id: 'tokenInvalid' }],
    ['an identity token', () => given.emulator.mint({ kind: 'identity' }).token, { id: 'notAnAccessToken' }],
    ['an invite token', () => given.emulator.mint({ kind: 'invite' }).token, { id: 'notAnAccessToken' }],
    ['an expired token', () => given.mint(past), { id: 'tokenCaveatUnverified', details: { caveat: past } }],
    [
      'another service',
      () => given.mint({ type: 'service', whitelist: ['opw-other'] }),
      { id: 'tokenCaveatUnverified' },
    ],
    [
      'oneclient only',
      () => given.mint({ type: 'interface', interface: 'oneclient' }),
      { id: 'tokenCaveatUnverified' },
    ],
    [
      'another address',
      () => given.mint({ type: 'ip', whitelist: ['10.0.0.0/8'] }),
      { id: 'tokenCaveatUnverified' },
    ],
    [
      'no consumer',
      () => given.mint({ type: 'consumer', whitelist: ['usr-user-a'] }),
      { id: 'tokenCaveatUnverified' },
    ],
  ];
  test.each(refusals)('%s is refused with 401 and its own reason', async (_name, token, reason) => {
    const answer = await given.op('GET', 'spaces', { token: token() });
    expect(answer.status).toBe(401);
    expect(answer.json.error.details.authError).toMatchObject(reason);
  });

  test('a revoked token is refused, others stay', async () => {
    const { token, id } = given.emulator.mint();
    expect((await given.op('GET', 'spaces', { token })).status).toBe(200);
    given.emulator.revoke(id);
    expect((await given.op('GET', 'spaces', { token })).json.error.details.authError.id).toBe('tokenRevoked');
    expect((await given.op('GET', 'spaces')).status).toBe(200);
  });

  test('caveats that hold let through', async () => {
    const token = given.mint(
      { type: 'time', validUntil: 4_000_000_000 },
      { type: 'service', whitelist: ['opw-*'] },
      { type: 'ip', whitelist: ['127.0.0.0/8'] },
      { type: 'interface', interface: 'rest' },
    );
    expect((await given.op('GET', 'spaces', { token })).status).toBe(200);
    const identity = given.emulator.mint({ kind: 'identity' }).token;
    const consumer = given.mint({ type: 'consumer', whitelist: ['usr-user-a'] });
    const headers = { 'x-onedata-consumer-token': identity };
    expect((await given.op('GET', 'spaces', { token: consumer, headers })).status).toBe(200);
  });

  test('data.readonly refuses every kind of write with eacces', async () => {
    const id = await given.put('ro/file', 'x');
    const token = given.mint({ type: 'data.readonly' });
    expect((await given.op('GET', `data/${id}/content`, { token })).text).toBe('x');
    const writes = [
      given.op('PUT', `data/${id}/content`, { token, body: 'y' }),
      given.op('PUT', 'data/sp1/path/ro/new', { token }),
      given.op('DELETE', `data/${id}`, { token }),
      given.op('PUT', `data/${id}`, { token, body: { mode: '600' } }),
      given.op('PUT', `data/${id}/metadata/xattrs`, { token, body: { a: 1 } }),
    ];
    for (const answer of await Promise.all(writes)) expect(errorOf(answer)).toBe('400 eacces');
    expect((await given.op('GET', `data/${id}/content`)).text).toBe('x');
  });

  test('data.path hides other spaces and shows only the way to what is allowed', async () => {
    await given.put('open/deep/file', 'x');
    await given.put('open/secret', 'x');
    await given.put('closed/file', 'x');
    const token = given.mint({ type: 'data.path', whitelist: [base64('/sp1/open/deep')] });
    const names = async (path: string) =>
      (await given.op('GET', path, { token })).json.children.map((child: { name: string }) => child.name);
    expect((await given.op('GET', 'spaces', { token })).json).toHaveLength(1);
    expect(await names('data/sp1/children')).toEqual(['open']);
    const { fileId } = (await given.op('POST', 'lookup-file-id/lab/open', { token })).json;
    expect(await names(`data/${fileId}/children`)).toEqual(['deep']);
    expect((await given.op('GET', 'data/sp1/path/open/deep/file', { token })).text).toBe('x');
    for (const path of ['data/sp1/path/open/secret', 'data/sp1/path/closed/file']) {
      expect(errorOf(await given.op('GET', path, { token }))).toBe('400 eacces');
    }
    expect(errorOf(await given.op('GET', 'spaces/sp2', { token }))).toBe('400 eacces');
    expect(errorOf(await given.op('PUT', 'data/sp1/path/open/new', { token }))).toBe('400 eacces');
    expect((await given.op('PUT', 'data/sp1/path/open/deep/new', { token })).status).toBe(201);
  });

  test('data.objectid allows a subtree by the id of its top', async () => {
    await given.put('byid/top/file', 'x');
    const { fileId } = (await given.op('POST', 'lookup-file-id/lab/byid/top')).json;
    const token = given.mint({ type: 'data.objectid', whitelist: [fileId] });
    expect((await given.op('GET', 'data/sp1/path/byid/top/file', { token })).text).toBe('x');
    expect((await given.op('GET', 'data/sp1/children', { token })).json.children).toMatchObject([
      { name: 'byid' },
    ]);
  });
});

describe('macaroons', () => {
  const caveats: Caveat[] = [
    { type: 'time', validUntil: 1_790_000_000 },
    { type: 'ip', whitelist: ['10.0.0.0/8', '192.0.2.1'] },
    { type: 'asn', whitelist: [64_496] },
    { type: 'geo.country', filter: 'blacklist', list: ['AQ'] },
    { type: 'geo.region', filter: 'whitelist', list: ['Europe'] },
    { type: 'service', whitelist: ['opw-*', 'ozw-onezone'] },
    { type: 'consumer', whitelist: ['usr-*'] },
    { type: 'interface', interface: 'rest' },
    { type: 'api', whitelist: ['all'] },
    { type: 'data.readonly' },
    { type: 'data.path', whitelist: [base64('/sp1/a|b'), base64('/sp2')] },
    { type: 'data.objectid', whitelist: ['abc', 'def'] },
  ];

  test('every kind of caveat keeps what it says as text', () => {
    for (const caveat of caveats) expect(parseCaveat(caveatText(caveat))).toEqual(caveat);
    expect(caveats.slice(0, 4).map(caveatText)).toEqual([
      'time < 1790000000',
      'ip = 10.0.0.0/8|192.0.2.1',
      'asn = 64496',
      'geo.country != AQ',
    ]);
    for (const text of ['', 'time < soon', 'time', 'unknown = x', 'data.path = !', 'interface = x'])
      expect(() => parseCaveat(text)).toThrow();
  });

  test('a token holds letters and digits alone and says what it is', () => {
    const token = given.mint(...caveats);
    expect(token).toMatch(/^MDA[0-9A-Za-z]+$/);
    expect(parseMacaroon(token)).toMatchObject({
      location: 'onezone.onedata.localhost',
      identifier: expect.stringMatching(/^2\/nmd\/usr-user-a\/act\/[0-9a-f]{32}$/),
      caveats: caveats.map(caveatText),
    });
    expect(serialiseMacaroon(parseMacaroon(token))).toBe(token);
    for (const broken of ['', 'M', '06', token.slice(0, -10), token.slice(4), `${token}AAAA`])
      expect(() => parseMacaroon(broken)).toThrow();
  });

  test('temporary tokens need an end and are revoked all at once', async () => {
    expect(() => given.emulator.mint({ persistence: 'temporary' })).toThrow('time');
    const caveat: Caveat = { type: 'time', validUntil: 4_000_000_000 };
    const { token } = given.emulator.mint({ persistence: 'temporary', caveats: [caveat] });
    const examined = await given.zone('POST', 'tokens/examine', { token: null, body: { token } });
    expect(examined.json.persistence).toBe('temporary');
    expect((await given.op('GET', 'spaces', { token })).status).toBe(200);
    given.emulator.revokeTemporary('user-a');
    expect((await given.op('GET', 'spaces', { token })).json.error.details.authError.id).toBe('tokenRevoked');
    const later = given.emulator.mint({ persistence: 'temporary', caveats: [caveat] });
    expect((await given.op('GET', 'spaces', { token: later.token })).status).toBe(200);
    expect((await given.op('GET', 'spaces')).status).toBe(200);
  });
});

describe('the zone', () => {
  const infer = (token: string) =>
    given.zone('POST', 'tokens/infer_access_token_scope', { token: null, body: { token } });

  test('infer scope says spaces, who supports them, providers and expiry', async () => {
    const answer = await infer(
      given.mint({ type: 'time', validUntil: 4_000_000_000 }, { type: 'data.readonly' }),
    );
    expect(answer.json).toEqual({
      validUntil: 4_000_000_000,
      dataAccessScope: {
        readonly: true,
        spaces: {
          sp1: { name: 'lab', supports: { 'provider-a': { readonly: false } } },
          sp2: { name: 'other', supports: { 'provider-a': { readonly: false } } },
          sp3: { name: 'elsewhere', supports: {} },
        },
        providers: {
          'provider-a': {
            name: 'Provider A',
            domain: given.emulator.providerHost,
            version: '21.02.8',
            online: true,
          },
        },
      },
    });
    const limited = await infer(given.mint(pathCaveat(['sp2'])));
    expect(limited.json.validUntil).toBeNull();
    expect(Object.keys(limited.json.dataAccessScope.spaces)).toEqual(['sp2']);
  });

  test('its failures are 400 with the token error itself', async () => {
    expect((await infer(given.mint(past))).json.error).toMatchObject({
      id: 'tokenCaveatUnverified',
      details: { caveat: past },
    });
    const rubbish = await infer('rubbish');
    expect(rubbish.status).toBe(400);
    expect(rubbish.json.error).toMatchObject({
      id: 'badValueToken',
      details: { key: 'token', tokenError: { id: 'badToken' } },
    });
    expect(errorOf(await infer(given.emulator.mint({ kind: 'invite' }).token))).toBe('400 notAnAccessToken');
    const empty = await given.zone('POST', 'tokens/infer_access_token_scope', { token: null, body: {} });
    expect(empty.json.error).toMatchObject({ id: 'missingRequiredValue', details: { key: 'token' } });
  });

  test('examine tells without verifying', async () => {
    const answer = await given.zone('POST', 'tokens/examine', {
      token: null,
      body: { token: given.mint(past) },
    });
    expect(answer.json).toMatchObject({
      onezoneDomain: 'onezone.onedata.localhost',
      persistence: 'named',
      subject: { type: 'user', id: 'user-a' },
      type: { accessToken: {} },
      caveats: [past],
    });
  });

  test('verify refuses data caveats unless they are allowed', async () => {
    const token = given.mint({ type: 'data.readonly' });
    const verify = (body: object) => given.zone('POST', 'tokens/verify_access_token', { token: null, body });
    expect(errorOf(await verify({ token }))).toBe('400 tokenCaveatUnverified');
    expect((await verify({ token, allowDataAccessCaveats: true })).json).toEqual({
      subject: { type: 'user', id: 'user-a' },
      ttl: null,
    });
    const ttl = (await verify({ token: given.mint({ type: 'time', validUntil: 4_000_000_000 }) })).json.ttl;
    expect(ttl).toBeGreaterThan(1_000_000);
  });

  test('anyone confines a token, nobody widens it', async () => {
    const confined = await given.zone('POST', 'tokens/confine', {
      token: null,
      body: { token: given.token, caveats: [{ type: 'data.readonly' }] },
    });
    const { token } = confined.json;
    expect((await infer(token)).json.dataAccessScope.readonly).toBe(true);
    const widened = serialiseMacaroon({ ...parseMacaroon(token), caveats: [] });
    expect(errorOf(await infer(widened))).toBe('400 tokenInvalid');
  });

  test('a data-limited token cannot list the spaces of its user', async () => {
    expect((await given.zone('GET', 'user/effective_spaces')).json.spaces).toEqual(['sp1', 'sp2', 'sp3']);
    const token = given.mint({ type: 'data.readonly' });
    expect((await given.zone('GET', 'user/effective_spaces', { token })).status).toBe(403);
  });
});

function changeSignature(token: string): string {
  return serialiseMacaroon({ ...parseMacaroon(token), signature: Buffer.alloc(32) });
}
