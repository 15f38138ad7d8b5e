import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { contentOf, readAll } from '../../src/spaces/space.ts';
import { type GivenEmulator, givenEmulator } from './given-emulator.ts';

let given: GivenEmulator;
let proxy: Server;
let httpsProxy: string;
const asked: string[] = [];

beforeAll(async () => {
  given = await givenEmulator();
  proxy = createServer();
  proxy.on('connect', (request, client) => {
    asked.push(request.url ?? '');
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  httpsProxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await given.dispose();
  proxy.closeAllConnections();
  await new Promise((done) => proxy.close(done));
});

test('with a proxy set every request goes through it, TLS to the provider itself', async () => {
  const space = given.open(await given.addSpace(), { proxy: { httpsProxy } });
  await space.write('file', contentOf('through'));
  expect((await readAll(space, { path: 'file' }, 10)).toString()).toBe('through');
  expect(new Set(asked)).toEqual(new Set([given.emulator.providerHost]));
  await space.close();
});

test('hosts of NO_PROXY are reached directly', async () => {
  asked.length = 0;
  const space = given.open(await given.addSpace(), { proxy: { httpsProxy, noProxy: '.onedata.localhost' } });
  await space.check();
  expect(asked).toEqual([]);
  await space.close();
});

test('a proxy that does not answer is a connection that failed', async () => {
  const space = given.open(await given.addSpace(), { proxy: { httpsProxy: 'http://127.0.0.1:1' } });
  await expect(space.check()).rejects.toMatchObject({ code: 'unreachable' });
  await space.close();
});

test('a proxy that is no address fails for those who use it alone', async () => {
  const spaceId = await given.addSpace();
  const other = given.open(spaceId, { proxy: {} });
  await other.check();
  const space = given.open(spaceId, { proxy: { httpsProxy: 'no address' } });
  await expect(space.check()).rejects.toMatchObject({ code: 'unreachable' });
  await other.write('file', contentOf('direct'));
  await Promise.all([space.close(), other.close()]);
});
