import { spawn } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import {
  contentOfAnswer,
  countingMeter,
  get,
  givenHttpServer,
  put,
  sendInChunks,
} from './given-http-server.ts';

const MIB = 1 << 20;

/** Every thread of this file. */
const workers: Worker[] = [];
const note = (worker: Worker) => void workers.push(worker);
process.on('worker', note);
afterAll(() => void process.off('worker', note));

test('300 requests at once share 4 connections', async () => {
  const sockets = new Set<unknown>();
  const areFour = Promise.withResolvers<void>();
  const given = await givenHttpServer(async (request, response) => {
    sockets.add(request.socket);
    if (sockets.size === 4) areFour.resolve();
    const content = Buffer.concat(await request.toArray());
    await areFour.promise;
    response.end(`${request.url} ${content}`);
  });
  const counts = countingMeter();
  const connections = given.open({ connections: 4 }, counts.meter);
  const contents = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const body = (async function* () {
        yield Buffer.from(`${index}`);
      })();
      const answer = await put(connections, { path: `/${index}`, body: index % 2 === 0 ? body : `${index}` });
      return (await contentOfAnswer(answer)).toString();
    }),
  );
  expect(contents).toEqual(Array.from({ length: 300 }, (_, index) => `/${index} ${index}`));
  expect(sockets.size).toBe(4);
  expect(counts.begun).toBe(300);
  expect(counts.ends.length).toBe(300);
});

test('long bodies at the same time are not mixed up', async () => {
  const given = await givenHttpServer((request, response) => {
    void sendInChunks(response, Buffer.alloc(3 * MIB, Number(request.url?.slice(1))), 50_000);
  });
  const connections = given.open({ connections: 8 });
  const all = Array.from({ length: 16 }, (_, index) => index + 1);
  const read = all.map(async (value) => contentOfAnswer(await get(connections, { path: `/${value}` })));
  for (const [index, content] of (await Promise.all(read)).entries()) {
    expect(content.equals(Buffer.alloc(3 * MIB, index + 1))).toBe(true);
  }
});

describe('a thread that ends', () => {
  test('ends what is under way, and the next request begins another', async () => {
    const given = await givenHttpServer((request, response) => {
      if (request.url === '/short') response.end('short');
      else if (request.url === '/long') void sendInChunks(response, Buffer.alloc(64 * MIB), MIB);
    });
    const counts = countingMeter();
    const connections = given.open({}, counts.meter);
    const before = given.open();
    await get(before, { path: '/short' });
    const long = await get(connections, { path: '/long' });
    const asking = get(connections, { path: '/silent' });
    const code = 'UND_ERR_SOCKET';
    const rejected = expect(asking).rejects.toMatchObject({ code });
    expect(workers.length).toBe(1);
    await workers[0]?.terminate();
    await rejected;
    await expect(contentOfAnswer(long)).rejects.toMatchObject({ code });
    expect(counts).toMatchObject({ begun: 2, ends: [false, false] });
    for (const each of [connections, before]) {
      expect((await contentOfAnswer(await get(each, { path: '/short' }))).toString()).toBe('short');
    }
    expect(workers.length).toBe(2);
  });
});

describe('a process', () => {
  const MODULE = new URL('../../src/spaces/onedata/http-connections.ts', import.meta.url).href;

  /** Runs a script that has \`connections\` to a server, and returns how it ended. */
  async function run(script: string): Promise<unknown> {
    const given = await givenHttpServer((request, response) => {
      if (request.url === '/short') response.end('short');
      else if (request.url === '/long') void sendInChunks(response, Buffer.alloc(64 * MIB), MIB);
      else if (request.url === '/late') setTimeout(() => response.end('late'), 500);
    });
    const whole = `
      import { HttpConnections } from ${JSON.stringify(MODULE)};
      const open = () => new HttpConnections({
        origin: ${JSON.stringify(given.origin)}, connections: 2, stallTimeoutMs: 60_000, proxy: {},
      });
      const get = (connections, path) => connections.request({ method: 'GET', path, headers: {}, body: null });
      const connections = open();
      ${script}
    `;
    const child = spawn(process.execPath, ['--eval', whole], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
    const [output, errors] = [child.stdout.toArray(), child.stderr.toArray()];
    const ended = await new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
    const text = async (chunks: Promise<unknown[]>) => Buffer.concat((await chunks) as Buffer[]).toString();
    return { ...(ended as object), output: await text(output), errors: await text(errors) };
  }
  const well = (output: string) => ({ code: 0, signal: null, output, errors: '' });

  test('ends though a body was never read', async () => {
    expect(await run("console.log((await get(connections, '/long')).status);")).toEqual(well('200\n'));
  });

  test('ends while connections are open and idle', async () => {
    expect(await run("console.log((await get(connections, '/short')).status);")).toEqual(well('200\n'));
  });

  test('ends where nothing was ever asked', async () => {
    expect(await run('')).toEqual(well(''));
  });

  test('ends after a body that was dropped', async () => {
    expect(await run("(await get(connections, '/long')).drop();")).toEqual(well(''));
  });

  test('waits for an answer, and for a body that is read', async () => {
    const script = `
      get(connections, '/late').then(({ status }) => console.log(status));
      let length = 0;
      for await (const piece of (await get(connections, '/long')).body) length += piece.length;
      console.log(length);
    `;
    const ended = await run(script);
    expect(ended).toMatchObject({ code: 0, signal: null, errors: '' });
    const { output } = ended as { output: string };
    expect(output.trim().split('\n').sort()).toEqual(['200', `${64 * MIB}`]);
  });

  test('waits until connections are closed', async () => {
    const script = `
      const other = open();
      const third = open();
      await Promise.all([get(connections, '/short'), get(other, '/long'), get(third, '/short')]);
      await Promise.all([connections.close(), other.close(), third.close()]);
      console.log('closed');
    `;
    expect(await run(script)).toEqual(well('closed\n'));
  });

  test('goes on after connections were closed and others opened', async () => {
    const script = `
      await get(connections, '/short');
      await connections.close();
      console.log((await get(open(), '/late')).status);
    `;
    expect(await run(script)).toEqual(well('200\n'));
  });
});
