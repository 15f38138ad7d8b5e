import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { createParser } from 'eventsource-parser';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { GatewayView } from '../../src/gateway/view.ts';
import { eventually, handshake, openDesktop, SAME_ORIGIN, sessionCookie, view } from './helpers/client.ts';
import { type FakeRfb, startFakeRfb } from './helpers/fake-rfb.ts';
import { type FakeSync, READY_STATUS, startFakeSync } from './helpers/fake-sync.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

let gateway: RunningGateway;
let cookie: string;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  gateway = await startGateway({ pingEveryMs: 50, reportEveryMs: 100 });
  cookie = await sessionCookie(gateway);
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await gateway.stop();
});

async function withSync(hasEvents = true): Promise<FakeSync> {
  const sync = await startFakeSync(gateway.syncSocket, hasEvents);
  cleanUps.push(() => sync.stop());
  return sync;
}

async function withDesktop(): Promise<FakeRfb> {
  const desktop = await startFakeRfb(gateway.vncSocket);
  cleanUps.push(() => desktop.stop());
  return desktop;
}

/** Everything the page would get, newest last. */
async function follow(): Promise<{ views: GatewayView[]; events: string[] }> {
  const seen = { views: [] as GatewayView[], events: [] as string[] };
  const abort = new AbortController();
  const response = await fetch(`${gateway.origin}/events`, { headers: { cookie }, signal: abort.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const parser = createParser({
    onEvent({ event, data }) {
      seen.events.push(event ?? '');
      if (event === 'view') seen.views.push(JSON.parse(data) as GatewayView);
    },
  });
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  })().catch(() => undefined);
  cleanUps.push(async () => {
    abort.abort();
    await reading;
  });
  return seen;
}

const lastScreen = (seen: { views: GatewayView[] }) => seen.views.at(-1)?.screen;

describe('the view', () => {
  test('follows the data service as it starts, works, goes away and comes back', async () => {
    const seen = await follow();
    expect((await view(gateway, cookie)).sync).toBe('starting');
    const sync = await startFakeSync(gateway.syncSocket);
    await eventually(
      () => seen.views.at(-1)?.sync,
      (state) => state === 'up',
    );
    sync.set({ phase: 'copying' });
    await eventually(
      () => seen.views.at(-1)?.status?.phase,
      (phase) => phase === 'copying',
    );
    await sync.stop();
    await eventually(
      () => seen.views.at(-1)?.sync,
      (state) => state === 'down',
    );
    expect(seen.views.at(-1)?.status?.phase).toBe('copying');
    const again = await withSync();
    again.set({ phase: 'running' });
    await eventually(
      () => seen.views.at(-1)?.status?.phase,
      (phase) => phase === 'running',
    );
  });

  test('asks for the status where the data service has no event stream', async () => {
    const sync = await withSync(false);
    sync.set({ phase: 'copying' });
    await eventually(
      () => view(gateway, cookie),
      ({ status }) => status?.phase === 'copying',
    );
  });

  test('becomes the desktop when the data is there and the desktop answers, and not before', async () => {
    const sync = await withSync();
    const seen = await follow();
    const desktop = await withDesktop();
    await eventually(
      () => seen.views.at(-1)?.desktopAnswers,
      (answers) => answers === true,
    );
    expect(lastScreen(seen)).toBe('progress');
    sync.set(READY_STATUS);
    await eventually(
      () => lastScreen(seen),
      (screen) => screen === 'desktop',
    );
    // A visitor who leaves before the login is counted against all of them by Xvnc.
    expect(desktop.loggedIn).toBeGreaterThan(0);
    expect(desktop.knocks).toBe(0);
  });

  test('keeps the desktop reachable while the data service is away', async () => {
    const seen = await follow();
    await withDesktop();
    await writeFile(gateway.readyFile, '');
    await eventually(
      () => view(gateway, cookie),
      ({ screen }) => screen === 'desktop',
    );
    await eventually(
      () => lastScreen(seen),
      (screen) => screen === 'desktop',
    );
    expect(seen.views.at(-1)?.sync).toBe('starting');
  });

  test('ends with the session', async () => {
    const seen = await follow();
    await fetch(`${gateway.origin}/logout`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie } });
    await eventually(
      () => seen.events.at(-1),
      (event) => event === 'logout',
    );
  });

  test('says goodbye when the pod ends', async () => {
    const seen = await follow();
    await gateway.gateway.close();
    expect(seen.views.at(-1)?.stopping).toBe(true);
  });
});

describe('save now', () => {
  const save = () => fetch(`${gateway.origin}/save`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie } });

  test('is passed on', async () => {
    const sync = await withSync();
    expect((await save()).status).toBe(202);
    expect(sync.saves).toBe(1);
    sync.saveAnswer = { status: 200, body: {} };
    expect((await save()).status, 'done, not only begun').toBe(200);
  });

  test('tells what the data service answered, or that it did not', async () => {
    const sync = await withSync();
    sync.saveAnswer = { status: 409, body: { message: 'The projects are being restored.' } };
    const refused = await save();
    expect([refused.status, await refused.json()]).toEqual([
      502,
      { code: 'sync-refused', message: 'The projects are being restored.' },
    ]);
    sync.saveAnswer = { status: 503, body: { code: 'space-full', message: 'The space is full.' } };
    expect(await (await save()).json()).toEqual({ code: 'space-full', message: 'The space is full.' });
    sync.saveAnswer = { status: 503, body: { code: 'internal', message: 'No.' } };
    expect(await (await save()).json()).toEqual({ code: 'sync-refused', message: 'No.' });
    await sync.stop();
    const unreachable = await save();
    expect(unreachable.status).toBe(502);
    expect(await unreachable.json()).toMatchObject({
      code: 'sync-silent',
      message: expect.stringContaining('does not answer'),
    });
  });

  test('is refused to other sites', async () => {
    const sync = await withSync();
    const headers = { cookie, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await fetch(`${gateway.origin}/save`, { method: 'POST', headers })).status).toBe(403);
    expect(sync.saves).toBe(0);
  });
});

test('tells the data service again and again in how many windows the desktop is open', async () => {
  const sync = await withSync();
  await withDesktop();
  await eventually(
    () => sync.windows.length,
    (count) => count > 2,
  );
  expect(new Set(sync.windows)).toEqual(new Set([0]));
  const socket = await openDesktop(gateway, { cookie, origin: gateway.origin });
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  await eventually(
    () => sync.windows.at(-1),
    (count) => count === 1,
  );
  socket.terminate();
  await eventually(
    () => sync.windows.at(-1),
    (count) => count === 0,
  );
});

describe('the relay', () => {
  const admitted = () => ({ cookie, origin: gateway.origin });

  async function open(): Promise<WebSocket> {
    const socket = await openDesktop(gateway, admitted());
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    cleanUps.push(async () => socket.terminate());
    return socket;
  }

  test('lets in a session of this origin only', async () => {
    await withDesktop();
    const { origin } = gateway;
    expect(await openDesktop(gateway, { origin })).toBe(401);
    expect(await openDesktop(gateway, { origin, cookie: '__Host-scipion=x.y' })).toBe(401);
    expect(await openDesktop(gateway, { cookie })).toBe(403);
    expect(await openDesktop(gateway, { cookie, origin: 'null' })).toBe(403);
    expect(await openDesktop(gateway, { cookie, origin: `${origin}.evil.example` })).toBe(403);
    expect(await openDesktop(gateway, { cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await openDesktop(gateway, admitted(), '/events')).toBe(404);
    expect(await openDesktop(gateway, admitted())).toBeInstanceOf(WebSocket);
  });

  test('outlives whatever a stranger sends', async () => {
    const { hostname, port } = new URL(gateway.origin);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
    const mine = `Origin: ${gateway.origin}\r\nCookie: ${cookie}\r\n`;
    await withDesktop();
    for (const rest of [
      `GET //[ HTTP/1.1\r\nHost: x\r\n${upgrade}${key}`,
      `GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\n${upgrade}${key}`,
      `GET /desktop HTTP/1.1\r\nHost: x\r\n${upgrade}${key}Cookie: __Host-scipion=%E0%A4%A; =;;\r\n`,
      `GET /desktop HTTP/1.1\r\nHost: x\r\n${upgrade}${mine}`,
      `GET /desktop HTTP/1.1\r\nHost: x\r\n${upgrade}${key}${mine}`,
      `GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\nCookie: __Host-scipion=%\r\n`,
    ]) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(`${rest}\r\n\xff\xff garbage after the request`);
      await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      socket.resetAndDestroy();
    }
    expect((await fetch(`${gateway.origin}/login`)).status).toBe(200);
    expect(await openDesktop(gateway, admitted())).toBeInstanceOf(WebSocket);
  });

  test('refuses while the desktop is not there', async () => {
    expect(await openDesktop(gateway, admitted())).toBe(503);
  });

  test('carries megabytes both ways, unchanged and in order, uncompressed', async () => {
    await withDesktop();
    const socket = await open();
    expect([socket.protocol, socket.extensions]).toEqual(['binary', '']);
    const input = await handshake(socket);
    const sent = Buffer.alloc(6_000_000);
    for (let i = 0; i < sent.length; i += 4) sent.writeUInt32BE(i, i);
    for (let at = 0; at < sent.length; at += 70_001) socket.send(sent.subarray(at, at + 70_001));
    const received = await input.take(sent.length);
    expect(received.equals(sent)).toBe(true);
  });

  test('makes the desktop wait for a slow browser instead of keeping its pictures', async () => {
    let written = 0;
    const desktop = createServer((socket: Socket) => {
      const chunk = Buffer.alloc(256 * 1024);
      const pour = () => {
        if (written >= 200_000_000) return;
        written += chunk.length;
        if (socket.write(chunk)) setImmediate(pour);
      };
      socket.on('drain', pour);
      socket.on('error', () => undefined);
      pour();
    });
    await new Promise<void>((resolve) => desktop.listen(gateway.vncSocket, resolve));
    cleanUps.push(() => new Promise((resolve) => desktop.close(resolve)));
    const socket = await open();
    socket.pause();
    let before = -1;
    await eventually(
      async () => {
        const grown = written - before;
        before = written;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return grown;
      },
      (grown) => grown === 0,
    );
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(60_000_000);
  });

  test('makes a browser wait for a slow desktop, whose bytes are then all there', async () => {
    const received: Buffer[] = [];
    const desktops: Socket[] = [];
    const desktop = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.pause();
      desktops.push(socket);
      cleanUps.push(async () => void socket.destroy());
    });
    await new Promise<void>((resolve) => desktop.listen(gateway.vncSocket, resolve));
    cleanUps.unshift(() => new Promise((resolve) => desktop.close(resolve)));
    const socket = await open();
    const sent = Buffer.alloc(40_000_000);
    for (let i = 0; i < sent.length; i += 4) sent.writeUInt32BE(i, i);
    for (let at = 0; at < sent.length; at += 300_001) socket.send(sent.subarray(at, at + 300_001));
    // A relay that took everything would have taken it by then.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(socket.bufferedAmount).toBeGreaterThan(sent.length / 2);
    desktops[0]?.on('data', (piece) => received.push(piece)).resume();
    await eventually(
      () => received.reduce((sum, { length }) => sum + length, 0),
      (length) => length === sent.length,
    );
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  test('opens a dozen windows and no more, also when all ask at the same moment', async () => {
    await withDesktop();
    const results = await Promise.all(Array.from({ length: 40 }, () => openDesktop(gateway, admitted())));
    const opened = results.filter((result) => result instanceof WebSocket);
    cleanUps.push(async () => {
      for (const socket of opened) socket.terminate();
    });
    expect(opened.length).toBe(12);
    expect(results.filter((result) => result === 503).length).toBe(28);
  });

  test('pings an idle browser, and lets go of one that does not answer', async () => {
    const desktop = await withDesktop();
    const socket = await open();
    await handshake(socket);
    for (let pings = 0; pings < 3; pings += 1) await once(socket, 'ping');
    expect(desktop.open).toBe(1);
    socket.pause();
    await eventually(
      () => desktop.open,
      (count) => count === 0,
    );
  });

  test('ends on both sides: browser gone, desktop gone, session gone', async () => {
    const desktop = await withDesktop();
    const left = await open();
    await handshake(left);
    left.close();
    await eventually(
      () => desktop.open,
      (count) => count === 0,
    );

    const loggedOut = await open();
    await handshake(loggedOut);
    const closed = once(loggedOut, 'close');
    await fetch(`${gateway.origin}/logout`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie } });
    expect((await closed)[0]).toBe(4401);

    cookie = await sessionCookie(gateway);
    const abandoned = await open();
    await handshake(abandoned);
    const ended = once(abandoned, 'close');
    await desktop.stop();
    await ended;
  });

  test('counts open desktops in the metrics', async () => {
    await withDesktop();
    const metric = async () => {
      const text = await (await fetch(`${gateway.probesOrigin}/metrics`)).text();
      return /^scipion_desktop_sessions (\d+)$/m.exec(text)?.[1];
    };
    expect(await metric()).toBe('0');
    const socket = await open();
    await eventually(metric, (count) => count === '1');
    socket.close();
    await eventually(metric, (count) => count === '0');
  });
});

test('probes answer on their own port alone', async () => {
  for (const path of ['/livez', '/readyz', '/metrics']) {
    expect((await fetch(gateway.probesOrigin + path)).status).toBe(200);
    expect((await fetch(gateway.origin + path)).status).toBe(404);
  }
});
