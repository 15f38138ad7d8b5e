import { once } from 'node:events';
import type { RequestListener, ServerResponse } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import type { Answer } from '../../src/spaces/onedata/http-connections.ts';
import {
  contentOfAnswer,
  countingMeter,
  get,
  givenHttpServer,
  put,
  sendInChunks,
  toldStatuses,
} from './given-http-server.ts';

const MIB = 1 << 20;
const REASON = new Error('the user left');
const endless = Buffer.alloc(64 * MIB);

/** A server with one endless body. */
async function givenEndless() {
  const closed = Promise.withResolvers<void>();
  const given = await givenHttpServer((request, response) => {
    if (request.url === '/short') {
      response.end('short');
      return;
    }
    response.on('close', () => closed.resolve());
    void sendInChunks(response, endless, MIB);
  });
  return { given, closed: closed.promise };
}

async function readOf({ body }: Answer): Promise<void> {
  for await (const piece of body) expect(piece.length).toBeGreaterThan(0);
}

describe('a transfer ends at the server', () => {
  const ways: [string, (answer: Answer, abort: AbortController) => Promise<void>][] = [
    [
      'when the loop is left early',
      async ({ body }) => {
        for await (const piece of body) if (piece.length > 0) break;
      },
    ],
    ['when it is dropped', async (answer) => answer.drop()],
    [
      'when it is dropped while it is read',
      async (answer) => {
        const reading = (async () => {
          for await (const piece of answer.body) if (piece.length > 0) answer.drop();
        })();
        await expect(reading).rejects.toThrow('the answer is not read any more');
      },
    ],
    [
      'when it is aborted before it is read, which throws the reason',
      async (answer, abort) => {
        abort.abort(REASON);
        await expect(readOf(answer)).rejects.toBe(REASON);
      },
    ],
    [
      'when it is aborted while it is read, which throws the reason',
      async (answer, abort) => {
        const reading = (async () => {
          for await (const piece of answer.body) if (piece.length > 0) abort.abort(REASON);
        })();
        await expect(reading).rejects.toBe(REASON);
      },
    ],
    ['when it is aborted and never read', async (_answer, abort) => abort.abort(REASON)],
  ];
  test.each(ways)('%s', async (_name, end) => {
    const { given, closed } = await givenEndless();
    const told = toldStatuses();
    const counts = countingMeter();
    const connections = given.open({ connections: 1 }, counts.meter);
    const abort = new AbortController();
    const answer = await get(connections, { signal: abort.signal });
    await end(answer, abort);
    await closed;
    // What ended gave its connection free.
    const next = await get(connections, { path: '/short', signal: new AbortController().signal });
    expect((await contentOfAnswer(next)).toString()).toBe('short');
    answer.drop();
    expect(counts).toMatchObject({ begun: 2, ends: [false, false] });
    expect(told).toEqual([200, 200]);
  });
});

describe('an aborted request', () => {
  test('is none when its signal was aborted before', async () => {
    const paths: unknown[] = [];
    const given = await givenHttpServer((request, response) => {
      paths.push(request.url);
      response.end();
    });
    const counts = countingMeter();
    const told = toldStatuses();
    const connections = given.open({}, counts.meter);
    let isAsked = false;
    const body = (async function* () {
      isAsked = true;
      yield Buffer.from('never');
    })();
    const signal = AbortSignal.abort(REASON);
    await expect(get(connections, { path: '/aborted', signal })).rejects.toBe(REASON);
    await expect(put(connections, { path: '/aborted', signal, body })).rejects.toBe(REASON);
    await get(connections, { path: '/next' });
    expect(paths).toEqual(['/next']);
    expect(isAsked).toBe(false);
    expect(counts).toMatchObject({ begun: 3, ends: [false, false, false] });
    expect(told).toEqual([null, null, 200]);
  });

  test('rejects with the reason and ends at the server, before its answer', async () => {
    const arrived = Promise.withResolvers<ServerResponse>();
    const given = await givenHttpServer((_request, response) => arrived.resolve(response));
    const counts = countingMeter();
    const told = toldStatuses();
    const abort = new AbortController();
    const asking = get(given.open({}, counts.meter), { signal: abort.signal });
    const response = await arrived.promise;
    const closed = once(response, 'close');
    abort.abort(REASON);
    await expect(asking).rejects.toBe(REASON);
    await closed;
    expect(counts).toMatchObject({ begun: 1, ends: [false] });
    expect(told).toEqual([null]);
  });

  test('that waits for a connection is never sent', async () => {
    const paths: unknown[] = [];
    const first = Promise.withResolvers<ServerResponse>();
    const given = await givenHttpServer((request, response) => {
      paths.push(request.url);
      if (request.url === '/first') first.resolve(response);
      else response.end();
    });
    const connections = given.open({ connections: 1 });
    const asking = get(connections, { path: '/first' });
    const abort = new AbortController();
    const waiting = get(connections, { path: '/waiting', signal: abort.signal });
    const last = get(connections, { path: '/last' });
    const response = await first.promise;
    abort.abort(REASON);
    await expect(waiting).rejects.toBe(REASON);
    // What was answered later than it was aborted shows that the thread knows.
    await get(given.open(), { path: '/other' });
    response.end();
    await Promise.all([asking, last]);
    expect(paths).toEqual(['/first', '/other', '/last']);
  });

  test('leaves nothing at a signal that lives on', async () => {
    const given = await givenHttpServer((_request, response) => response.end('short'));
    const connections = given.open();
    const { signal } = new AbortController();
    const adding = vi.spyOn(signal, 'addEventListener');
    const removing = vi.spyOn(signal, 'removeEventListener');
    for (let each = 0; each < 3; each += 1) await get(connections, { signal });
    expect(adding).toHaveBeenCalledTimes(3);
    expect(removing.mock.calls.map(([, listener]) => listener)).toEqual(
      adding.mock.calls.map(([, listener]) => listener),
    );
  });
});

describe('the meter and the channel hear once of each request', () => {
  const cases: [string, RequestListener, number | null, boolean, number?][] = [
    ['that is answered', (_request, response) => response.end('well'), 200, false],
    [
      'that is answered at length',
      (_, response) => void sendInChunks(response, endless.subarray(0, MIB), 9999),
      200,
      false,
    ],
    ['that is not found', (_request, response) => response.writeHead(404).end('none'), 404, false],
    ['of which there are too many', (_request, response) => response.writeHead(429).end('slower'), 429, true],
    ['that is too much for the server', (_request, response) => response.writeHead(503).end(), 503, true],
    ['whose connection breaks', (request) => void request.socket.destroy(), null, false],
    [
      'that breaks in its body',
      (_request, response) => void response.write('some', () => response.socket?.end()),
      200,
      false,
    ],
    ['that is never answered', () => undefined, null, true, 300],
    ['that stalls in its body', (_request, response) => void response.write('some'), 200, true, 300],
  ];
  test.each(cases)('%s', async (_name, listener, status, isOverloaded, stallTimeoutMs = 30_000) => {
    let sent = 0;
    const given = await givenHttpServer(listener);
    const counts = countingMeter();
    const told = toldStatuses();
    const connections = given.open({ stallTimeoutMs }, counts.meter);
    const reading = get(connections).then(async ({ body }) => {
      for await (const piece of body) sent += piece.length;
    });
    await reading.catch(() => undefined);
    await connections.close();
    expect(counts).toMatchObject({ begun: 1, ends: [isOverloaded], moved: sent });
    expect(told).toEqual([status]);
  });
});

describe('closing', () => {
  test('rejects what is under way or waits, and resolves', async () => {
    const arrived: unknown[] = [];
    const given = await givenHttpServer((request, response) => {
      arrived.push(request.url);
      if (request.url === '/endless') void sendInChunks(response, endless, MIB);
    });
    const counts = countingMeter();
    const connections = given.open({ connections: 2 }, counts.meter);
    const answer = await get(connections, { path: '/endless' });
    const asking = get(connections, { path: '/asking' });
    await vi.waitUntil(() => arrived.length === 2, 30_000);
    const waiting = get(connections, { path: '/waiting' });
    const code = expect.stringMatching(/^UND_ERR_/);
    const rejected = [
      expect(asking).rejects.toMatchObject({ code }),
      expect(waiting).rejects.toMatchObject({ code }),
    ];
    await connections.close();
    await Promise.all(rejected);
    await expect(readOf(answer)).rejects.toMatchObject({ code });
    expect(counts).toMatchObject({ begun: 3, ends: [false, false, false] });
    expect(arrived).toEqual(['/endless', '/asking']);
  });

  test('rejects a request of the same moment, and every later one', async () => {
    const given = await givenHttpServer((_request, response) => response.end());
    const connections = given.open();
    const rejected = expect(get(connections)).rejects.toMatchObject({
      code: expect.stringMatching(/^UND_ERR_/),
    });
    await connections.close();
    await rejected;
    await expect((async () => get(connections))()).rejects.toThrow('closed');
  });

  test('again, or before the first request, does nothing', async () => {
    const given = await givenHttpServer((_request, response) => response.end());
    await given.open().close();
    const connections = given.open();
    await get(connections);
    await Promise.all([connections.close(), connections.close()]);
    await connections.close();
  });

  test('ends the connections at the server', async () => {
    const given = await givenHttpServer((_request, response) => response.end());
    const ended = new Promise((done) => given.server.on('connection', (socket) => socket.on('close', done)));
    const connections = given.open();
    await get(connections);
    await connections.close();
    await ended;
  });

  test('leaves others alone', async () => {
    const { given } = await givenEndless();
    const [one, other] = [given.open(), given.open()];
    const [ofOne, ofOther] = await Promise.all([get(one), get(other)]);
    await one.close();
    await expect(readOf(ofOne)).rejects.toThrow();
    expect((await contentOfAnswer(await get(other, { path: '/short' }))).toString()).toBe('short');
    expect((await contentOfAnswer(ofOther)).length).toBe(endless.length);
  });
});
