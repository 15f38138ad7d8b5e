import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathCaveat } from '../../../local/onedata/access.ts';
import type { Caveat, MintRequest } from '../../../local/onedata/tokens.ts';
import { checkToken, type TokenCheckOptions } from '../../src/onedata/check-token.ts';
import { type GivenStandIn, givenStandIn } from './given-stand-in.ts';

let given: GivenStandIn;
beforeAll(async () => {
  given = await givenStandIn({
    spaces: [
      { id: 'sp1', name: 'lab' },
      { id: 'sp2', name: 'other' },
      { id: 'sp3', name: 'elsewhere', supported: false },
    ],
  });
});
afterAll(() => given.dispose());

const check = (request: MintRequest, options: Partial<TokenCheckOptions> = {}) => {
  const { token } = given.standIn.mint(request);
  return checkToken({
    host: given.standIn.providerHost,
    spaceId: 'sp1',
    token: async () => token,
    certificateAuthorities: given.standIn.authorityPem,
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

const cases: [string, MintRequest, Partial<TokenCheckOptions>, string, string][] = [
  ['read-only for the project', { caveats: [readonly] }, {}, 'token-not-permitted', 'may only read'],
  [
    'expired',
    { caveats: [{ type: 'time', validUntil: 1_700_000_000 }] },
    {},
    'token-expired',
    'expired at 2023-11-14',
  ],
  ['an invite', { kind: 'invite' }, {}, 'token-invalid', 'no access token'],
  ['for another space', { caveats: [pathCaveat(['sp2'])] }, {}, 'space-unknown', 'It allows: other (sp2).'],
  ['a name for an id', {}, { spaceId: 'lab' }, 'space-unknown', 'its id is sp1'],
  ['an unknown space', {}, { spaceId: 'nowhere' }, 'space-unknown', 'does not allow space nowhere'],
  ['a space that is elsewhere', {}, { spaceId: 'sp3' }, 'space-not-supported', 'No provider supports it'],
  ['rubbish', {}, { token: async () => 'rubbish' }, 'token-invalid', 'does not accept the token'],
  ['no such host', {}, { host: 'absent.invalid' }, 'unreachable', 'cannot be reached'],
];
test.each(cases)('%s', async (_name, request, options, code, text) => {
  const { problem } = await check(request, options);
  expect(problem?.code).toBe(code);
  expect(problem?.message).toContain(text);
});

test('a zone that does not answer leaves the word of the provider', async () => {
  const { faults } = given.standIn.context;
  faults.add({ path: 'infer_access_token_scope', action: { kind: 'cut' } });
  expect(await check({})).toEqual({ problem: null, expiresAt: null, warnings: [] });
  expect((await check({ caveats: [pathCaveat(['sp2'])] })).problem?.code).toBe('token-not-permitted');
  faults.clear();
});
