import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { isLoggedIn, sessionCookie } from './helpers/client.ts';
import {
  type Begun,
  type Behaviour,
  beginSignIn,
  comeBack,
  json,
  noticeOf,
  type SignInGateway,
  signIn,
  startSignInGateway,
} from './helpers/fake-provider.ts';

let at: SignInGateway;
afterEach(async () => {
  await at.gateway.stop();
  await at.provider.stop();
});

const html = (response: ServerResponse) =>
  void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the network</h1>');
const endless = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const more = () => {
    if (!response.destroyed) response.write(Buffer.alloc(256 * 1024, ' '), () => setImmediate(more));
  };
  more();
};
const round = (response: ServerResponse) =>
  void response.writeHead(302, { location: '/.well-known/openid-configuration' }).end();
const drip = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 100);
  response.on('close', () => clearInterval(timer));
};

const UNUSABLE = /^127\.0\.0\.1:\d+ answered, but not as a sign-in server does/;
const UNREACHABLE = /^127\.0\.0\.1:\d+ cannot be reached from this instance/;

/** `begins`: the trouble is met before the browser is sent away. */
const TROUBLES: readonly [string, Behaviour, RegExp][] = [
  ['says of itself what is no JSON', { discovery: html }, UNUSABLE],
  [
    'says of itself that it is another',
    { discovery: (r, right) => json(r, 200, { ...right, issuer: 'https://evil.example' }) },
    UNUSABLE,
  ],
  ['leads round in circles', { discovery: round }, UNUSABLE],
  ['never ends what it says', { discovery: endless }, UNUSABLE],
  ['has failed', { discovery: (r) => json(r, 503, {}) }, UNUSABLE],
  ['cuts the connection', { discovery: (r) => void r.destroy() }, UNREACHABLE],
  ['trades a code for a page', { token: html }, UNUSABLE],
  ['trades a code for nothing that ends', { token: endless }, UNUSABLE],
  ['fails at the trade', { token: (r) => json(r, 500, { error: 'server_error' }) }, UNUSABLE],
  ['redirects the trade', { token: round }, UNUSABLE],
  [
    'does not know the client',
    { token: (r) => json(r, 401, { error: 'invalid_client' }) },
    /does not know this instance/,
  ],
  [
    'does not know the code',
    { token: (r) => json(r, 400, { error: 'invalid_grant' }) },
    /is not the answer to a sign-in/,
  ],
  ['has no keys', { keys: (r) => json(r, 200, { keys: [] }) }, /is not the answer to a sign-in/],
  ['has keys that are none', { keys: (r) => json(r, 200, { keys: [{ kty: 'x' }, 7] }) }, /./],
  ['gives a page for its keys', { keys: html }, UNUSABLE],
];

describe('a sign-in server that', () => {
  test.each(TROUBLES)(
    '%s is told in a sentence, and the password works',
    async (_what, behaviour, sentence) => {
      at = await startSignInGateway();
      at.provider.behaviour = behaviour;
      const answer = await signIn(at);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const notice = await noticeOf(answer);
      expect(notice).toMatch(sentence);
      expect(notice).not.toMatch(/undefined|\[object|Error/);
      expect(answer.headers.get('location')).toBeNull();
      const cookie = await sessionCookie(at.gateway);
      expect(await isLoggedIn(at.gateway, cookie)).toBe(true);
      const [warned] = at.gateway.log.filter((line) => line.includes('sign-in: '));
      expect(warned).toContain('"level":40');
    },
  );

  test('is gone is told at once, asked again after a moment, and found when it is back', async () => {
    at = await startSignInGateway();
    await at.provider.stop();
    const answer = await signIn(at);
    expect([answer.status, await noticeOf(answer)]).toEqual([502, expect.stringMatching(UNREACHABLE)]);
  });

  test.each<[string, Behaviour]>([
    ['does not answer', { discovery: () => undefined }],
    ['answers byte by byte', { discovery: drip }],
    ['trades byte by byte', { token: drip }],
  ])('%s is waited for some seconds', async (_what, behaviour) => {
    at = await startSignInGateway();
    at.provider.behaviour = behaviour;
    const began = performance.now();
    const answer = await signIn(at);
    expect(await noticeOf(answer)).toMatch(/did not answer in time/);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('is asked once by many who come at the same time, and not by who comes just after a failure', async () => {
    at = await startSignInGateway();
    await Promise.all(Array.from({ length: 30 }, () => beginSignIn(at)));
    expect(at.provider.requests).toEqual(['/.well-known/openid-configuration']);
    await at.gateway.restart();
    at.provider.requests.length = 0;
    at.provider.behaviour = { discovery: (response) => json(response, 503, {}) };
    for (let number = 0; number < 10; number += 1) {
      expect(((await beginSignIn(at)) as Response).status).toBe(502);
    }
    expect(at.provider.requests.length).toBeLessThanOrEqual(1);
  });
});

test('strangers who answer without end do not use up the sign-in server, nor keep out who was here before', async () => {
  at = await startSignInGateway();
  const known = await sessionCookieWithDevice();
  at.provider.behaviour = { token: (response) => json(response, 400, { error: 'invalid_grant' }) };
  const flood = Array.from({ length: 150 }, async () => {
    const begun = (await beginSignIn(at)) as Begun;
    return (await comeBack(at, { ...begun })).status;
  });
  const began = performance.now();
  const begun = (await beginSignIn(at)) as Begun;
  const own = comeBack(at, { ...begun, cookie: `${begun.cookie}; ${known}` });
  expect((await own).status).toBe(400);
  const ownMs = performance.now() - began;
  const statuses = await Promise.all(flood);
  const seconds = (performance.now() - began) / 1000;
  expect(new Set(statuses)).toEqual(new Set([400, 503]));
  expect(at.provider.trades.length).toBeLessThanOrEqual(20 * seconds + 10);
  expect(ownMs).toBeLessThan(3000);
});

async function sessionCookieWithDevice(): Promise<string> {
  const answer = await signIn(at);
  const device = answer.headers.getSetCookie().find((each) => each.startsWith('__Host-scipion-known='));
  return device?.split(';')[0] ?? '';
}
