import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Caveat } from '../../../emulators/onedata/tokens.ts';
import { tokenFacts } from '../../contract/token-facts.ts';
import {
  type ChoiceOptions,
  chooseProvider,
  findProviders,
  openDiscoveredSpace,
  ProviderChoice,
} from '../../src/spaces/onedata/index.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll } from '../../src/spaces/space.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

let given: GivenEmulator;
let port: string;
beforeAll(async () => {
  given = await givenEmulator({
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
  port = given.emulator.providerHost.split(':')[1] ?? '';
});
afterAll(() => given.dispose());
beforeEach(() => {
  const { faults } = given.emulator.context;
  faults.clear();
  faults.apply({ offline: [] });
});

const options = (spaceId = 'sp1', caveats: Caveat[] = []) => {
  const { token } = given.emulator.mint({ caveats });
  return {
    spaceId,
    token: async () => token,
    zoneHost: given.emulator.zoneHost,
    certificateAuthorities: given.emulator.authorityPem,
  };
};
const at = (name: string) => `${name}.onedata.localhost:${port}`;
const choose = (more: Partial<ChoiceOptions> = {}, spaceId = 'sp1') =>
  chooseProvider({ ...options(spaceId), use: 'write', ...more }).then(
    ({ host }) => host,
    (error) => error.code,
  );

test('a token says its zone, its kind and its end to whoever holds it', () => {
  const facts = (request: Parameters<typeof given.emulator.mint>[0]) =>
    tokenFacts(given.emulator.mint(request).token);
  const caveats: Caveat[] = [{ type: 'time', validUntil: 1_790_000_000 }, { type: 'data.readonly' }];
  expect(facts({ caveats })).toEqual({
    zone: 'onezone.onedata.localhost',
    kind: 'access',
    expiresAt: new Date(1_790_000_000_000),
    isReadonly: true,
  });
  expect(facts({ kind: 'invite' })).toMatchObject({ kind: 'invite', expiresAt: null, isReadonly: false });
  expect(facts({ kind: 'identity' })?.kind).toBe('identity');
  const { token } = given.emulator.mint();
  for (const text of ['', 'rubbish', 'egi:abc.def', token.slice(5), token.slice(0, 40)])
    expect(tokenFacts(text)).toBeNull();
});

test('the zone tells the providers of a space', async () => {
  expect(await findProviders(options())).toEqual([
    {
      id: 'provider-a',
      name: 'Provider A',
      host: given.emulator.providerHost,
      version: '21.02.8',
      isOnline: true,
      isReadonly: false,
    },
    { id: 'b', name: 'B', host: at('beta'), version: '21.02.4', isOnline: true, isReadonly: false },
    { id: 'c', name: 'C', host: at('gamma'), version: '21.02.8', isOnline: true, isReadonly: true },
  ]);
});

test('the preferred provider is taken while it is online', async () => {
  for (const use of ['read', 'write'] as const)
    expect(await choose({ use, preferredHost: given.emulator.providerHost })).toBe(
      given.emulator.providerHost,
    );
  given.emulator.context.faults.apply({ offline: ['b'] });
  expect(await choose({ use: 'read', preferredHost: at('beta') })).not.toBe(at('beta'));
});

test('to read, the first to answer is taken', async () => {
  given.emulator.context.faults.apply({ offline: ['provider-a', 'b'] });
  expect(await choose({ use: 'read' })).toBe(at('gamma'));
  given.emulator.context.faults.apply({ offline: ['provider-a', 'b', 'c'] });
  expect(await choose({ use: 'read' })).toBe('unreachable');
});

test('to write, it is the same one each time: another could show an older state', async () => {
  expect(await choose()).toBe(at('beta'));
  given.emulator.context.faults.apply({ offline: ['provider-a'] });
  expect(await choose()).toBe(at('beta'));
  given.emulator.context.faults.apply({ offline: ['b'] });
  const error = await chooseProvider({ ...options(), use: 'write' }).catch((caught) => caught);
  expect(error).toMatchObject({ code: 'unreachable' });
  expect(error.message).toContain(`${at('beta')} of space sp1 is not online`);
  expect(error.message).toContain(`may show an older state of it: ${given.emulator.providerHost}.`);
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

describe('a space whose provider is found', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'choice-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  const choice = (use: 'read' | 'write') => {
    const { token: _, ...common } = options();
    return new ProviderChoice({ ...common, use, file: join(directory, 'provider.json') });
  };
  const open = (use: 'read' | 'write') => openDiscoveredSpace(options(), choice(use));

  test('is read and written there', async () => {
    const space = withRetry(open('write'));
    await space.check();
    expect(space.identity).toBe('onedata:///sp1');
    await space.makeDirectory('found/below');
    await space.write('found/file', contentOf('x'));
    expect(await readAll(space, { path: 'found/file' }, 10)).toEqual(Buffer.from('x'));
    await space.move({ path: 'found/file', kind: 'file' }, 'found/moved');
    await space.makeSymlink('found/link', 'moved');
    expect(await space.readSymlink({ path: 'found/link' })).toBe('moved');
    const names: string[] = [];
    for await (const { name } of space.list({ path: 'found' })) names.push(name);
    expect(names.sort()).toEqual(['below', 'link', 'moved']);
    await space.removeFile('found/moved');
    await space.removeEmptyDirectory('found/below');
    await space.removeTree('found');
    expect(await space.stat({ path: 'found' })).toBeNull();
    await space.close();
  });

  test('stays with it: in the middle, and over restarts', async () => {
    const space = open('write');
    await space.write('file', contentOf('x'));
    given.emulator.context.faults.apply({ offline: ['b'] });
    await expect(space.stat({ path: 'file' })).rejects.toMatchObject({ code: 'unreachable' });
    const { token } = options();
    expect(await choice('write').host(token)).toBe(at('beta'));
    given.emulator.context.faults.apply({ offline: [] });
    expect(await space.stat({ path: 'file' })).toMatchObject({ size: 1 });
    await space.close();
  });

  test('is read elsewhere at the next start where its own is gone, and at its own where the zone is', async () => {
    const { token } = options();
    const first = await choice('read').host(token);
    const ids = { [given.emulator.providerHost]: 'provider-a', [at('beta')]: 'b', [at('gamma')]: 'c' };
    expect(await choice('read').host(token)).toBe(first);
    given.emulator.context.faults.add({ path: 'infer_access_token_scope', action: { kind: 'cut' } });
    expect(await choice('read').host(token)).toBe(first);
    given.emulator.context.faults.clear();
    given.emulator.context.faults.apply({ offline: [ids[first] as string] });
    expect(await choice('read').host(token)).not.toBe(first);
  });

  test('moves on where the provider ended its support', async () => {
    const left = JSON.stringify({ spaceId: 'sp2', host: given.emulator.providerHost });
    await writeFile(join(directory, 'provider.json'), left);
    const { token: _, ...common } = options('sp2');
    const file = join(directory, 'provider.json');
    const space = openDiscoveredSpace(options('sp2'), new ProviderChoice({ ...common, use: 'read', file }));
    // The zone does not answer at the start, so the provider itself has to say it.
    given.emulator.context.faults.add({
      path: 'infer_access_token_scope',
      times: 1,
      action: { kind: 'cut' },
    });
    await space.check();
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ spaceId: 'sp2', host: at('gamma') });
    await space.close();
  });
});

test('a release that lacks calls is refused with its version', async () => {
  const { provider } = given.emulator.context;
  const before = provider.version;
  Object.assign(provider, { version: '20.02.19' });
  const space = given.open('sp1');
  await expect(space.check()).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('runs Onedata 20.02.19: 21.02.1 or later is needed'),
  });
  expect(await choose({ preferredHost: given.emulator.providerHost })).toBe(at('beta'));
  Object.assign(provider, { version: before });
  await space.close();
});
