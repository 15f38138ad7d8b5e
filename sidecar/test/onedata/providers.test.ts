import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Caveat } from '../../../local/onedata/tokens.ts';
import {
  type ChoiceOptions,
  chooseProvider,
  findProviders,
  openDiscoveredSpace,
} from '../../src/onedata/index.ts';
import { tokenFacts } from '../../src/onedata/token-facts.ts';
import { contentOf } from '../../src/sync/space.ts';
import { type GivenStandIn, givenStandIn } from './given-stand-in.ts';

let given: GivenStandIn;
let port: string;
beforeAll(async () => {
  given = await givenStandIn({
    spaces: [
      { id: 'sp1', name: 'lab' },
      { id: 'sp2', name: 'read only', supported: false },
      { id: 'sp3', name: 'orphan', supported: false },
    ],
    providers: [
      { id: 'b', name: 'B', host: 'beta.onedata.localhost', version: '21.02.4' },
      {
        id: 'c',
        name: 'C',
        host: 'gamma.onedata.localhost',
        spaces: ['sp1', 'sp2'],
        readonlySpaces: ['sp1', 'sp2'],
      },
    ],
  });
  port = given.standIn.providerHost.split(':')[1] ?? '';
});
afterAll(() => given.dispose());
beforeEach(() => {
  const { faults } = given.standIn.context;
  faults.clear();
  faults.apply({ offline: [] });
});

const options = (spaceId = 'sp1', caveats: Caveat[] = []) => {
  const { token } = given.standIn.mint({ caveats });
  return {
    spaceId,
    token: async () => token,
    zoneHost: given.standIn.zoneHost,
    certificateAuthorities: given.standIn.authorityPem,
  };
};
const at = (name: string) => `${name}.onedata.localhost:${port}`;
const choose = (more: Partial<ChoiceOptions> = {}, spaceId = 'sp1') =>
  chooseProvider({ ...options(spaceId), use: 'write', ...more }).then(
    ({ host }) => host,
    (error) => error.code,
  );

test('a token says its zone, its kind and its end to whoever holds it', () => {
  const facts = (request: Parameters<typeof given.standIn.mint>[0]) =>
    tokenFacts(given.standIn.mint(request).token);
  const caveats: Caveat[] = [{ type: 'time', validUntil: 1_790_000_000 }, { type: 'data.readonly' }];
  expect(facts({ caveats })).toEqual({
    zone: 'onezone.onedata.localhost',
    kind: 'access',
    expiresAt: new Date(1_790_000_000_000),
    isReadonly: true,
  });
  expect(facts({ kind: 'invite' })).toMatchObject({ kind: 'invite', expiresAt: null, isReadonly: false });
  expect(facts({ kind: 'identity' })?.kind).toBe('identity');
  const { token } = given.standIn.mint();
  for (const text of ['', 'rubbish', 'egi:abc.def', token.slice(5), token.slice(0, 40)])
    expect(tokenFacts(text)).toBeNull();
});

test('the zone tells the providers of a space', async () => {
  expect(await findProviders(options())).toEqual([
    {
      id: 'provider-a',
      name: 'Provider A',
      host: given.standIn.providerHost,
      version: '21.02.8',
      isOnline: true,
      isReadonly: false,
    },
    { id: 'b', name: 'B', host: at('beta'), version: '21.02.4', isOnline: true, isReadonly: false },
    { id: 'c', name: 'C', host: at('gamma'), version: '21.02.8', isOnline: true, isReadonly: true },
  ]);
});

test('the preferred provider is taken while it is online', async () => {
  expect(await choose({ preferredHost: at('beta') })).toBe(at('beta'));
  given.standIn.context.faults.apply({ offline: ['b'] });
  expect(await choose({ preferredHost: at('beta') })).toBe(given.standIn.providerHost);
});

test('without one the first to answer is taken, and only one that can be written', async () => {
  given.standIn.context.faults.apply({ offline: ['provider-a'] });
  expect(await choose()).toBe(at('beta'));
  given.standIn.context.faults.apply({ offline: ['provider-a', 'b'] });
  expect(await choose()).toBe('unreachable');
  expect(await choose({ use: 'read' })).toBe(at('gamma'));
});

test('what stands in the way has its own error', async () => {
  expect(await choose({}, 'sp2')).toBe('read-only');
  expect(await choose({}, 'sp3')).toBe('space-not-supported');
  expect(await choose({}, 'nowhere')).toBe('space-unknown');
  expect(await choose({ token: async () => 'rubbish', zoneHost: 'absent.invalid' })).toBe('unreachable');
  const { zoneHost: _, ...alone } = options();
  expect(await findProviders({ ...alone, token: async () => 'rubbish' }).catch(({ code }) => code)).toBe(
    'token-invalid',
  );
  const past: Caveat = { type: 'time', validUntil: 1_700_000_000 };
  expect(await findProviders(options('sp1', [past])).catch(({ code }) => code)).toBe('token-expired');
});

test('a discovered space stays with its provider', async () => {
  const space = await openDiscoveredSpace({ ...options(), use: 'write', preferredHost: at('beta') });
  expect(space.identity).toBe(`onedata://${at('beta')}/sp1`);
  await space.write('file', contentOf('x'));
  given.standIn.context.faults.apply({ offline: ['b'] });
  await expect(space.stat({ path: 'file' })).rejects.toMatchObject({ code: 'unreachable' });
  given.standIn.context.faults.apply({ offline: [] });
  expect(await space.stat({ path: 'file' })).toMatchObject({ size: 1 });
  await space.close();
});

test('a release that lacks calls is refused with its version', async () => {
  const { provider } = given.standIn.context;
  const before = provider.version;
  Object.assign(provider, { version: '20.02.19' });
  const space = given.open('sp1');
  await expect(space.check()).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('runs Onedata 20.02.19: 21.02.1 or later is needed'),
  });
  expect(await choose({ preferredHost: given.standIn.providerHost })).toBe(at('beta'));
  Object.assign(provider, { version: before });
  await space.close();
});
