import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathCaveat } from '../../../emulators/onedata/access.ts';
import type { Caveat, MintRequest } from '../../../emulators/onedata/tokens.ts';
import { checkToken, checkTokens, type TokenCheckOptions } from '../../src/spaces/onedata/check-token.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator({
    spaces: [
      { id: 'sp1', name: 'lab' },
      { id: 'sp2', name: 'other' },
      { id: 'sp3', name: 'elsewhere', supported: false },
      { id: 'sp4', name: 'nowhere to be found', supported: false },
    ],
    readonlySpaces: ['sp2'],
    providers: [{ id: 'provider-b', name: 'B', host: 'beta.onedata.localhost', spaces: ['sp3'] }],
  });
});
afterAll(() => given.dispose());

const check = (request: MintRequest, options: Partial<TokenCheckOptions> = {}) => {
  const { token } = given.emulator.mint(request);
  return checkToken({
    host: given.emulator.providerHost,
    spaceId: 'sp1',
    token: async () => token,
    certificateAuthorities: given.emulator.authorityPem,
    use: 'write',
    ...options,
  });
};
const readonly: Caveat = { type: 'data.readonly' };

test('a good token has no problem and says when it ends', async () => {
  expect(await check({})).toEqual({ problem: null, expiresAt: null, warnings: [] });
  const caveats: Caveat[] = [{ type: 'time', validUntil: 4_000_000_000 }, pathCaveat(['sp1'])];
  expect((await check({ caveats })).expiresAt).toEqual(new Date(4_000_000_000_000));
  expect(await check({ caveats: [readonly] }, { use: 'read' })).toMatchObject({
    problem: null,
    warnings: [],
  });
});

test('a source token that could write is a warning', async () => {
  const { problem, warnings } = await check({}, { use: 'read' });
  expect(problem).toBeNull();
  expect(warnings).toEqual([expect.stringContaining('data.readonly')]);
});

const past: Caveat = { type: 'time', validUntil: 1_700_000_000 };
const PROJECT = { token: 'Change scipion:projectToken', space: 'Change scipion:projectSpaceId.' };
const HOST = 'Change scipion:onedataHost.';
/** Bad input → code, what the sentence says, the setting that it names. */
const cases: [string, MintRequest, Partial<TokenCheckOptions>, string, string, string][] = [
  [
    'a host with a scheme',
    {},
    { host: 'https://p.example.org' },
    'unreachable',
    'an address with a scheme: write only "p.example.org"',
    HOST,
  ],
  [
    'a host with a path',
    {},
    { host: 'p.example.org/api' },
    'unreachable',
    'a host with a path: write only "p.example.org"',
    HOST,
  ],
  [
    'a host with scheme, port 443 and path',
    {},
    { host: 'https://p.example.org:443/x' },
    'unreachable',
    'write only "p.example.org"',
    HOST,
  ],
  ['a host with a wrong port', {}, { host: '127.0.0.1:1' }, 'unreachable', 'leave ":1" away', HOST],
  [
    'a host with no port behind the colon',
    {},
    { host: 'p.example.org:https' },
    'unreachable',
    'something else than a port behind it: write only "p.example.org"',
    HOST,
  ],
  [
    'no host at all',
    {},
    { host: 'my provider' },
    'unreachable',
    'write a name like provider.example.org',
    HOST,
  ],
  ['no such host', {}, { host: 'absent.invalid' }, 'unreachable', 'cannot be reached', HOST],
  [
    'a name for an id',
    {},
    { spaceId: 'lab' },
    'space-unknown',
    '"lab" is the name of a space, its id is sp1',
    PROJECT.space,
  ],
  [
    'an unknown space',
    {},
    { spaceId: 'nowhere' },
    'space-unknown',
    'does not allow space nowhere. It allows: lab (sp1), ',
    PROJECT.space,
  ],
  [
    'for another space',
    { caveats: [pathCaveat(['sp2'])] },
    {},
    'space-unknown',
    'It allows: other (sp2). Where the id is right, change scipion:projectToken.',
    PROJECT.space,
  ],
  [
    'a space that another provider has',
    {},
    { spaceId: 'sp3' },
    'space-not-supported',
    'It is supported by: beta.onedata.localhost:',
    HOST,
  ],
  [
    'a space that no provider has',
    {},
    { spaceId: 'sp4' },
    'space-not-supported',
    'No provider supports it',
    HOST,
  ],
  ['an invite', { kind: 'invite' }, {}, 'token-invalid', 'is an invite token', PROJECT.token],
  ['an identity token', { kind: 'identity' }, {}, 'token-invalid', 'is an identity token', PROJECT.token],
  ['expired', { caveats: [past] }, {}, 'token-expired', 'expired at 2023-11-14', PROJECT.token],
  [
    'expired, for the source',
    { caveats: [past] },
    { use: 'read' },
    'token-expired',
    'expired',
    'Change scipion:sourceToken (in a Secret of your own: source-token).',
  ],
  [
    'read-only for the project',
    { caveats: [readonly] },
    {},
    'token-not-permitted',
    'may only read',
    PROJECT.token,
  ],
  ['a storage that can only be read', {}, { spaceId: 'sp2' }, 'read-only', 'can only be read', PROJECT.space],
  [
    'for another provider',
    { caveats: [{ type: 'service', whitelist: ['opw-x'] }] },
    {},
    'space-not-supported',
    'does not support space lab',
    HOST,
  ],
  [
    'for mounting alone',
    { caveats: [{ type: 'interface', interface: 'oneclient' }] },
    {},
    'token-not-permitted',
    '"interface"',
    PROJECT.token,
  ],
  [
    'rubbish',
    {},
    { token: async () => 'rubbish' },
    'token-invalid',
    'does not accept the token',
    PROJECT.token,
  ],
  ['empty', {}, { token: async () => '' }, 'token-invalid', 'is empty', PROJECT.token],
];
test.each(cases)('%s', async (_name, request, options, code, text, key) => {
  const { problem } = await check(request, options);
  expect(problem?.code).toBe(code);
  expect(problem?.message).toContain(text);
  expect(problem?.message).toContain(key);
});

test('a token of another zone names both zones', async () => {
  const other = await givenEmulator({ zoneHost: 'far.onedata.localhost' });
  const { token } = other.emulator.mint();
  await other.dispose();
  const { problem } = await check({}, { token: async () => token });
  expect(problem?.code).toBe('token-invalid');
  expect(problem?.message).toContain('comes from the zone far.onedata.localhost');
  expect(problem?.message).toContain('belongs to the zone onezone.onedata.localhost');
  expect(problem?.message).toContain(PROJECT.token);
});

describe('the two tokens of an instance', () => {
  const common = () => ({
    host: given.emulator.providerHost,
    certificateAuthorities: given.emulator.authorityPem,
  });
  const checkBoth = (source: Caveat[], project: Caveat[]) => {
    const mint = (caveats: Caveat[]) => {
      const { token } = given.emulator.mint({ caveats });
      return async () => token;
    };
    return checkTokens(
      { ...common(), spaceId: 'sp2', token: mint(source) },
      { ...common(), spaceId: 'sp1', token: mint(project) },
    );
  };
  const [sourceOnly, projectOnly] = [[pathCaveat(['sp2']), readonly], [pathCaveat(['sp1'])]] as const;

  test('are fine each for its own space', async () => {
    const { source, project } = await checkBoth([...sourceOnly], [...projectOnly]);
    expect([source.problem, project.problem, source.warnings]).toEqual([null, null, []]);
  });

  test('swapped are told to be so', async () => {
    const { source, project } = await checkBoth([...projectOnly], [...sourceOnly]);
    for (const { problem } of [source, project]) {
      expect(problem?.code).toBe('token-not-permitted');
      expect(problem?.message).toContain('are swapped');
      expect(problem?.message).toContain('Exchange scipion:sourceToken and scipion:projectToken');
    }
  });

  test('wrong in another way keep their own sentences', async () => {
    const { source, project } = await checkBoth([...sourceOnly], [...sourceOnly]);
    expect(source.problem).toBeNull();
    expect(project.problem?.message).toContain('does not allow space sp1');
  });
});

test('where the zone cannot be asked the provider tells a name from an id', async () => {
  const { faults } = given.emulator.context;
  faults.add({ path: 'infer_access_token_scope', action: { kind: 'cut' } });
  const { problem } = await check({}, { spaceId: 'lab' });
  expect(problem?.message).toContain('"lab" is the name of a space, its id is sp1');
  faults.clear();
});

test('a zone that does not answer leaves the word of the provider', async () => {
  const { faults } = given.emulator.context;
  faults.add({ path: 'infer_access_token_scope', action: { kind: 'cut' } });
  expect(await check({})).toEqual({ problem: null, expiresAt: null, warnings: [] });
  expect((await check({ caveats: [pathCaveat(['sp2'])] })).problem?.code).toBe('token-not-permitted');
  faults.clear();
});
