import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { summarise } from '../../../bench/lib/statistics.ts';
import { ATTACK_NAMES } from './helpers/attacker.ts';
import { cookieOf, eventually, handshake, openDesktop, postLogin, SAME_ORIGIN } from './helpers/client.ts';
import { type FakeRfb, startFakeRfb } from './helpers/fake-rfb.ts';
import { type GatewayProcess, startGatewayProcess } from './helpers/gateway-process.ts';
import { PASSWORD } from './helpers/start-gateway.ts';

/** How long each attack lasts. */
const SECONDS = Number(process.env.GATEWAY_ATTACK_SECONDS ?? 1);
const CONNECTIONS = 1000;
/** All sockets of strangers, of a few users, and what the process itself has open. */
const MAX_FILES = 1400;
const MAX_MEBIBYTES = 200;

const ATTACKER = join(import.meta.dirname, 'helpers/attacker.ts');

let gateway: GatewayProcess;
let desktop: FakeRfb;
let cookie: string;
let user: WebSocket;
const attackers: ChildProcess[] = [];

beforeAll(async () => {
  gateway = await startGatewayProcess();
  desktop = await startFakeRfb(gateway.vncSocket);
  cookie = cookieOf(await postLogin(gateway, PASSWORD), '__Host-scipion');
  const socket = await openDesktop(gateway, { cookie, origin: gateway.origin });
  if (!(socket instanceof WebSocket)) throw new Error(`the desktop was refused with ${socket}`);
  await handshake(socket);
  user = socket;
});
afterEach(() => Promise.all(attackers.splice(0).map(endAttacker)));
afterAll(async () => {
  user?.terminate();
  await desktop?.stop();
  await gateway?.stop();
});

function attack(name: string, port: string, connections = CONNECTIONS): void {
  const args = ['--disable-warning=ExperimentalWarning', ATTACKER, name, port, String(connections)];
  attackers.push(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
}

async function endAttacker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Median time of a key to the desktop and back, in ms. */
async function roundTrip(): Promise<number> {
  const times: number[] = [];
  for (let number = 0; number < 50; number += 1) {
    const began = performance.now();
    user.send(Buffer.alloc(16));
    await once(user, 'message', { signal: AbortSignal.timeout(10_000) });
    times.push(performance.now() - began);
    await sleep(5);
  }
  return summarise(times).median;
}

/** Loads a page as a new visitor, again when that fails, as people do. @throws Error after ten seconds */
async function loadPage(url: string, headers: Record<string, string> = {}, tries = 20): Promise<void> {
  let found: unknown;
  for (let left = tries; left > 0; left -= 1) {
    try {
      const signal = AbortSignal.timeout(Math.round(10_000 / tries) + 2000);
      const response = await fetch(url, { headers: { ...headers, connection: 'close' }, signal });
      await response.arrayBuffer();
      if (response.status === 200) return;
      found = response.status;
    } catch (error) {
      found = error;
    }
    await sleep(10_000 / tries);
  }
  throw new Error(`${url} cannot be reached`, { cause: found });
}

describe.each(ATTACK_NAMES)('strangers: %s', (name) => {
  test('the desktop, the pages and the memory are as before', {
    timeout: 60_000 + 3000 * SECONDS,
  }, async () => {
    const { pid } = gateway;
    const before = await roundTrip();
    attack(name, new URL(gateway.origin).port);
    await sleep(500);
    const end = performance.now() + SECONDS * 1000;
    do {
      // Other programs use the same two processors, so the shortest of three counts.
      const during = [await roundTrip(), await roundTrip(), await roundTrip()];
      if (process.env.ATTACK_DEBUG)
        console.log(name, before, during, gateway.peakMebibytes(), gateway.openFiles());
      expect(Math.min(...during)).toBeLessThan(2 * before + 10);
      // A session has room of its own: its requests are never refused.
      await loadPage(`${gateway.origin}/view`, { cookie }, 1);
      await loadPage(`${gateway.origin}/login`);
      expect(gateway.openFiles()).toBeLessThan(MAX_FILES);
    } while (performance.now() < end);
    expect([gateway.isRunning, gateway.pid]).toEqual([true, pid]);
    expect(gateway.peakMebibytes()).toBeLessThan(MAX_MEBIBYTES);
    await endAttacker(attackers.pop() as ChildProcess);
    await eventually(
      () => gateway.openFiles(),
      (count) => count < 100,
    );
  });
});

test('strangers at the port of the probes do not keep the kubelet out', async () => {
  attack('bodies to nowhere', new URL(gateway.probesOrigin).port);
  attack('pipelining without reading', new URL(gateway.probesOrigin).port);
  await sleep(1000);
  for (const path of ['/livez', '/readyz', '/metrics']) {
    await loadPage(gateway.probesOrigin + path, {}, 3);
  }
  expect(gateway.openFiles()).toBeLessThan(MAX_FILES);
});

/** Sends bytes and waits for the other side to end the connection; the client itself never ends it. */
async function answerUntilEnd(text: string, withinMs: number): Promise<string> {
  const socket = connect({
    port: Number(new URL(gateway.origin).port),
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  const closed = once(socket, 'end').catch(() => undefined);
  const isEnded = await Promise.race([closed.then(() => true), sleep(withinMs, false)]);
  socket.destroy();
  expect(isEnded).toBe(true);
  return answer;
}

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';

test.each([
  ['an upgrade without a session', `GET /desktop HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`, 403],
  ['an upgrade of a bad URL', `GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`, 404],
  ['a bad URL', 'GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
  ['no HTTP', 'nonsense\r\n\r\n', 400],
  ['a huge header', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a body of another site', 'POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n', 403],
  [
    'a body to nowhere',
    'POST /nowhere HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nTransfer-Encoding: chunked\r\n\r\n',
    404,
  ],
  ['an expectation', 'GET /login HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nConnection: close\r\n\r\n', 200],
])('%s is answered with the security headers, and the connection ends', async (_what, text, status) => {
  const answer = await answerUntilEnd(text, 5000);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/content-security-policy: default-src 'none'/i);
  expect(answer).toMatch(/x-content-type-options: nosniff/i);
});

describe('files', () => {
  test.each([['br'], ['gzip']])('go out compressed: %s', async (encoding) => {
    const plain = await fetch(`${gateway.origin}/assets/app.js`, {
      headers: { 'accept-encoding': 'identity' },
    });
    const packed = await fetch(`${gateway.origin}/assets/app.js`, {
      headers: { 'accept-encoding': encoding },
    });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(packed.headers.get('content-encoding')).toBe(encoding);
    expect(Number(packed.headers.get('content-length'))).toBeLessThan(
      Number(plain.headers.get('content-length')) / 2,
    );
    expect(await packed.text()).toBe(await plain.text());
    const etag = plain.headers.get('etag') ?? '';
    const again = await fetch(`${gateway.origin}/assets/app.js`, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });
});

/** Logs in as a browser that nobody knows does: after each wait it tries once more. @throws Error after ten seconds */
async function logIn(place: GatewayProcess, headers: Record<string, string> = {}): Promise<Response> {
  const end = performance.now() + 10_000;
  let turn = '';
  while (performance.now() < end) {
    try {
      const cookies = [headers.cookie, turn].filter(Boolean).join('; ');
      const response = await postLogin(place, PASSWORD, { ...headers, cookie: cookies, connection: 'close' });
      if (response.status === 303) return response;
      if (response.status === 429) {
        expect(await response.text()).toContain('The right password opens the desktop after that');
        turn = cookieOf(response, '__Host-scipion-turn');
        await sleep(Number(response.headers.get('retry-after')) * 1000);
      } else {
        await sleep(200);
      }
    } catch {
      await sleep(200);
    }
  }
  throw new Error('the right password did not open the desktop within ten seconds');
}

describe('while strangers guess passwords', () => {
  const guess = (at: GatewayProcess, connections?: number) =>
    attack('guessing passwords', new URL(at.origin).port, connections);

  test('the right one opens the desktop to a new browser, and at once to one that was here before', async () => {
    const known = cookieOf(await logIn(gateway), '__Host-scipion-known');
    guess(gateway);
    await sleep(2000);
    await logIn(gateway);
    const began = performance.now();
    expect((await postLogin(gateway, PASSWORD, { cookie: known, connection: 'close' })).status).toBe(303);
    expect(performance.now() - began).toBeLessThan(2500);
  });

  test('also before anybody has logged in, when each guess costs a slow hash', async () => {
    const fresh = await startGatewayProcess();
    try {
      guess(fresh, 100);
      await sleep(1000);
      await logIn(fresh);
    } finally {
      await Promise.all(attackers.splice(0).map(endAttacker));
      await fresh.stop();
    }
  });
});

test('a session that logged out stays so when the gateway is started again', async () => {
  const isIn = async (value: string) =>
    (await fetch(`${gateway.origin}/view`, { headers: { cookie: value } })).status === 200;
  const other = cookieOf(await logIn(gateway), '__Host-scipion');
  await fetch(`${gateway.origin}/logout`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie: other } });
  await gateway.restart();
  expect([await isIn(other), await isIn(cookie)]).toEqual([false, true]);
});
