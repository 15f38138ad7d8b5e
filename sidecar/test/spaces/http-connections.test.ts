import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { release } from '../../src/spaces/buffer-pool.ts';
import { PIECE_BYTES } from '../../src/spaces/onedata/pieces.ts';
import {
  contentOfAnswer,
  get,
  givenHttpServer,
  put,
  sendInChunks,
  settled,
  unlikeBytes,
} from './given-http-server.ts';

const MIB = 1 << 20;

describe('a short body', () => {
  test.each([0, 1, 5, 1000, 200_000])('of %i bytes is whole, with and without its length', async (size) => {
    const bytes = unlikeBytes(size);
    const given = await givenHttpServer((request, response) => {
      if (request.url === '/known')
        response.writeHead(201, { 'content-length': size, 'content-type': 'one/two' });
      else response.writeHead(201, { 'transfer-encoding': 'chunked', 'content-type': 'one/two' });
      response.end(bytes);
    });
    const connections = given.open();
    for (const path of ['/known', '/chunked']) {
      const answer = await get(connections, { path });
      expect(answer.status).toBe(201);
      expect(answer.headers['content-type']).toBe('one/two');
      expect((await contentOfAnswer(answer)).equals(bytes)).toBe(true);
    }
  });

  test('comes with the answer after one that only announces it', async () => {
    const given = await givenHttpServer((_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('the answer');
    });
    const answer = await get(given.open());
    expect(answer.status).toBe(200);
    expect((await contentOfAnswer(answer)).toString()).toBe('the answer');
  });

  test('needs no reader: the connection serves the next request', async () => {
    const sockets = new Set<unknown>();
    const given = await givenHttpServer((request, response) => {
      sockets.add(request.socket);
      response.end('short');
    });
    const connections = given.open({ connections: 1 });
    for (let each = 0; each < 5; each += 1) (await get(connections)).drop();
    for (let each = 0; each < 5; each += 1) await get(connections);
    expect(sockets.size).toBe(1);
  });
});

test('a request says its method, path, headers and body', async () => {
  const heard: unknown[] = [];
  const given = await givenHttpServer(async (request, response) => {
    const content = Buffer.concat(await request.toArray()).toString();
    heard.push([request.method, request.url, request.headers['x-token'], content]);
    response.end();
  });
  const connections = given.open();
  const headers = { 'x-token': 'mine' };
  await get(connections, { method: 'POST', path: '/a%20b?c=d', headers, body: 'text' });
  await get(connections, { method: 'PUT', path: '/bytes', headers, body: Buffer.from('bytes') });
  await get(connections, { method: 'DELETE', path: '/none', headers });
  await get(connections, { method: 'PUT', path: '/part', headers, body: Buffer.from('a part').subarray(2) });
  expect(heard).toEqual([
    ['POST', '/a%20b?c=d', 'mine', 'text'],
    ['PUT', '/bytes', 'mine', 'bytes'],
    ['DELETE', '/none', 'mine', ''],
    ['PUT', '/part', 'mine', 'part'],
  ]);
});

describe('a long body', () => {
  const LONG = 5 * MIB + 12_345;

  // A pause of this machine between two chunks would rightly make a piece shorter.
  test.each([1 << 10, 16 << 10, 100_000, PIECE_BYTES, 3 * PIECE_BYTES + 1])(
    'written %i bytes at a time comes in full pieces, whose memory is used again',
    { retry: 3 },
    async (each) => {
      const bytes = unlikeBytes(LONG);
      const given = await givenHttpServer((request, response) => {
        if (request.url === '/known') response.setHeader('content-length', LONG);
        void sendInChunks(response, bytes, each);
      });
      const connections = given.open();
      for (const path of ['/known', '/chunked']) {
        const lengths: number[] = [];
        const held: { readonly at: number; readonly piece: Uint8Array }[] = [];
        let at = 0;
        for await (const piece of (await get(connections, { path })).body) {
          expect(bytes.subarray(at, at + piece.length).equals(piece)).toBe(true);
          lengths.push(piece.length);
          if (lengths.length % 3 === 0) held.push({ at, piece });
          at += piece.length;
          if (lengths.length % 3 !== 0) release(piece);
        }
        expect(at).toBe(LONG);
        expect(lengths.slice(0, -1).every((length) => length === PIECE_BYTES)).toBe(true);
        expect(held.length).toBeGreaterThan(2);
        for (const { at: start, piece } of held) {
          expect(bytes.subarray(start, start + piece.length).equals(piece)).toBe(true);
        }
      }
    },
  );

  test('is left to its sender while nobody reads, and goes on with the reader', async () => {
    const bytes = unlikeBytes(64 * MIB);
    let socket: Socket | undefined;
    const given = await givenHttpServer((request, response) => {
      socket = request.socket;
      void sendInChunks(response, bytes, 64 << 10);
    });
    const answer = await get(given.open());
    const taken = await settled(() => socket?.bytesWritten ?? 0);
    expect(taken).toBeGreaterThan(MIB);
    expect(taken).toBeLessThan(32 * MIB);
    let at = 0;
    for await (const piece of answer.body) {
      expect(bytes.subarray(at, at + piece.length).equals(piece)).toBe(true);
      at += piece.length;
      release(piece);
    }
    expect(at).toBe(bytes.length);
  });

  test('does not hold up others on other connections', async () => {
    const given = await givenHttpServer((request, response) => {
      if (request.url === '/short') response.end('short');
      else void sendInChunks(response, Buffer.alloc(16 * MIB), MIB);
    });
    const connections = given.open({ connections: 2 });
    const unread = await get(connections);
    for (let each = 0; each < 3; each += 1) {
      expect((await contentOfAnswer(await get(connections, { path: '/short' }))).toString()).toBe('short');
    }
    expect((await contentOfAnswer(unread)).length).toBe(16 * MIB);
  });
});

test('a slow body is seen before its end', async () => {
  let isEnded = false;
  let timer: NodeJS.Timeout | undefined;
  const given = await givenHttpServer((request, response) => {
    response.writeHead(200, request.url === '/known' ? { 'content-length': 100 } : {});
    let count = 0;
    timer = setInterval(() => {
      isEnded = count === 9;
      count += 1;
      response.write(Buffer.alloc(10, count));
      if (!isEnded) return;
      clearInterval(timer);
      response.end();
    }, 150);
  });
  const connections = given.open();
  for (const path of ['/known', '/chunked']) {
    const answer = await get(connections, { path });
    const early: boolean[] = [];
    const all: Uint8Array[] = [];
    for await (const piece of answer.body) {
      early.push(!isEnded);
      all.push(piece);
    }
    expect(early[0]).toBe(true);
    const expected = Buffer.concat(Array.from({ length: 10 }, (_, index) => Buffer.alloc(10, index + 1)));
    expect(Buffer.concat(all).equals(expected)).toBe(true);
    isEnded = false;
  }
});

describe('a break', () => {
  test.each([
    ['in the first bytes', 10],
    ['in a short body', 100_000],
    ['in a long body', 2 * MIB + 100],
  ])('%s comes after what was received', async (_name, before) => {
    const bytes = unlikeBytes(before);
    const given = await givenHttpServer((request, response) => {
      if (request.url === '/known') response.setHeader('content-length', 2 * before);
      response.write(bytes, () => response.socket?.end());
    });
    const connections = given.open();
    for (const path of ['/known', '/chunked']) {
      const received: Uint8Array[] = [];
      const answer = await get(connections, { path });
      expect(answer.status).toBe(200);
      const reading = (async () => {
        for await (const piece of answer.body) received.push(piece);
      })();
      await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/^(UND_ERR_|HPE_|ECONN)/) });
      expect(Buffer.concat(received).equals(bytes)).toBe(true);
    }
  });

  test('before the answer is an error with a code', async () => {
    const given = await givenHttpServer((request) => {
      request.socket.destroy();
    });
    const code = expect.stringMatching(/^(UND_ERR_SOCKET|ECONNRESET)$/);
    await expect(get(given.open())).rejects.toMatchObject({ code });
  });

  test('of the rules of HTTP is an error with a code', async () => {
    const given = await givenHttpServer((request) => void request.socket.end('nonsense\r\n\r\n'));
    const code = expect.stringMatching(/^(HPE_|HTTPParserError)/);
    await expect(get(given.open())).rejects.toMatchObject({ code });
  });
});

test('a refused connection and a request that cannot be sent are errors with a code', async () => {
  const given = await givenHttpServer((_request, response) => response.end('well'));
  const nowhere = given.open({ origin: 'http://127.0.0.1:1' });
  await expect(get(nowhere)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  const connections = given.open();
  await expect(get(connections, { path: 'without slash' })).rejects.toMatchObject({
    code: 'UND_ERR_INVALID_ARG',
  });
  const headers = { 'x-bad': 'a\nb' };
  await expect(put(connections, { headers, body: 'text' })).rejects.toMatchObject({
    code: 'UND_ERR_INVALID_ARG',
  });
  expect((await contentOfAnswer(await get(connections))).toString()).toBe('well');
});

describe('a server that says nothing for too long', () => {
  test('before its answer', async () => {
    const given = await givenHttpServer(() => undefined);
    const asking = get(given.open({ stallTimeoutMs: 300 }));
    await expect(asking).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  test('in a body, of which the rest is received', async () => {
    const given = await givenHttpServer((_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('the first bytes');
    });
    const answer = await get(given.open({ stallTimeoutMs: 300 }));
    const received: Uint8Array[] = [];
    const reading = (async () => {
      for await (const piece of answer.body) received.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'UND_ERR_BODY_TIMEOUT' });
    expect(Buffer.concat(received).toString()).toBe('the first bytes');
  });

  test('is not blamed for a reader that reads nothing', async () => {
    const given = await givenHttpServer((_request, response) => {
      void sendInChunks(response, Buffer.alloc(16 * MIB), MIB);
    });
    const answer = await get(given.open({ stallTimeoutMs: 300 }));
    await new Promise((done) => setTimeout(done, 2_500));
    expect((await contentOfAnswer(answer)).length).toBe(16 * MIB);
  });
});
