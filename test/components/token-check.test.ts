import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ask, askJson } from '../../components/onedata-request.ts';
import { findings } from '../../components/token-check.ts';
import { pathCaveat } from '../../emulators/onedata/access.ts';
import type { Emulator } from '../../emulators/onedata/context.ts';
import { startEmulator } from '../../emulators/onedata/emulator.ts';
import type { MintRequest } from '../../emulators/onedata/tokens.ts';
import { judgeRefusal } from '../../sidecar/contract/token-judgement.ts';
import { checkToken } from '../../sidecar/src/spaces/onedata/index.ts';
import { runInstance } from '../helpers/program.ts';

let directory: string;
let emulator: Emulator;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'token-check-'));
  emulator = await startEmulator({
    dataDirectory: directory,
    listen: { port: 0 },
    spaces: [
      { id: 'sp1', name: 'raw' },
      { id: 'sp2', name: 'lab' },
      { id: 'sp3', name: 'elsewhere', supported: false },
    ],
  });
});
afterAll(async () => {
  await emulator.close();
  await rm(directory, { recursive: true, force: true });
});

const READ_ONLY = { type: 'data.readonly' } as const;
const soon = () => Math.floor(Date.now() / 1000) + 3600;

const look = (
  side: 'source' | 'project',
  request: MintRequest,
  spaceId = side === 'source' ? 'sp1' : 'sp2',
) =>
  findings({
    side,
    host: emulator.providerHost,
    spaceId,
    token: emulator.mint(request).token,
    certificateAuthorities: emulator.authorityPem,
  });

describe('a token that', () => {
  test.each<[string, 'source' | 'project', () => MintRequest, string, string]>([
    ['could write the source', 'source', () => ({}), 'sourceToken', 'could also write'],
    [
      'may only read the project',
      'project',
      () => ({ caveats: [READ_ONLY] }),
      'projectToken',
      'may only read',
    ],
    [
      'ends soon',
      'project',
      () => ({ caveats: [{ type: 'time', validUntil: soon() }] }),
      'projectToken',
      'within two days',
    ],
    [
      'has ended',
      'project',
      () => ({ caveats: [{ type: 'time', validUntil: 1_700_000_000 }] }),
      'projectToken',
      'has expired at 2023-11-14 22:13 UTC',
    ],
    [
      'is for another space',
      'project',
      () => ({ caveats: [pathCaveat(['sp1'])] }),
      'projectSpaceId',
      'does not allow space sp2. It allows: raw (sp1). Where the id is right, change scipion:projectToken.',
    ],
    ['invites', 'project', () => ({ kind: 'invite' }), 'projectToken', 'is an invite token'],
  ])('%s', async (_name, use, request, key, text) => {
    const found = await look(use, request());
    expect(found).toEqual([{ key, message: expect.stringContaining(text) }]);
  });

  test('is right gives nothing to say', async () => {
    expect(await look('source', { caveats: [READ_ONLY] })).toEqual([]);
    expect(await look('project', { caveats: [pathCaveat(['sp2'])] })).toEqual([]);
  });
});

describe('a space that', () => {
  test('is named and not given by its id', async () => {
    const [found] = await look('project', {}, 'lab');
    expect(found).toMatchObject({ key: 'projectSpaceId', message: expect.stringContaining('its id is sp2') });
  });
  test('the provider does not support', async () => {
    const [found] = await look('project', {}, 'sp3');
    expect(found).toMatchObject({
      key: 'onedataHost',
      message: expect.stringContaining('No provider supports it'),
    });
  });
});

test.each<[string, MintRequest, string]>([
  ['may only read', { caveats: [READ_ONLY] }, 'sp2'],
  ['has ended', { caveats: [{ type: 'time', validUntil: 1_700_000_000 }] }, 'sp2'],
  ['is for another space', { caveats: [pathCaveat(['sp1'])] }, 'sp2'],
  ['invites', { kind: 'invite' }, 'sp2'],
  ['is for a space that is named', {}, 'lab'],
  ['is for a space that no provider supports', {}, 'sp3'],
])('of a token that %s the program and sync say the same', async (_name, request, spaceId) => {
  const token = emulator.mint(request).token;
  const given = {
    host: emulator.providerHost,
    spaceId,
    certificateAuthorities: emulator.authorityPem,
  };
  const [found] = await findings({ ...given, side: 'project', token });
  const { problem } = await checkToken({ ...given, use: 'write', token: async () => token });
  expect(problem?.message).toContain(`${found?.message} Change scipion:${found?.key}`);
});

test('without a host the zone that the token names is asked', async () => {
  const asked: string[] = [];
  const ask: Ask = async (request) => {
    asked.push(request.host);
    // The token names the zone without the port that it has here.
    return askJson({ ...request, host: emulator.zoneHost });
  };
  const given = { side: 'project', spaceId: 'sp2', certificateAuthorities: emulator.authorityPem } as const;
  const { token } = emulator.mint({ caveats: [pathCaveat(['sp1'])] });
  expect(await findings({ ...given, token }, ask)).toEqual([
    { key: 'projectSpaceId', message: expect.stringContaining('It allows: raw (sp1)') },
  ]);
  expect(asked).toEqual([emulator.zoneHost.split(':')[0]]);
  expect(await findings({ ...given, token: 'x'.repeat(100) }, ask)).toEqual([]);
});

test('nothing is said where nobody answers, or something else than Onedata', async () => {
  const given = { side: 'project', spaceId: 'sp2', token: 'x'.repeat(100) } as const;
  expect(await findings({ ...given, host: 'absent.invalid' })).toEqual([]);
  // Its certificate is of nobody known.
  expect(await findings({ ...given, host: emulator.providerHost })).toEqual([]);
  const ask = async () => ({ status: 200, body: 'a page' });
  expect(await findings({ ...given, host: 'www.example.org' }, ask)).toEqual([]);
  expect(judgeRefusal({ id: 'somethingNew' }, { ...given, host: 'h' })).toBeNull();
  const unknown: Ask = async ({ body }) =>
    body === undefined
      ? { status: 200, body: { onezoneDomain: 'zone.example.org', providerId: 'p' } }
      : { status: 400, body: { error: { id: 'somethingNew' } } };
  expect(await findings({ ...given, host: 'p.example.org' }, unknown)).toEqual([]);
});

describe('the program', () => {
  const run = (config: Record<string, string>) => {
    const token = (request: MintRequest) => emulator.mint(request).token;
    const secretConfig = { sourceToken: token({}), projectToken: token({ caveats: [READ_ONLY] }) };
    const result = runInstance({
      dryRun: true,
      config: {
        onedataHost: emulator.providerHost,
        sourceSpaceId: 'sp1',
        projectSpaceId: 'sp2',
        onedataCertificateAuthorities: emulator.authorityPem,
        ...config,
      },
      secretConfig,
    });
    return result.then((ended) => ({ ...ended, tokens: Object.values(secretConfig) }));
  };

  test('warns with the key to change, without the token, and goes on', async () => {
    const { logs, errors, tokens } = await run({});
    const warnings = logs.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
    expect(errors).toEqual([]);
    expect(warnings).toHaveLength(2);
    expect(warnings.join('\n')).toMatch(/scipion:sourceToken/);
    expect(warnings.join('\n')).toMatch(/may only read.*scipion:projectToken/);
    for (const token of tokens) expect(JSON.stringify(logs)).not.toContain(token);
  });

  test('asks nobody where it is told so', async () => {
    const { logs } = await run({ checkTokens: 'false' });
    expect(logs.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });
});
