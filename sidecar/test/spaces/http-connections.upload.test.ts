import { describe, expect, test, vi } from 'vitest';
import { contentOfAnswer, get, givenHttpServer, put, settled, unlikeBytes } from './given-http-server.ts';

const MIB = 1 << 20;

/** Bytes that are asked for one after the other; it is seen how many, and when no more are wanted. */
function source(count: number, each: Buffer, fails?: Error) {
  const seen = { given: 0, isOver: false };
  const bytes = (async function* () {
    try {
      while (seen.given < count) {
        seen.given += 1;
        yield each;
      }
      if (fails) throw fails;
    } finally {
      seen.isOver = true;
    }
  })();
  return { seen, bytes };
}

const ENDLESS = 1_000_000;

describe('an upload', () => {
  test.each([
    [1, 3],
    [1000, 777],
    [40, 65_536],
    [5, 1_500_001],
    [0, 1],
  ])('of %i times %i bytes arrives whole, with and without its length', async (count, each) => {
    const received: { readonly bytes: Buffer; readonly length: string | undefined }[] = [];
    const given = await givenHttpServer(async (request, response) => {
      const bytes = Buffer.concat(await request.toArray());
      received.push({ bytes, length: request.headers['content-length'] });
      response.end('done');
    });
    const bytes = unlikeBytes(count * each);
    const connections = given.open();
    for (const headers of [{}, { 'content-length': `${bytes.length}` }] as Record<string, string>[]) {
      const body = (async function* () {
        // The same memory each time, as one who reads a file has it.
        const buffer = Buffer.alloc(each);
        for (let at = 0; at < bytes.length; at += each) {
          bytes.copy(buffer, 0, at, at + each);
          yield buffer;
        }
      })();
      const answer = await put(connections, { headers, body });
      expect((await contentOfAnswer(answer)).toString()).toBe('done');
    }
    expect(received.map((one) => one.bytes.equals(bytes))).toEqual([true, true]);
    expect(received[1]?.length).toBe(`${bytes.length}`);
  });

  test('of parts of larger memory sends just these', async () => {
    const received: string[] = [];
    const given = await givenHttpServer(async (request, response) => {
      received.push(Buffer.concat(await request.toArray()).toString());
      response.end();
    });
    const large = Buffer.from('0123456789');
    const body = (async function* () {
      yield large.subarray(2, 4);
      yield large.subarray(4, 4);
      yield large.subarray(8);
    })();
    await put(given.open(), { body });
    expect(received).toEqual(['2389']);
  });

  test('is not asked for far ahead of a server that reads nothing, and goes on when it reads', async () => {
    const arrived = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const given = await givenHttpServer(async (request, response) => {
      arrived.resolve();
      await go.promise;
      let length = 0;
      for await (const chunk of request) length += (chunk as Buffer).length;
      response.end(`${length}`);
    });
    const { seen, bytes } = source(64, Buffer.alloc(MIB));
    const sending = put(given.open(), { body: bytes });
    await arrived.promise;
    expect(await settled(() => seen.given)).toBeLessThan(32);
    expect(seen.isOver).toBe(false);
    go.resolve();
    expect((await contentOfAnswer(await sending)).toString()).toBe(`${64 * MIB}`);
    expect(seen.given).toBe(64);
  });
});

describe('an upload that does not come to its end', () => {
  /** A server that notes whether an upload seemed whole to it. */
  async function givenReceiver() {
    const outcomes: string[] = [];
    const given = await givenHttpServer((request, response) => {
      request.on('data', () => undefined);
      request.on('end', () => {
        outcomes.push('whole');
        response.end();
      });
      request.on('error', () => undefined);
      request.on('close', () => {
        if (!request.complete) outcomes.push('cut');
      });
    });
    return { given, outcomes };
  }

  test.each([0, 1, 20])(
    'because its source fails after %i pieces rejects with that, and is cut',
    async (count) => {
      const { given, outcomes } = await givenReceiver();
      const error = new Error('the disk cannot be read');
      const { bytes } = source(count, Buffer.alloc(100_000), error);
      const connections = given.open();
      await expect(put(connections, { body: bytes })).rejects.toBe(error);
      await vi.waitUntil(() => outcomes.length > 0 || count === 0, 30_000);
      expect(outcomes).not.toContain('whole');
      await get(connections);
    },
  );

  test('because it is aborted rejects with the reason, is cut, and its source is left', async () => {
    const { given, outcomes } = await givenReceiver();
    const { seen, bytes } = source(ENDLESS, Buffer.alloc(10_000));
    const abort = new AbortController();
    const sending = put(given.open(), { body: bytes, signal: abort.signal });
    await vi.waitUntil(() => seen.given > 5, 30_000);
    const reason = new Error('the user left');
    abort.abort(reason);
    await expect(sending).rejects.toBe(reason);
    await vi.waitUntil(() => seen.isOver && outcomes.length > 0, 30_000);
    expect(outcomes).toEqual(['cut']);
  });

  test('because the connection breaks rejects with a code, and its source is left', async () => {
    const given = await givenHttpServer((request) => {
      request.once('data', () => request.socket.destroy());
      request.on('error', () => undefined);
    });
    const { seen, bytes } = source(ENDLESS, Buffer.alloc(10_000));
    const code = expect.stringMatching(/^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/);
    await expect(put(given.open(), { body: bytes })).rejects.toMatchObject({ code });
    await vi.waitUntil(() => seen.isOver, 30_000);
  });

  test('because a connection is refused leaves its source', async () => {
    const given = await givenHttpServer(() => undefined);
    let isLeft = false;
    const body = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false as const, value: Buffer.alloc(10) }),
        return: () => {
          isLeft = true;
          return Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    };
    const sending = put(given.open({ origin: 'http://127.0.0.1:1' }), { body });
    await expect(sending).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(isLeft).toBe(true);
  });

  test('because the connections are closed rejects, is cut, and its source is left', async () => {
    const { given, outcomes } = await givenReceiver();
    const { seen, bytes } = source(ENDLESS, Buffer.alloc(10_000));
    const connections = given.open();
    const rejected = expect(put(connections, { body: bytes })).rejects.toMatchObject({
      code: expect.stringMatching(/^UND_ERR_/),
    });
    await vi.waitUntil(() => seen.given > 5, 30_000);
    await connections.close();
    await rejected;
    await vi.waitUntil(() => seen.isOver && outcomes.length > 0, 30_000);
    expect(outcomes).toEqual(['cut']);
  });

  test.each(['at once', 'after some bytes'])(
    'because the server answers %s has that answer, and its source is left',
    async (when) => {
      const given = await givenHttpServer((request, response) => {
        // A server that closes with bytes unread takes its answer away again, whenever it is the quicker one.
        const refuse = () => response.writeHead(403).end('not yours');
        if (when === 'at once') refuse();
        else request.once('data', refuse);
        request.on('error', () => undefined);
      });
      const { seen, bytes } = source(ENDLESS, Buffer.alloc(10_000));
      const answer = await put(given.open(), { body: bytes });
      expect(answer.status).toBe(403);
      expect((await contentOfAnswer(answer)).toString()).toBe('not yours');
      await vi.waitUntil(() => seen.isOver, 30_000);
      expect(seen.given).toBeLessThan(ENDLESS);
    },
  );

  test('of less than its announced length is an error', async () => {
    const { given, outcomes } = await givenReceiver();
    const { bytes } = source(2, Buffer.alloc(10));
    const sending = put(given.open(), { headers: { 'content-length': '100' }, body: bytes });
    await expect(sending).rejects.toMatchObject({ code: expect.stringMatching(/^UND_ERR_/) });
    expect(outcomes).not.toContain('whole');
  });
});
