import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { SESSION_IDLE_MS, SIGN_IN_MAX_MS } from '../../src/gateway/sessions.ts';
import { cookieOf, isLoggedIn, postLogin, SAME_ORIGIN, sessionCookie } from './helpers/client.ts';
import {
  type Begun,
  beginSignIn,
  CLIENT_SECRET,
  comeBack,
  json,
  noticeOf,
  SIGN_IN,
  type SignInGateway,
  signIn,
  startFakeProvider,
  startSignInGateway,
} from './helpers/fake-provider.ts';
import { PASSWORD, startGateway } from './helpers/start-gateway.ts';

let at: SignInGateway;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(config: Parameters<typeof startSignInGateway>[0] = {}): Promise<void> {
  at = await startSignInGateway(config);
  ends.push(at.provider.stop, at.gateway.stop);
}

const begin = async () => (await beginSignIn(at)) as Begun;
const postLogout = (cookie: string) =>
  fetch(`${at.gateway.origin}/logout`, { method: 'POST', headers: { cookie, ...SAME_ORIGIN } });

describe('a sign-in', () => {
  test('opens a session like that of the password, and shows the code to nobody', async () => {
    await start();
    const answer = await signIn(at);
    expect([answer.status, answer.headers.get('refresh')]).toEqual([200, '0; url=/']);
    const page = await answer.text();
    expect(page).toContain('You are signed in');
    const cookie = cookieOf(answer, '__Host-scipion');
    expect(await isLoggedIn(at.gateway, cookie)).toBe(true);
    const attributes = answer.headers.getSetCookie().find((each) => each.startsWith(cookie)) ?? '';
    for (const part of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/'])
      expect(attributes).toContain(part);
    const [trade] = at.provider.trades;
    expect(trade?.get('redirect_uri')).toBe(`${at.gateway.origin}/login/openid/callback`);
    expect(trade?.get('code_verifier')).toHaveLength(43);
    const proof = Buffer.from(at.provider.proofs[0]?.replace('Basic ', '') ?? '', 'base64').toString();
    expect(decodeURIComponent(proof.replaceAll('+', ' '))).toBe(`scipion:${CLIENT_SECRET}`);
    const log = at.gateway.log.join('');
    expect(log).toContain('"user":"alice"');
    for (const secret of [trade?.get('code'), trade?.get('code_verifier'), CLIENT_SECRET, 'access'])
      expect(log).not.toContain(secret);
  });

  test('is offered on the login page beside the password, or alone', async () => {
    await start();
    const both = await (await fetch(`${at.gateway.origin}/login`)).text();
    expect(both).toContain(`Sign in at ${new URL(at.provider.issuer).host}`);
    expect(both).toContain('name="password"');
    expect((await postLogin(at.gateway, PASSWORD)).status).toBe(303);
    const before = await sessionCookie(at.gateway);
    await at.gateway.restart({ signIn: { ...SIGN_IN, issuer: at.provider.issuer }, passwordLogin: false });
    const alone = await (await fetch(`${at.gateway.origin}/login`)).text();
    expect(alone).toContain('Sign in at');
    expect(alone).not.toContain('name="password"');
    const refused = await postLogin(at.gateway, PASSWORD);
    expect([refused.status, await noticeOf(refused)]).toEqual([
      403,
      'No password opens this desktop. Sign in instead.',
    ]);
    // What the password opened is closed with it.
    expect(await isLoggedIn(at.gateway, before)).toBe(false);
    expect((await signIn(at)).status).toBe(200);
  });

  test('is not there without a sign-in server', async () => {
    const gateway = await startGateway();
    ends.push(gateway.stop);
    expect(await (await fetch(`${gateway.origin}/login`)).text()).not.toContain('Sign in');
    for (const path of ['/login/openid', '/login/openid/callback', '/logout/openid'])
      expect((await fetch(gateway.origin + path, { redirect: 'manual' })).status).toBe(404);
  });

  test('ends with a logout, with "sign out elsewhere", by age, and when its user is taken off the list', async () => {
    let ahead = 0;
    const provider = await startFakeProvider();
    const settings = { ...SIGN_IN, issuer: provider.issuer };
    const gateway = await startGateway({ config: { signIn: settings }, now: () => Date.now() + ahead });
    at = { provider, gateway };
    ends.push(provider.stop, gateway.stop);
    const cookieNow = async () => cookieOf(await signIn(at), '__Host-scipion');
    const [first, second] = [await cookieNow(), await cookieNow()];
    const out = await postLogout(first);
    expect(await out.text()).toContain('href="/logout/openid"');
    expect(await isLoggedIn(gateway, first)).toBe(false);
    await gateway.restart();
    expect([await isLoggedIn(gateway, first), await isLoggedIn(gateway, second)]).toEqual([false, true]);
    const third = await cookieNow();
    await sleep(2);
    await fetch(`${gateway.origin}/sessions/end-others`, {
      method: 'POST',
      headers: { cookie: third, ...SAME_ORIGIN },
    });
    expect([await isLoggedIn(gateway, second), await isLoggedIn(gateway, third)]).toEqual([false, true]);
    ahead = SESSION_IDLE_MS;
    expect(await isLoggedIn(gateway, third)).toBe(false);
    ahead = 0;
    expect(await isLoggedIn(gateway, third)).toBe(true);
    await gateway.restart({ signIn: { ...settings, users: ['bob'] } });
    expect(await isLoggedIn(gateway, third)).toBe(false);
    await gateway.restart({});
    expect(await isLoggedIn(gateway, third)).toBe(false);
  });

  test('signs out of the server itself where that is asked for', async () => {
    await start();
    const answer = await fetch(`${at.gateway.origin}/logout/openid`, { redirect: 'manual' });
    expect(answer.headers.get('location')).toBe(`${at.provider.issuer}/end?client_id=scipion`);
    const password = await postLogout(await sessionCookie(at.gateway));
    expect(await password.text()).not.toContain('/logout/openid');
  });

  test('knows keys that were changed a moment ago', async () => {
    await start();
    expect((await signIn(at)).status).toBe(200);
    await at.provider.rotateKey();
    expect((await signIn(at)).status).toBe(200);
  });

  test('of a public client proves itself by its verifier alone', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ config: { signIn: { ...SIGN_IN, issuer: provider.issuer } } });
    ends.push(provider.stop, gateway.stop);
    expect((await signIn({ gateway })).status).toBe(200);
    expect(provider.proofs).toEqual([undefined]);
    expect(provider.trades[0]?.get('client_id')).toBe('scipion');
  });
});

describe('who may come in', () => {
  const admits = async (config: Partial<typeof SIGN_IN>, claims: object, userInfo = {}) => {
    await start(config);
    at.provider.behaviour = { claims: (right) => ({ ...right, ...claims }), userInfo };
    const answer = await signIn(at);
    return answer.status === 200 ? 'in' : `${answer.status} ${await noticeOf(answer)}`;
  };

  test.each<[string, Partial<typeof SIGN_IN>, object, object?]>([
    ['a user by name', {}, {}],
    ['a member of a group', { users: [] }, { groups: ['others', 'cryo-em'] }],
    ['a member of the one group there is', { users: [] }, { groups: 'cryo-em' }],
    ['a user or a member', { users: ['bob'] }, { groups: ['cryo-em'] }],
    ['a group that only the user info tells', { users: [] }, {}, { groups: ['cryo-em'] }],
    [
      'a role inside other claims',
      { users: [], groupClaim: 'realm_access.roles' },
      { realm_access: { roles: ['cryo-em'] } },
    ],
    [
      'a verified address',
      { userClaim: 'email', users: ['a@b.org'] },
      { email: 'a@b.org', email_verified: true },
    ],
    [
      'an address that the user info verifies',
      { userClaim: 'email', users: ['a@b.org'] },
      { email: 'a@b.org' },
      { email: 'a@b.org', email_verified: true },
    ],
  ])('%s', async (_who, config, claims, userInfo) => {
    expect(await admits(config, claims, userInfo)).toBe('in');
  });

  test.each<[string, Partial<typeof SIGN_IN>, object, object?]>([
    ['another user', { users: ['bob'] }, {}],
    ['a member of another group', { users: [] }, { groups: ['cryo-em-2', 'Cryo-EM'] }],
    ['somebody of no group', { users: [] }, {}],
    ['a group that is no text', { users: [] }, { groups: [{ name: 'cryo-em' }, ['cryo-em']] }],
    ['the name in another claim', { userClaim: 'name' }, { nickname: 'alice' }],
    ['a claim of every object', { userClaim: 'constructor', users: ['Object'] }, {}],
    ['user info that says otherwise than the token', { users: [] }, { groups: [] }, { groups: ['cryo-em'] }],
  ])('not %s, who is told so', async (_who, config, claims, userInfo) => {
    expect(await admits(config, claims, userInfo)).toMatch(
      /^403 127\.0\.0\.1:\d+ knows you as alice, who is not one/,
    );
  });

  test('not an address that is not verified', async () => {
    const config = { userClaim: 'email', users: ['<b>@b.org'] };
    const found = await admits(config, { email: '<b>@b.org' });
    expect(found).toContain('403');
    expect(found).toContain('&lt;b&gt;@b.org, but has not verified');
  });

  test('not by the user info of somebody else', async () => {
    expect(await admits({ users: [] }, {}, { sub: 'mallory', groups: ['cryo-em'] })).toMatch(/^50|^400/);
  });
});

describe('an answer', () => {
  test.each<[string, (begun: Begun) => Record<string, string>]>([
    ['of another browser', ({ state, code }) => ({ state, code })],
    ['with another state', ({ cookie, code }) => ({ cookie, code, state: 'x' })],
    ['without a state', ({ cookie, code }) => ({ cookie, code })],
    ['with a code of another sign-in', (begun) => ({ ...begun, code: 'a.b' })],
    ['without anything', () => ({})],
    ['with a forged cookie', (begun) => ({ ...begun, cookie: `${begun.cookie.slice(0, -2)}xx` })],
    ['of another server', (begun) => ({ ...begun, iss: 'https://evil.example' })],
  ])('%s is refused', async (_what, change) => {
    await start();
    const answer = await comeBack(at, change(await begin()));
    expect(answer.status).toBe(400);
    expect(await noticeOf(answer)).toMatch(/is not the answer to a sign-in that this browser waits for/);
    expect(answer.headers.getSetCookie().join()).not.toContain('__Host-scipion=');
  });

  test('counts once, and in time', async () => {
    let ahead = 0;
    const provider = await startFakeProvider();
    const gateway = await startGateway({
      config: { signIn: { ...SIGN_IN, issuer: provider.issuer } },
      now: () => Date.now() + ahead,
    });
    at = { provider, gateway };
    ends.push(provider.stop, gateway.stop);
    const begun = await begin();
    expect((await comeBack(at, { ...begun })).status).toBe(200);
    expect((await comeBack(at, { ...begun })).status).toBe(400);
    expect(provider.trades).toHaveLength(1);
    const late = await begin();
    ahead = SIGN_IN_MAX_MS;
    expect((await comeBack(at, { ...late })).status).toBe(400);
    expect(provider.trades).toHaveLength(1);
  });

  test('that is no session is not taken for one, nor the other way round', async () => {
    await start();
    const { cookie } = await begin();
    const value = cookie.split('=')[1] ?? '';
    expect(await isLoggedIn(at.gateway, `__Host-scipion=${value}`)).toBe(false);
    const session = (await sessionCookie(at.gateway)).split('=')[1] ?? '';
    const { state, code } = await begin();
    expect((await comeBack(at, { cookie: `__Host-scipion-sign-in=${session}`, state, code })).status).toBe(
      400,
    );
  });

  test('leads nowhere but to this instance, whatever it says', async () => {
    await start();
    const begun = await begin();
    const evil = 'https://evil.example';
    const more = { redirect_uri: evil, next: evil, return_to: evil, post_logout_redirect_uri: evil };
    const answer = await comeBack(at, { ...begun, ...more });
    expect([answer.status, answer.headers.get('refresh'), answer.headers.get('location')]).toEqual([
      200,
      '0; url=/',
      null,
    ]);
    const start2 = await fetch(`${at.gateway.origin}/login/openid?redirect_uri=${evil}`, {
      redirect: 'manual',
    });
    expect(start2.headers.get('location')).toMatch(new RegExp(`^${at.provider.issuer}/authorize\\?`));
    expect(start2.headers.get('location')).not.toContain('evil');
  });

  test('of a refusal is told, without the sentence of a stranger', async () => {
    await start();
    const { cookie, state } = await begin();
    const error_description = 'Call 555 and tell your password';
    const answer = await comeBack(at, { cookie, state, error: 'access_denied', error_description });
    expect(answer.status).toBe(403);
    const page = await answer.text();
    expect(page).toContain('did not sign you in (access_denied). You can try again.');
    expect(page).not.toContain('555');
    const other = await begin();
    const odd = await comeBack(at, { cookie: other.cookie, state: other.state, error: 'Call 555' });
    expect(await odd.text()).not.toContain('555');
  });

  test.each<[string, Parameters<typeof Object.assign>[1], RegExp]>([
    ['signed by another key', { sign: 'elsewhere' }, /is not the answer/],
    ['of another issuer', { claims: { iss: 'https://evil.example' } }, /is not the answer/],
    ['for another client', { claims: { aud: 'other' } }, /is not the answer/],
    ['with another nonce', { claims: { nonce: 'x' } }, /is not the answer/],
    ['without a nonce', { claims: { nonce: undefined } }, /is not the answer/],
    [
      'that has ended',
      { claims: { exp: Math.floor(Date.now() / 1000) - 120 } },
      /clocks of .* differ too much/,
    ],
    [
      'of a clock that is ahead',
      { claims: { nbf: Math.floor(Date.now() / 1000) + 300 } },
      /clocks of .* differ/,
    ],
  ])('whose ID token is %s opens nothing', async (_what, { sign, claims }, sentence) => {
    await start();
    at.provider.behaviour = {
      claims: (right) => ({ ...right, ...claims }),
      ...(sign === undefined ? {} : { sign: at.provider.signElsewhere }),
    };
    const answer = await signIn(at);
    expect(await noticeOf(answer)).toMatch(sentence);
    expect(answer.headers.getSetCookie().join()).not.toContain('__Host-scipion=');
  });

  test('whose ID token is not signed, or not there, opens nothing', async () => {
    await start();
    const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
    at.provider.behaviour = { sign: async (claims) => `${part({ alg: 'none' })}.${part(claims)}.` };
    expect((await signIn(at)).status).toBeGreaterThanOrEqual(400);
    at.provider.behaviour = {
      token: (response) => json(response, 200, { access_token: 'x', token_type: 'Bearer' }),
    };
    expect((await signIn(at)).status).toBe(400);
  });

  test('of a clock that differs by half a minute counts', async () => {
    await start();
    at.provider.behaviour = {
      claims: (right) => ({ ...right, iat: (right.iat ?? 0) + 30, nbf: (right.iat ?? 0) + 30 }),
    };
    expect((await signIn(at)).status).toBe(200);
  });
});
