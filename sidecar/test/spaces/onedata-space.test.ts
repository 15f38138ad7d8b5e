import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Entry } from '../../../emulators/onedata/store/entry.ts';
import { rootUuid } from '../../../emulators/onedata/store/file-tree.ts';
import { freePort } from '../../../test/helpers/free-port.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, isSpaceError, readAll, type Space } from '../../src/spaces/space.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

let given: GivenEmulator;
let spaceId: string;
let space: Space;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
beforeEach(async () => {
  given.emulator.context.faults.clear();
  spaceId = await given.addSpace();
  space = given.open(spaceId, { stallTimeoutMs: 2000 });
  return () => space.close();
});

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error) => (isSpaceError(error) ? error.code : String(error)),
  );
const all = async <T>(items: AsyncIterable<T>) => {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
};
const faults = () => given.emulator.context.faults;

describe('tokens', () => {
  test('a changed token is used from the next request on, without anything else', async () => {
    const old = given.emulator.mint();
    let current = old.token;
    const rotating = given.open(spaceId, { token: async () => current });
    await rotating.check();
    given.emulator.revoke(old.id);
    expect(await codeOf(rotating.check())).toBe('token-invalid');
    current = given.emulator.mint().token;
    await rotating.check();
    await rotating.close();
  });

  test('a token that is replaced while the old one is refused costs one more attempt, no wait for a person', async () => {
    const old = given.emulator.mint();
    const next = given.emulator.mint();
    given.emulator.revoke(old.id);
    let asked = 0;
    const rotating = given.open(spaceId, { token: async () => (asked++ === 0 ? old.token : next.token) });
    expect(await codeOf(rotating.stat({ path: '', id: spaceId }))).toBe('unavailable');
    asked = 0;
    const patient = withRetry(rotating, { firstWaitMs: 1, maxWaitMs: 2 });
    expect(await patient.stat({ path: '', id: spaceId })).toMatchObject({ kind: 'directory' });
    await rotating.close();
  });

  test('a transfer goes on with the new token from the byte where the old one ended', async () => {
    const bytes = Buffer.alloc(3_000_000, 'token ');
    await space.write('long', {
      size: bytes.length,
      open: async function* () {
        yield bytes;
      },
    });
    const old = given.emulator.mint();
    let current = old.token;
    const rotating = withRetry(given.open(spaceId, { token: async () => current }), {
      firstWaitMs: 1,
      maxWaitMs: 2,
    });
    faults().add({ path: '/long', times: 1, action: { kind: 'truncate-body', afterBytes: 1_000_000 } });
    const chunks: Uint8Array[] = [];
    for await (const chunk of rotating.read({ path: 'long' })) {
      if (chunks.length === 0) {
        given.emulator.revoke(old.id);
        current = given.emulator.mint().token;
      }
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    await rotating.close();
  });

  test.each([
    ['is empty', async () => ' \n'],
    ['holds characters that no token has', async () => 'two words'],
    [
      'cannot be read',
      async () => {
        throw new Error('ENOENT: /secret/path');
      },
    ],
  ])('a token that %s is said to be so, before any request', async (text, token) => {
    const broken = given.open(spaceId, { token });
    await expect(broken.check()).rejects.toMatchObject({
      code: 'token-invalid',
      message: expect.stringContaining(text),
    });
    await broken.close();
  });

  test('no error holds the token', async () => {
    const { token, id } = given.emulator.mint();
    const refused = given.open(spaceId, { token: async () => token });
    given.emulator.revoke(id);
    const error = await refused.check().catch((caught: Error) => caught);
    const shown = JSON.stringify(error, Object.getOwnPropertyNames(error)) + String((error as Error).cause);
    expect(shown).not.toContain(token.slice(0, 40));
    await refused.close();
  });

  test('a read-only token reads and cannot write', async () => {
    await space.write('file', contentOf('x'));
    const { token } = given.emulator.mint({ caveats: [{ type: 'data.readonly' }] });
    const reader = given.open(spaceId, { token: async () => token });
    expect((await readAll(reader, { path: 'file' }, 10)).toString()).toBe('x');
    expect(await codeOf(reader.write('other', contentOf('x')))).toBe('token-not-permitted');
    expect(await codeOf(reader.removeFile('file'))).toBe('token-not-permitted');
    await reader.close();
  });
});

describe('spaces and hosts', () => {
  test('unknown and unsupported spaces are told apart', async () => {
    await given.emulator.addSpace({ id: 'elsewhere', name: 'Elsewhere', supported: false });
    for (const [id, code] of [
      ['nowhere', 'space-unknown'],
      ['elsewhere', 'space-not-supported'],
    ] as const) {
      const wrong = given.open(id);
      expect(await codeOf(wrong.check())).toBe(code);
      await wrong.close();
    }
  });

  test('unreachable: no such name, nobody listens, not trusted, no host name', async () => {
    const port = await freePort();
    const cases: [Parameters<GivenEmulator['open']>[1], RegExp][] = [
      [{ host: 'absent.invalid' }, /cannot be reached/],
      [{ host: `provider.onedata.localhost:${port}` }, /connection refused/],
      [{ host: given.emulator.providerHost, certificateAuthorities: '' }, /certificate .* is not trusted/],
      [{ host: `other.localhost:${given.emulator.port}` }, /certificate .* is not trusted/],
      [{ host: `https://${given.emulator.providerHost}` }, /write only/],
    ];
    for (const [options, message] of cases) {
      const wrong = given.open(spaceId, options);
      await expect(wrong.check()).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringMatching(message),
      });
      await wrong.close();
    }
  });

  test('a server that is no Onedata provider is told so', async () => {
    const wrong = given.open(spaceId, { host: given.emulator.zoneHost });
    expect(await codeOf(wrong.check())).toBe('bad-request');
    await wrong.close();
  });
});

describe('transfers', () => {
  test('a body that comes short is an error, and can be continued by a range', async () => {
    const bytes = Buffer.alloc(600_000, 'abcdefg');
    await space.write('file', {
      size: bytes.length,
      open: async function* () {
        yield bytes;
      },
    });
    faults().add({ path: '/path/file', times: 1, action: { kind: 'truncate-body', afterBytes: 200_000 } });
    const chunks: Uint8Array[] = [];
    const reading = (async () => {
      for await (const chunk of space.read({ path: 'file' })) chunks.push(chunk);
    })();
    expect(await codeOf(reading)).toBe('transfer-broken');
    const first = Buffer.concat(chunks);
    expect(first.length).toBeLessThanOrEqual(200_000);
    const rest = Buffer.concat(await all(space.read({ path: 'file' }, { offset: first.length })));
    expect(Buffer.concat([first, rest]).equals(bytes)).toBe(true);
  });

  test('a body that stands still is given up', async () => {
    const quick = given.open(spaceId, { stallTimeoutMs: 1000 });
    await quick.write('file', contentOf('x'.repeat(300_000)));
    faults().add({ path: '/path/file', times: 1, action: { kind: 'stall-body', afterBytes: 70_000 } });
    expect(await codeOf(all(quick.read({ path: 'file' })))).toBe('stalled');
    await quick.close();
  });

  test('a server that answers nothing is given up', async () => {
    const quick = given.open(spaceId, { stallTimeoutMs: 1000 });
    faults().add({ path: '/spaces/', times: 1, action: { kind: 'latency', milliseconds: 5000 } });
    expect(await codeOf(quick.check())).toBe('stalled');
    await quick.close();
  });

  test('a cut connection is unreachable, the next call works', async () => {
    faults().add({ path: '/spaces/', times: 1, action: { kind: 'cut' } });
    expect(await codeOf(space.check())).toBe('unreachable');
    await space.check();
  });

  test('an abort ends a transfer with its own reason', async () => {
    await space.write('file', contentOf('x'.repeat(2_000_000)));
    faults().apply({ bytesPerSecond: 500_000 });
    try {
      const stop = new AbortController();
      const reason = new Error('enough');
      const reading = (async () => {
        for await (const _ of space.read({ path: 'file' }, { signal: stop.signal })) stop.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
    } finally {
      faults().apply({ bytesPerSecond: 0 });
    }
  });

  test('large files go up and come back in chunks, none of them held whole', async () => {
    const chunk = Buffer.alloc(1_048_576, 7);
    const count = 40;
    const content = {
      size: chunk.length * count,
      async *open() {
        for (let index = 0; index < count; index++) yield chunk;
      },
    };
    expect(await space.write('large', content)).toMatchObject({ size: content.size });
    let received = 0;
    let largest = 0;
    for await (const part of space.read({ path: 'large' })) {
      received += part.byteLength;
      largest = Math.max(largest, part.byteLength);
    }
    expect(received).toBe(content.size);
    expect(largest).toBeLessThanOrEqual(1_048_576);
  });

  test('a full space says so, and a write after room was made replaces what was left', async () => {
    given.emulator.context.spaces.setQuota(spaceId, 100_000);
    const content = contentOf('x'.repeat(3_000_000));
    expect(await codeOf(space.write('big', content))).toBe('space-full');
    given.emulator.context.spaces.setQuota(spaceId, null);
    expect(await space.write('big', content)).toMatchObject({ size: 3_000_000 });
  });

  test('what fails while the local bytes are read is not blamed on the network', async () => {
    const broken = {
      size: 10,
      // biome-ignore lint/correctness/useYield: it fails before it gives a byte
      async *open(): AsyncIterable<Uint8Array> {
        throw new Error('disk gone');
      },
    };
    await expect(space.write('file', broken)).rejects.toThrow('disk gone');
  });
});

describe('listings', () => {
  test('over several pages, each child once, with an aborted signal ending it', async () => {
    const { tree } = given.emulator.context.spaces;
    const root = given.emulator.context.spaces.root(spaceId);
    tree.atomically(() => {
      for (let index = 0; index < 2500; index++)
        tree.create(root, `file-${index}`, { type: 'REG', mode: 0o664 });
    });
    const names = (await all(space.list({ path: '' }))).map(({ name }) => name);
    expect(names).toHaveLength(2500);
    expect(new Set(names).size).toBe(2500);
    const stop = new AbortController();
    const reason = new Error('enough');
    const listing = (async () => {
      for await (const _ of space.list({ path: '' }, { signal: stop.signal })) stop.abort(reason);
    })();
    await expect(listing).rejects.toBe(reason);
  });

  test('an error in the middle is an error, never a short listing', async () => {
    const { tree } = given.emulator.context.spaces;
    const root = given.emulator.context.spaces.root(spaceId);
    for (let index = 0; index < 1001; index++)
      tree.create(root, `file-${index}`, { type: 'REG', mode: 0o664 });
    faults().add({
      path: 'children.*token=',
      times: 1,
      action: { kind: 'error', status: 503, id: 'timeout' },
    });
    expect(await codeOf(all(space.list({ path: '' })))).toBe('unavailable');
  });

  test('what a listing drops, stat still finds', async () => {
    const made = await space.write('file', contentOf('x'));
    faults().add({ path: 'children', action: { kind: 'drop-entries', names: '^file$' } });
    expect(await all(space.list({ path: '' }))).toEqual([]);
    expect(await space.stat({ path: 'file' })).toEqual(made);
    expect(await space.stat(made)).toEqual(made);
  });

  test('a time of 0 is unknown', async () => {
    await space.write('file', contentOf('x'));
    faults().add({ action: { kind: 'zero-times' } });
    expect((await space.stat({ path: 'file' }))?.mtimeSeconds).toBeNull();
  });

  test('an outage is an error, never absence', async () => {
    await space.write('file', contentOf('x'));
    faults().add({
      path: 'lookup-file-id',
      times: 1,
      action: { kind: 'error', status: 503, id: 'serviceUnavailable' },
    });
    expect(await codeOf(space.stat({ path: 'file' }))).toBe('unavailable');
    faults().add({
      path: '/data/',
      times: 1,
      action: {
        kind: 'error',
        status: 401,
        id: 'unauthorized',
        details: { authError: { id: 'noConnectionToOnezone' } },
      },
    });
    expect(await codeOf(space.stat({ path: 'file' }))).toBe('unavailable');
  });
});

test('writing over a link replaces the link, not what it leads to', async () => {
  await space.write('file', contentOf('precious'));
  await space.makeSymlink('link', 'file');
  expect(await space.write('link', contentOf('new'))).toMatchObject({ kind: 'file', size: 3 });
  expect((await readAll(space, { path: 'file' }, 100)).toString()).toBe('precious');
  expect(await space.stat({ path: 'link' })).toMatchObject({ kind: 'file' });
});

test('moving after a lost answer: the source is gone, the destination is there', async () => {
  await space.write('from', contentOf('x'));
  faults().add({ method: 'PUT', path: '/cdmi/', times: 1, action: { kind: 'lose-answer' } });
  expect(await codeOf(space.move({ path: 'from', kind: 'file' }, 'to'))).toBe('unreachable');
  expect(await space.stat({ path: 'from' })).toBeNull();
  expect(await space.stat({ path: 'to' })).toMatchObject({ kind: 'file', size: 1 });
});

test('a space whose name cannot be addressed is refused with the reason', async () => {
  await given.emulator.addSpace({ id: 'at', name: 'lab@home', supported: true });
  const at = given.open('at');
  await expect(at.check()).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('Rename'),
  });
  await at.close();
});

describe('a page of a listing that fails', () => {
  const names = Array.from({ length: 2100 }, (_, index) => `file-${String(index).padStart(4, '0')}`);
  const fill = () => {
    const { tree } = given.emulator.context.spaces;
    tree.atomically(() => {
      const root = tree.byUuid(rootUuid(spaceId)) as Entry;
      for (const name of names) tree.create(root, name, { type: 'REG', mode: 0o664 });
    });
  };
  const unavailable = { kind: 'error', status: 503, id: 'serviceUnavailable' } as const;

  test('is asked again by itself, and the others are not', async () => {
    fill();
    faults().add({ path: 'children.*token=', skip: 1, times: 2, action: unavailable });
    // The first page must never be asked a second time.
    faults().add({ path: 'children\\?limit=1000&attributes', skip: 1, action: { kind: 'cut' } });
    const retries: string[] = [];
    const patient = withRetry(space, {
      firstWaitMs: 1,
      maxWaitMs: 2,
      onRetry: (error, operation) => retries.push(`${operation} ${error.code}`),
    });
    const listed = await all(patient.list({ path: '' }));
    expect(listed.map(({ name }) => name)).toEqual(names);
    expect(retries).toEqual(['list unavailable', 'list unavailable']);
  });

  test('fails the listing where nobody repeats, and after the last attempt', async () => {
    fill();
    faults().add({ path: 'children.*token=', action: unavailable });
    expect(await codeOf(all(space.list({ path: '' })))).toBe('unavailable');
    const patient = withRetry(space, { retries: 2, firstWaitMs: 1, maxWaitMs: 2 });
    expect(await codeOf(all(patient.list({ path: '' })))).toBe('unavailable');
  });
});
