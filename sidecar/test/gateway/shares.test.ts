import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { ShareView, WatchView } from '../../src/gateway/session-view.ts';
import { Shares } from '../../src/gateway/shares.ts';
import { cookieOf, eventually, openDesktop, SAME_ORIGIN, sessionCookie, view } from './helpers/client.ts';
import { startFakeRfb } from './helpers/fake-rfb.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

const HOUR_MS = 3_600_000;
const DESKTOP = '/watch/desktop';

let now = Date.parse('2026-05-04T12:00:00Z');
let gateway: RunningGateway;
let cookie: string;
const cleanUps: (() => unknown)[] = [];

beforeEach(async () => {
  gateway = await startGateway({ now: () => now });
  cookie = await sessionCookie(gateway);
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await gateway.stop();
});

const post = (path: string, content: unknown, headers: Record<string, string> = { cookie }) =>
  fetch(gateway.origin + path, {
    method: 'POST',
    body: JSON.stringify(content),
    headers: { ...SAME_ORIGIN, 'content-type': 'application/json', ...headers },
  });
const get = (path: string, as: string) => fetch(gateway.origin + path, { headers: { cookie: as } });

/** The secret of a new link. */
async function make(hours: number | null = 1): Promise<string> {
  const response = await post('/shares', { hours });
  expect(response.status).toBe(200);
  const { path } = (await response.json()) as { path: string };
  expect(path).toMatch(/^\/watch#[\w-]{32}$/);
  return path.split('#')[1] as string;
}

async function list(): Promise<readonly ShareView[]> {
  return ((await (await get('/shares', cookie)).json()) as { shares: readonly ShareView[] }).shares;
}

/** Opens the link as a browser does; the cookie of who looks. */
async function look(secret: string): Promise<string> {
  const response = await post('/watch/open', { secret }, {});
  expect(response.status).toBe(200);
  return cookieOf(response, '__Host-scipion-watch');
}

async function watch(as: string): Promise<WebSocket | number> {
  const socket = await openDesktop(gateway, { cookie: as, origin: gateway.origin }, DESKTOP);
  if (socket instanceof WebSocket) cleanUps.push(() => socket.terminate());
  return socket;
}

test('a link shows the desktop, to two who have it, and nothing else of the instance', async () => {
  const desktop = await startFakeRfb(gateway.vncSocket);
  cleanUps.push(() => desktop.stop());
  const secret = await make(8);
  const [one, other] = [await look(secret), await look(secret)];
  expect(await watch(one)).toBeInstanceOf(WebSocket);
  expect(await watch(other)).toBeInstanceOf(WebSocket);
  expect(((await (await get('/watch/state', one)).json()) as WatchView).secondsLeft).toBe(8 * 3600);
  await eventually(list, ([share]) => share?.windows === 2);
  expect(await view(gateway, cookie)).toMatchObject({ viewers: 0, watchers: 2 });
  for (const path of ['/view', '/events', '/files?path=', '/saves', '/sessions', '/shares', '/restores']) {
    expect((await get(path, one)).status, path).toBe(401);
  }
  for (const path of ['/save', '/refresh-source', '/shares', '/shares/end', '/sessions/end-others']) {
    expect((await post(path, {}, { cookie: one })).status, path).toBe(401);
  }
  // The secret is no session, and the other way round.
  const { origin } = gateway;
  expect(await openDesktop(gateway, { cookie: one, origin })).toBe(401);
  expect(await openDesktop(gateway, { cookie: `__Host-scipion=${secret}`, origin })).toBe(401);
  expect(await openDesktop(gateway, { cookie, origin }, DESKTOP)).toBe(401);
  expect(await openDesktop(gateway, { cookie: one, origin: 'https://evil.example' }, DESKTOP)).toBe(403);
  // A page of another site makes no link, and opens none.
  expect((await post('/shares', { hours: 1 }, { cookie, origin: 'https://evil.example' })).status).toBe(403);
  expect((await post('/shares', { hours: 1 }, {})).status).toBe(401);
});

test('a link that has ended stays so when the clock is put back, and one of a clock that was ahead has no longer life', async () => {
  const right = now;
  const secret = await make();
  now = right + HOUR_MS + 1;
  expect((await post('/watch/open', { secret }, {})).status).toBe(404);
  now = right;
  expect((await post('/watch/open', { secret }, {})).status).toBe(404);
  now = right + 365 * 24 * HOUR_MS;
  cookie = await sessionCookie(gateway);
  const ofNextYear = await make();
  now = right;
  expect((await post('/watch/open', { secret: ofNextYear }, {})).status).toBe(404);
});

test('what a client of a link sends beside the page does not reach the desktop', async () => {
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => received.push(data));
    socket.write('RFB 003.008\n');
  });
  await new Promise<void>((resolve) => server.listen(gateway.vncSocket, resolve));
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const socket = await watch(await look(await make()));
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  const key = Buffer.from([4, 1, 0, 0, 0, 0, 0, 0x61]);
  socket.send(Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 0]), key, key]));
  socket.send(Buffer.from([3, 1, 0, 0, 0, 0, 0, 9, 0, 9]));
  await eventually(
    () => Buffer.concat(received).length,
    (length) => length >= 24,
  );
  expect(Buffer.concat(received).toString('latin1')).toBe(
    'RFB 003.008\n\x01\x01\x03\x01\0\0\0\0\0\x09\0\x09',
  );
  const closed = once(socket, 'close');
  socket.send(Buffer.from([99]));
  expect((await closed)[0]).toBe(1002);
});

test('a link that has ended shows nothing: by hand, by its time, with the password', async () => {
  const desktop = await startFakeRfb(gateway.vncSocket);
  cleanUps.push(() => desktop.stop());
  const isOver = async (secret: string, as: string) => {
    expect((await get('/watch/state', as)).status).toBe(404);
    const again = await post('/watch/open', { secret }, { cookie: as });
    expect([again.status, await again.json()]).toEqual([
      404,
      expect.objectContaining({ code: 'link-ended' }),
    ]);
    expect(await watch(as)).toBe(401);
  };
  const ended = await make(null);
  const as = await look(ended);
  const socket = await watch(as);
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  const closed = once(socket, 'close');
  const [share] = await list();
  expect(share?.endsAt).toBe(null);
  expect((await post('/shares/end', { id: share?.id })).status).toBe(200);
  expect((await closed)[0]).toBe(4401);
  await isOver(ended, as);
  expect(await list()).toEqual([]);

  const late = await make(1);
  const lateAs = await look(late);
  now += HOUR_MS - 1;
  expect((await get('/watch/state', lateAs)).status).toBe(200);
  now += 1;
  await isOver(late, lateAs);

  const last = await make(null);
  const lastAs = await look(last);
  await gateway.setPassword('another long passphrase');
  await eventually(
    async () => (await get('/watch/state', lastAs)).status,
    (status) => status === 404,
  );
  await isOver(last, lastAs);
});

test('those who look leave room for those who work', async () => {
  const desktop = await startFakeRfb(gateway.vncSocket);
  cleanUps.push(() => desktop.stop());
  const as = await look(await make());
  const results = await Promise.all(Array.from({ length: 20 }, () => watch(as)));
  expect(results.filter((result) => result instanceof WebSocket).length).toBe(6);
  expect(results.filter((result) => result === 503).length).toBe(14);
  const own = await openDesktop(gateway, { cookie, origin: gateway.origin });
  expect(own).toBeInstanceOf(WebSocket);
  cleanUps.push(() => (own as WebSocket).terminate());
});

test.each([
  ['/shares', { hours: 0 }],
  ['/shares', { hours: 1e9 }],
  ['/shares', { hours: '1' }],
  ['/shares', {}],
  ['/shares/end', { id: 'x' }],
  ['/watch/open', { secret: 'x'.repeat(101) }],
  ['/watch/open', { secret: 7 }],
  ['/watch/open', []],
])('%s of %j is refused', async (path, content) => {
  expect((await post(path, content)).status).toBe(400);
});

test('links are bounded in number', async () => {
  for (let number = 0; number < 20; number += 1) await make();
  const response = await post('/shares', { hours: 1 });
  expect([response.status, await response.json()]).toEqual([
    409,
    expect.objectContaining({ code: 'many-links' }),
  ]);
});

test('a link is kept over a restart by a digest, and ended ones stay so', async () => {
  const [kept, ended] = [await make(8), await make(8)];
  const [, second] = await list();
  await post('/shares/end', { id: second?.id });
  const file = join(gateway.directory, 'shared-links.json');
  const content = readFileSync(file, 'utf8');
  expect(content).not.toContain(kept);
  expect(gateway.log.join('')).not.toContain(kept);
  const problems: Error[] = [];
  const digests = new Map<string, string>();
  const { shares } = JSON.parse(content) as { shares: { digest: string; key: string }[] };
  digests.set(kept, shares[0]?.digest as string).set('', shares[0]?.key as string);
  const again = new Shares({
    file,
    digestOf: (secret) => digests.get(secret) ?? 'none',
    onProblem: (error) => problems.push(error),
    now: () => now,
  });
  expect(again.check(kept)).toBeDefined();
  expect([again.check(ended), again.check(''), again.check(undefined)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(problems).toEqual([]);
});
