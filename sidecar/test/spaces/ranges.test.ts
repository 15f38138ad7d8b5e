import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { download } from '../../src/spaces/onedata/download.ts';
import type { HttpAnswer, HttpRequest } from '../../src/spaces/onedata/http-client.ts';
import type { ProviderClient } from '../../src/spaces/onedata/provider-client.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type Space, type SpaceEntry } from '../../src/spaces/space.ts';
import { fetchParts } from '../../src/sync/restore/fetch-parts.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

const MIB = 1 << 20;
const bytes = Buffer.alloc(11 * MIB + 17);
for (let at = 0; at < bytes.length; at += 1) bytes[at] = (at * 31 + (at >> 12)) & 0xff;
const hash = createHash('sha256').update(bytes).digest('hex');

describe.each([
  ['with its hash', true],
  ['past the page cache', false],
])('a large file over REST, %s', (_, isHashed) => {
  let given: GivenEmulator;
  let space: Space;
  let entry: SpaceEntry;
  let folder: string;
  beforeAll(async () => {
    given = await givenEmulator();
  });
  afterAll(() => given.dispose());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ranges-'));
    space = withRetry(given.open(await given.addSpace()), {
      firstWaitMs: 1,
      maxWaitMs: 5,
      retries: 3,
      stallMs: 500,
    });
    entry = await space.write('big', contentOf(bytes));
  });
  afterEach(async () => {
    given.emulator.context.faults.clear();
    await space.close();
    await rm(folder, { recursive: true, force: true });
  });
  const fetch = () => fetchParts(space, entry, join(folder, 'part'), { isHashed });
  const faults = () => given.emulator.context.faults;

  test('survives ranges that are cut, stall, are refused or never answered', async () => {
    const busy = { kind: 'error', status: 503, id: 'serviceUnavailable' } as const;
    for (const action of [
      { kind: 'truncate-body', afterBytes: 3_000_000 },
      { kind: 'stall-body', afterBytes: 1_000_000 },
      busy,
      { kind: 'cut' },
    ] as const) {
      faults().add({ path: '/content', times: 1, action });
    }
    expect(await fetch()).toEqual({ file: join(folder, 'part'), hash: isHashed ? hash : null });
    expect(new Set(faults().log.map(({ kind }) => kind))).toEqual(
      new Set(['truncate-body', 'stall-body', 'error', 'cut']),
    );
    expect(readFileSync(join(folder, 'part')).equals(bytes)).toBe(true);
  });

  test('goes on in the next run with what a server left that went away', async () => {
    faults().add({ path: '/content', skip: 2, action: { kind: 'truncate-body', afterBytes: 0 } });
    await expect(fetch()).rejects.toMatchObject({ name: 'SpaceError' });
    faults().clear();
    faults().add({ path: '/content', action: { kind: 'latency', milliseconds: 0 } });
    await fetch();
    expect(faults().log).toHaveLength(1);
    expect(readFileSync(join(folder, 'part')).equals(bytes)).toBe(true);
  });
});

describe('an answer to a range', () => {
  const ask = async (status: number, headers: Record<string, string>, body: Buffer) => {
    const answer: HttpAnswer = { status, headers, body: Readable.from([body]), drop: () => undefined };
    const provider = {
      content: () => ({ request: {} as HttpRequest, answer: Promise.resolve(answer) }),
      http: {
        host: 'provider.example.org',
        bytes: async function* () {
          yield body;
        },
      },
    } as unknown as ProviderClient;
    const got: Uint8Array[] = [];
    const read = download(provider, { path: 'f', id: 'f' }, { offset: 4, length: 4 }, async () => 12);
    for await (const piece of read) got.push(piece);
    return Buffer.concat(got).toString();
  };

  test('is taken only where it is that range', async () => {
    const right = { 'content-range': 'bytes 4-7/12', 'content-length': '4' };
    expect(await ask(206, right, Buffer.from('4567'))).toBe('4567');
    const other = { 'content-range': 'bytes 0-3/12', 'content-length': '4' };
    await expect(ask(206, other, Buffer.from('0123'))).rejects.toMatchObject({ code: 'transfer-broken' });
    await expect(ask(206, {}, Buffer.from('0123'))).rejects.toMatchObject({ code: 'transfer-broken' });
    await expect(ask(206, right, Buffer.from('45'))).rejects.toMatchObject({ code: 'transfer-broken' });
  });

  test('with the whole file says that the server knows no ranges', async () => {
    const whole = { 'content-length': '12' };
    await expect(ask(200, whole, Buffer.from('0123456789ab'))).rejects.toMatchObject({ code: 'unsupported' });
  });
});
