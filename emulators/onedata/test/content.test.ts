import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, Given, localAgent } from './given.ts';

let given: Given;
beforeAll(async () => {
  given = await Given.start();
});
afterAll(() => given.dispose());

describe('download', () => {
  let id: string;
  let empty: string;
  beforeAll(async () => {
    id = await given.put('digits', '0123456789');
    empty = await given.put('empty');
  });
  const range = (value: string, file = id) =>
    given.op('GET', `data/${file}/content`, { headers: { range: value } });

  test('whole', async () => {
    const answer = await given.op('GET', `data/${id}/content`);
    expect(answer).toMatchObject({ status: 200, text: '0123456789' });
    expect(answer.headers['content-length']).toBe('10');
    expect(await given.op('GET', `data/${empty}/content`)).toMatchObject({ status: 200, text: '' });
  });

  test.each([
    ['bytes=2-5', '2345', 'bytes 2-5/10'],
    ['bytes=2-', '23456789', 'bytes 2-9/10'],
    ['bytes=-4', '6789', 'bytes 6-9/10'],
    ['bytes=8-100', '89', 'bytes 8-9/10'],
  ])('%s is 206', async (value, text, contentRange) => {
    const answer = await range(value);
    expect(answer).toMatchObject({ status: 206, text });
    expect(answer.headers['content-range']).toBe(contentRange);
  });

  test.each(['bytes=10-', 'bytes=5-2', 'bytes=x', 'lines=1-2', 'bytes=-'])(
    '%s is 416 with no body',
    async (value) => {
      const answer = await range(value);
      expect(answer).toMatchObject({ status: 416, text: '' });
      expect(answer.headers['content-range']).toBe('bytes */10');
    },
  );

  test('any range of an empty file is 416', async () => {
    expect((await range('bytes=0-', empty)).status).toBe(416);
    expect((await range('bytes=0-0', empty)).headers['content-range']).toBe('bytes */0');
  });

  test('several ranges come as multipart', async () => {
    const answer = await range('bytes=0-1,8-9');
    expect(answer.status).toBe(206);
    expect(answer.headers['content-type']).toMatch(/^multipart\/byteranges; boundary=/);
    expect(answer.text).toContain('content-range: bytes 8-9/10\r\n\r\n89');
  });

  test('a directory redirects to an archive that needs no token', async () => {
    await given.put('pack/a/file', 'inside');
    await given.op('PUT', 'data/sp1/path/pack/link?type=SYMLNK&target_file_path=a');
    const redirect = await given.op('GET', 'data/sp1/path/pack');
    expect(redirect.status).toBe(302);
    const path = String(redirect.headers.location).split('/').slice(3).join('/');
    const archive = await given.host('GET', path, { token: null });
    const names: string[] = [];
    const reader = extract();
    Readable.from([Buffer.from(archive.text, 'latin1')]).pipe(reader);
    for await (const entry of reader) {
      names.push(`${entry.header.type} ${entry.header.name}`);
      if (entry.header.type === 'file') expect((await buffer(entry)).toString()).toBe('inside');
      else entry.resume();
    }
    expect(names).toEqual(['directory a', 'file a/file', 'symlink link']);
    expect((await given.host('GET', 'download/unknown')).status).toBe(404);
  });
});

describe('upload', () => {
  const put = (id: string, body: string | Buffer, query = '') =>
    given.op('PUT', `data/${id}/content${query}`, { body });
  const text = async (id: string) => (await given.op('GET', `data/${id}/content`)).text;

  test('replaces; at an offset it overwrites, a gap reads as zeros', async () => {
    const id = await given.put('up', 'first content');
    expect((await put(id, 'new')).status).toBe(204);
    expect(await text(id)).toBe('new');
    await put(id, 'NE', '?offset=0');
    expect(await text(id)).toBe('NEw');
    await put(id, 'end', '?offset=5');
    expect(await text(id)).toBe('NEw\0\0end');
    expect((await given.op('GET', `data/${id}?attributes=size`)).json.size).toBe(8);
    await put(id, '');
    expect((await given.op('GET', `data/${id}?attributes=size`)).json.size).toBe(0);
    expect(errorOf(await put(id, 'x', '?offset=-1'))).toBe('400 badValueNotInRange');
    expect(errorOf(await put('sp1', 'x'))).toBe('400 eisdir');
  });

  test('many megabytes arrive byte for byte', async () => {
    const bytes = randomBytes(24 * 1_048_576);
    const id = await given.put('big');
    expect((await put(id, bytes)).status).toBe(204);
    const [entry] = (await given.op('GET', 'data/sp1/children?index=big&limit=1&attributes=size')).json
      .children;
    expect(entry.size).toBe(bytes.length);
    const { spaces } = given.emulator.context;
    const inode = spaces.tree.child('space_sp1', 'big')?.inode ?? 0;
    const hash = createHash('sha256');
    for await (const chunk of spaces.contents.read(inode, 0, bytes.length)) hash.update(chunk as Buffer);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('ranges of a large file are what was asked for, also several at one time', async () => {
    const text = randomBytes(1_500_000).toString('hex');
    const id = await given.put('large', text);
    const { authorityPem, providerHost } = given.emulator;
    const read = async (start: number, end: number) => {
      const agent = localAgent(authorityPem);
      const { statusCode, body } = await agent.request({
        origin: `https://${providerHost}`,
        path: `/api/v3/oneprovider/data/${id}/content`,
        method: 'GET',
        headers: { 'x-auth-token': given.token, range: `bytes=${start}-${end}` },
      });
      expect(statusCode).toBe(206);
      const isRight = (await body.text()) === text.slice(start, end + 1);
      await agent.destroy();
      return isRight;
    };
    const ranges = [0, 1, 2, 3, 4, 5, 6].map((part) => [part * 400_000, part * 400_000 + 599_999] as const);
    expect(await Promise.all(ranges.map(([start, end]) => read(start, end)))).toEqual(ranges.map(() => true));
    expect(await read(262_143, 262_144)).toBe(true);
    expect((await given.op('GET', `data/${id}/content`)).text === text).toBe(true);
  });

  test('a client that leaves in the middle of a large file disturbs nobody', async () => {
    const text = randomBytes(4_000_000).toString('hex');
    const id = await given.put('left', text);
    for (let round = 0; round < 5; round++) {
      const agent = localAgent(given.emulator.authorityPem);
      const { body } = await agent.request({
        origin: `https://${given.emulator.providerHost}`,
        path: `/api/v3/oneprovider/data/${id}/content`,
        method: 'GET',
        headers: { 'x-auth-token': given.token },
      });
      for await (const _ of body) break;
      await agent.destroy();
    }
    expect((await given.op('GET', `data/${id}/content`)).text === text).toBe(true);
  });

  test('a full space refuses further blocks, not the one that fills it', async () => {
    given.emulator.context.spaces.setQuota('sp2', 1000);
    await given.put('fits', 'x'.repeat(1500), 'sp2');
    const refused = await given.op('PUT', 'data/sp2/path/late', { body: 'x' });
    expect(errorOf(refused)).toBe('400 enospc');
    const big = await given.op('PUT', 'data/sp2/path/later', { body: Buffer.alloc(4_000_000) });
    expect(errorOf(big)).toBe('400 enospc');
    given.emulator.context.spaces.setQuota('sp2', null);
    expect((await given.op('PUT', 'data/sp2/path/free', { body: 'x' })).status).toBe(201);
  });
});

test('a connection ends after 30 requests', async () => {
  const closing: number[] = [];
  for (let count = 1; count <= 90; count++) {
    if ((await given.op('GET', 'health')).headers.connection === 'close') closing.push(count);
  }
  expect(closing).toHaveLength(3);
  expect((closing[1] ?? 0) - (closing[0] ?? 0)).toBe(30);
});
