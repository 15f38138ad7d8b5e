import { afterEach, expect, test } from 'vitest';
import { judgeConfig } from '../src/config.ts';
import type { Me } from '../src/view-types.ts';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { Visitor } from './helpers/visitor.ts';

/** A proxy that signs users in: only where the configuration says so, and only the one that it names. */

let running: RunningConsole | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const proxy = (networks: string[]) => ({
  signIn: {
    kind: 'proxy' as const,
    networks,
    userHeader: 'x-forwarded-user',
    nameHeader: 'x-forwarded-preferred-username',
    groupsHeader: 'x-forwarded-groups',
  },
});
const HEADERS = {
  'x-forwarded-user': 'u-17',
  'x-forwarded-preferred-username': 'jane',
  'x-forwarded-groups': 'a, scientists',
};

test('says who somebody is', async () => {
  running = await startConsole({ config: proxy(['127.0.0.0/8']) });
  const one = new Visitor();
  const me = await one.request(`${running.origin}/api/me`, { headers: HEADERS });
  expect(me.json<Me>()).toMatchObject({ name: 'jane', isOperator: false, canSignOut: false });
  expect((await one.request(`${running.origin}/`, { headers: HEADERS })).status).toBe(200);
  expect((await one.request(`${running.origin}/`)).status).toBe(403);
  expect((await one.request(`${running.origin}/sign-in`)).status).toBe(404);
});

test('is nobody where it is not one of the networks, or names no group', async () => {
  running = await startConsole({ config: proxy(['10.0.0.0/8', 'fd00::/8']) });
  const one = new Visitor();
  expect((await one.request(`${running.origin}/api/me`, { headers: HEADERS })).status).toBe(401);
  await running.stop();
  running = await startConsole({ config: proxy(['127.0.0.1/32']) });
  const headers = { ...HEADERS, 'x-forwarded-groups': 'others' };
  expect((await one.request(`${running.origin}/api/me`, { headers })).status).toBe(401);
});

test('is nobody where sign-in is by OpenID Connect', async () => {
  running = await startConsole();
  const answer = await new Visitor().request(`${running.origin}/api/me`, { headers: HEADERS });
  expect(answer.status).toBe(401);
});

test.each<[string, object, string]>([
  ['plain HTTP', { publicOrigin: 'http://console.example.org' }, 'expected an address with https'],
  [
    'an issuer on plain HTTP',
    { signIn: { kind: 'openid', issuer: 'http://id.example.org', clientId: 'c' } },
    'https',
  ],
  ['a proxy without networks', { signIn: { kind: 'proxy', networks: [] } }, 'networks'],
  ['networks that are none', { signIn: { kind: 'proxy', networks: ['everywhere'] } }, 'expected a network'],
  ['a key that is not known', { trustEverybody: true }, 'trustEverybody'],
])('a configuration with %s is refused', (_name, change, words) => {
  const good = {
    publicOrigin: 'https://console.example.org',
    signIn: { kind: 'openid', issuer: 'https://id.example.org', clientId: 'c' },
  };
  expect(judgeConfig(good, 'here').userGroups).toEqual([]);
  expect(() => judgeConfig({ ...good, ...change }, 'here')).toThrow(words);
});
