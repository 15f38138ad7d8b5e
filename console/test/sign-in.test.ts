import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Me } from '../src/view-types.ts';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { Visitor, visitor } from './helpers/visitor.ts';

/** Signing in by a real service, and everything that is no sign-in. */

let running: RunningConsole;
let now = Date.now();
beforeAll(async () => {
  running = await startConsole({ now: () => now });
});
afterAll(() => running.stop());
afterEach(() => {
  now = Date.now();
  running.users.jane = { ...(running.users.joe as (typeof running.users)[string]), name: 'Jane' };
});

const meOf = async (one: Visitor) => one.get(running, '/api/me');

describe('a user', () => {
  test('is led to the service, comes back to the page that was asked for, and goes out again', async () => {
    const jane = new Visitor();
    const { urls } = await jane.follow(`${running.origin}/instances/mine`);
    expect(urls[1]).toBe(`${running.origin}/sign-in?to=%2Finstances%2Fmine`);
    const begun = new URL(urls[2] ?? '');
    expect(begun.origin).toBe(running.issuer);
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(begun.searchParams.get(name)?.length).toBeGreaterThan(40);
    expect(begun.searchParams.get('code_challenge_method')).toBe('S256');

    const answer = await jane.signIn(running, 'jane', '/instances/mine');
    expect(answer.location).toBe('/instances/mine');
    const cookie = answer.headers.getSetCookie().find((line) => line.startsWith('__Host-scipion-console'));
    expect(cookie).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    expect((await meOf(jane)).json<Me>()).toMatchObject({
      name: 'jane',
      isOperator: false,
      canSignOut: true,
    });

    const secret = jane.cookies.get(running.origin)?.get('__Host-scipion-console') ?? '';
    const { to } = (await jane.post(running, '/sign-out')).json<{ to: string }>();
    expect(to).toMatch(new RegExp(`^${running.issuer}/session/end\\?`));
    expect(to).not.toContain('id_token');
    expect((await meOf(jane)).status).toBe(401);
    // Also with the cookie of before.
    jane.cookies.get(running.origin)?.set('__Host-scipion-console', secret);
    expect((await meOf(jane)).status).toBe(401);
    expect(
      running
        .audit()
        .filter(({ user }) => user === 'jane')
        .map(({ action }) => action),
    ).toEqual(['sign-in', 'sign-out']);
  });

  test('is an operator, or nobody here, by the groups', async () => {
    expect((await meOf(await visitor(running, 'olga'))).json<Me>().isOperator).toBe(true);
    const eve = new Visitor();
    const answer = await eve.request(await eve.answerOfService(running, 'eve'));
    expect(answer.status).toBe(403);
    expect(answer.text).toContain('none of your groups may have instances here');
    expect((await meOf(eve)).status).toBe(401);
  });

  test('is asked about again: new groups count, and who is no user any more is out', async () => {
    const jane = await visitor(running, 'jane');
    const of = (groups: string[]) => {
      running.users.jane = { ...(running.users.jane as (typeof running.users)[string]), groups };
      now += 6 * 60_000;
    };
    of(['scientists', 'operators']);
    expect((await meOf(jane)).json<Me>().isOperator).toBe(true);
    // Several requests at once use the token once: a second use would end the session.
    of(['scientists']);
    const all = await Promise.all(Array.from({ length: 8 }, () => meOf(jane)));
    expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await meOf(jane)).json<Me>().isOperator).toBe(false);
    of([]);
    expect((await meOf(jane)).status).toBe(401);
  });

  test('is out after twelve hours, and after two without use', async () => {
    const jane = await visitor(running, 'jane');
    now += 3 * 3_600_000;
    expect((await meOf(jane)).status).toBe(401);
  });

  test('wrong passwords lead nowhere', async () => {
    const jane = new Visitor();
    const { urls } = await jane.follow(`${running.origin}/sign-in`);
    const answer = await jane.sendForm(urls.at(-1) ?? '', 'jane', 'not it');
    expect(answer.status).toBe(401);
    expect(answer.text).toContain('User name or password is wrong.');
    expect((await jane.sendForm(urls.at(-1) ?? '', '__proto__', 'not it')).status).toBe(401);
  });
});

describe('an answer of the service', () => {
  const refusedPage = async (one: Visitor, url: string, status = 400) => {
    const answer = await one.request(url);
    expect(answer.status).toBe(status);
    expect(answer.headers.getSetCookie().join()).not.toContain('__Host-scipion-console');
    expect((await meOf(one)).status).toBe(401);
    return answer.text;
  };

  test('counts once', async () => {
    const jane = new Visitor();
    const url = await jane.answerOfService(running, 'jane');
    const cookies = new Map(jane.cookies.get(running.origin));
    expect((await jane.request(url)).status).toBe(303);
    const again = new Visitor();
    again.cookies.set(running.origin, cookies);
    expect(await refusedPage(again, url)).toContain('was used already');
  });

  test('counts in the browser that began, and in no other', async () => {
    const jane = new Visitor();
    const url = await jane.answerOfService(running, 'jane');
    await refusedPage(new Visitor(), url);
    // Whoever is led to the answer of somebody else's sign-in is not signed in as them.
    const joe = new Visitor();
    await joe.follow(`${running.origin}/sign-in`);
    await refusedPage(joe, url, 403);
  });

  test.each<[string, (url: URL) => void]>([
    ['another state', (url) => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', (url) => url.searchParams.delete('state')],
    ['another code', (url) => url.searchParams.set('code', 'x'.repeat(43))],
    ['another issuer', (url) => url.searchParams.set('iss', 'https://evil.example.org')],
    ['two states', (url) => url.searchParams.append('state', 'x'.repeat(43))],
    ['an error', (url) => url.searchParams.set('error', 'access_denied')],
    [
      'nothing',
      (url) => {
        url.search = '';
      },
    ],
  ])('with %s is refused', async (_name, change) => {
    const jane = new Visitor();
    const url = new URL(await jane.answerOfService(running, 'jane'));
    change(url);
    await refusedPage(jane, url.href, 403);
  });

  test('that is late is refused', async () => {
    const jane = new Visitor();
    const url = await jane.answerOfService(running, 'jane');
    now += 11 * 60_000;
    expect(await refusedPage(jane, url)).toContain('too long ago');
  });

  test('a cookie of a sign-in that was changed is none', async () => {
    const jane = new Visitor();
    const url = await jane.answerOfService(running, 'jane');
    const jar = jane.cookies.get(running.origin);
    const sealed = jar?.get('__Host-scipion-sign-in') ?? '';
    jar?.set('__Host-scipion-sign-in', `${sealed.slice(0, -4)}AAAA`);
    await refusedPage(jane, url);
  });

  test('ends the session of whoever was signed in there before', async () => {
    const one = await visitor(running, 'joe');
    const before = one.cookies.get(running.origin)?.get('__Host-scipion-console') ?? '';
    one.cookies.delete(running.issuer);
    const answer = new Visitor();
    const url = await answer.answerOfService(running, 'jane');
    const jar = answer.cookies.get(running.origin) as Map<string, string>;
    jar.set('__Host-scipion-console', before);
    expect((await answer.request(url)).status).toBe(303);
    expect((await meOf(one)).status).toBe(401);
  });
});

test.each([
  'https://evil.example.org',
  '//evil.example.org',
  '/\\evil.example.org',
  '/%2f%2fevil.example.org',
  'javascript:alert(1)',
  '/instances/../../evil',
  `/instances/${'x'.repeat(300)}`,
  '/sign-out',
])('nobody is led to %s', async (to) => {
  const jane = new Visitor();
  const answer = await jane.signIn(running, 'jane', to);
  expect(answer.location).toBe('/');
  expect((await jane.request(`${running.origin}/sign-in?to=${encodeURIComponent(to)}`)).location).toBe('/');
});

test('no token, code or secret is in a log, and none of tokens in an address', async () => {
  const jane = new Visitor();
  const { urls } = await jane.follow(`${running.origin}/sign-in`);
  const url = await jane.answerOfService(running, 'jane');
  await jane.request(url);
  const code = new URL(url).searchParams.get('code') ?? '';
  const cookie = jane.cookies.get(running.origin)?.get('__Host-scipion-console') ?? '';
  expect(code.length > 20 && cookie.length > 20).toBe(true);
  for (const secret of [code, cookie]) expect(running.log.join() + running.files()).not.toContain(secret);
  expect([...urls, url].join()).not.toMatch(/id_token=|access_token=|refresh_token=/);
});
