import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALL_FAILURES, CLIENT_FAILURES } from '../../src/gateway/login.ts';
import type { SessionView } from '../../src/gateway/session-view.ts';
import { MAX_CLOCK_STEP_MS, SESSION_IDLE_MS, SESSION_MAX_MS } from '../../src/gateway/sessions.ts';
import { cookieOf, eventually, isLoggedIn, postLogin, SAME_ORIGIN, sessionCookie } from './helpers/client.ts';
import { PASSWORD, type RunningGateway, startGateway } from './helpers/start-gateway.ts';

let gateway: RunningGateway;
let now = 0;

beforeEach(async () => {
  now = Date.now();
  gateway = await startGateway({ now: () => now });
});
afterEach(() => gateway.stop());

describe('login', () => {
  test('nothing but the login page is there without a session', async () => {
    const page = await fetch(gateway.origin, { redirect: 'manual' });
    expect([page.status, page.headers.get('location')]).toEqual([303, '/login']);
    for (const path of ['/view', '/events']) {
      expect((await fetch(gateway.origin + path)).status).toBe(401);
    }
    const save = await fetch(`${gateway.origin}/save`, { method: 'POST', headers: SAME_ORIGIN });
    expect(save.status).toBe(401);
  });

  test('the right password opens a session with a cookie that scripts, other sites and plain HTTP cannot use', async () => {
    const response = await postLogin(gateway, PASSWORD);
    expect([response.status, response.headers.get('location')]).toEqual([303, '/']);
    const [cookie] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^__Host-scipion=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    expect(await isLoggedIn(gateway, cookieOf(response, '__Host-scipion'))).toBe(true);
  });

  test('a wrong password is refused with a sentence and no cookie', async () => {
    for (const wrong of ['', 'x', PASSWORD.slice(0, 8), `${PASSWORD} `]) {
      const response = await postLogin(gateway, wrong, { 'x-forwarded-for': `10.0.0.${wrong.length}` });
      expect(response.status).toBe(401);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(await response.text()).toContain('That is not the password. You have 4 more tries');
    }
  });

  test('the other encoding of an accented letter is the same password', async () => {
    expect((await postLogin(gateway, PASSWORD.normalize('NFD'))).status).toBe(303);
  });

  test('a client with too many wrong passwords waits, even with the right one; others do not', async () => {
    const client = { 'x-forwarded-for': '203.0.113.7' };
    const statuses: number[] = [];
    for (let i = 0; i < CLIENT_FAILURES; i += 1) {
      statuses.push((await postLogin(gateway, 'no', client)).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 429]);
    const waiting = await postLogin(gateway, PASSWORD, client);
    expect(waiting.status).toBe(429);
    const seconds = Number(waiting.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await waiting.text()).toContain(`data-seconds="${seconds}"`);
    // What a client writes itself stands before the address that the ingress adds.
    const forged = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
    expect((await postLogin(gateway, PASSWORD, forged)).status).toBe(429);
    const other = { 'x-forwarded-for': '203.0.113.8' };
    expect((await postLogin(gateway, PASSWORD, other)).status).toBe(303);
  });

  test('parallel attempts do not slip under the limit', async () => {
    const attempts = Array.from({ length: 15 }, () => postLogin(gateway, 'no'));
    const statuses = (await Promise.all(attempts)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(CLIENT_FAILURES - 1);
  });

  test('strangers with many addresses are limited together, and do not lock out who has been here before', async () => {
    const known = cookieOf(await postLogin(gateway, PASSWORD), '__Host-scipion-known');
    for (let i = 0; i < ALL_FAILURES; i += 1) {
      await postLogin(gateway, 'no', { 'x-forwarded-for': `192.0.2.${i}` });
    }
    const stranger = { 'x-forwarded-for': '203.0.113.9' };
    expect((await postLogin(gateway, PASSWORD, stranger)).status).toBe(429);
    expect((await postLogin(gateway, PASSWORD, { ...stranger, cookie: known })).status).toBe(303);
  });

  test('an absurdly long password is answered with a sentence', async () => {
    const response = await postLogin(gateway, 'a'.repeat(70_000));
    expect(response.status).toBe(413);
    expect(await response.text()).toContain('too long for a password: more than 64 KiB');
  });

  test.each([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['another site that hides its name', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['a neighbour under the same domain', { origin: 'null', 'sec-fetch-site': 'same-site' }],
    ['nobody', {}],
  ])('a form of %s is refused', async (_who, headers) => {
    const response = await fetch(`${gateway.origin}/login`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: new URLSearchParams({ password: PASSWORD }),
    });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain(`Open that address`);
  });
});

describe('in the language of the browser', () => {
  const CZECH = { 'accept-language': 'cs-CZ,cs;q=0.9,en;q=0.5' };
  const html = (response: Response) => response.text();
  const get = (path: string, headers: Record<string, string>) =>
    fetch(gateway.origin + path, { headers, redirect: 'manual' });

  test('each page without a script: login, its refusals, logout, messages', async () => {
    const cookie = await sessionCookie(gateway);
    const forged = { 'sec-fetch-site': 'cross-site', ...CZECH };
    const post = (path: string, headers: Record<string, string>) =>
      fetch(gateway.origin + path, { method: 'POST', headers });
    const pages: [string, string, string][] = [
      ['login', await html(await get('/login', CZECH)), 'Heslo k této ploše'],
      ['app', await html(await get('/', { cookie, ...CZECH })), 'Plochu kreslí tato stránka'],
      ['wrong', await html(await postLogin(gateway, 'no', CZECH)), 'To není správné heslo'],
      ['long', await html(await postLogin(gateway, 'a'.repeat(70_000), CZECH)), 'víc než 64 KiB'],
      ['forged', await html(await post('/login', forged)), 'Přišlo to z jiné adresy než'],
      ['not here', await html(await get('/nowhere', CZECH)), 'Taková stránka v této instanci není'],
      ['bad address', await html(await get('/%zz', CZECH)), 'Požadavku nebylo rozumět'],
      ['logout', await html(await post('/logout', { ...SAME_ORIGIN, cookie, ...CZECH })), 'Jste odhlášeni'],
    ];
    for (const [name, page, sentence] of pages) {
      expect(page, name).toContain(sentence);
      expect(page, name).toContain('<html lang="cs">');
      expect(page, name).not.toMatch(/password of|You |There is|That |Go to|\{\{/);
    }
    for (let i = 1; i < CLIENT_FAILURES; i += 1) await postLogin(gateway, 'no', CZECH);
    const waiting = await html(await postLogin(gateway, 'no', CZECH));
    expect(waiting).toContain('mnoho chybných hesel');
    expect(waiting).toMatch(/Do dalšího pokusu:<\/span> <b id="countdown">\d+ sekund/);
  });

  test('or in the one that was chosen on the login page, from then on', async () => {
    const chosen = await get('/login?language=cs', { 'accept-language': 'en' });
    expect(await html(chosen)).toContain('<html lang="cs">');
    const [set] = chosen.headers.getSetCookie();
    expect(set).toMatch(/^__Host-scipion-language=cs; Max-Age=31536000; Path=\/; Secure; SameSite=Lax$/);
    const cookie = set?.split(';')[0] ?? '';
    expect(await html(await get('/nowhere', { cookie, 'accept-language': 'en' }))).toContain('Tady nic není');
    for (const odd of ['xx', '', '__proto__', 'cs&language=en', '%00']) {
      const page = await get(`/login?language=${odd}`, {});
      expect([page.status, page.headers.getSetCookie()], odd).toEqual([200, []]);
      expect(await html(page), odd).toContain('<html lang="en">');
    }
  });

  test('a script is told by a code', async () => {
    expect(await (await get('/view', {})).json()).toMatchObject({ code: 'logged-out' });
  });
});

describe('session', () => {
  test('logging out ends it for good, also for a copy of the cookie', async () => {
    const cookie = await sessionCookie(gateway);
    const response = await fetch(`${gateway.origin}/logout`, {
      method: 'POST',
      headers: { ...SAME_ORIGIN, cookie },
    });
    expect(await response.text()).toContain('You are logged out');
    expect(response.headers.getSetCookie()[0]).toMatch(/^__Host-scipion=;.*Expires=Thu, 01 Jan 1970/);
    expect(await isLoggedIn(gateway, cookie)).toBe(false);
  });

  test('shows its user the others, and ends them all, also those it does not know of', async () => {
    const agents = ['Mozilla/5.0 Firefox/140.0', 'x'.repeat(1000)];
    const cookies: string[] = [];
    for (const agent of agents) {
      const cookie = await sessionCookie(gateway);
      cookies.push(cookie);
      await fetch(gateway.origin, { headers: { cookie, 'user-agent': agent } });
    }
    const silent = await sessionCookie(gateway);
    const list = async (cookie = '') => {
      const response = await fetch(`${gateway.origin}/sessions`, {
        headers: { cookie, 'user-agent': 'mine' },
      });
      return response.status === 200
        ? ((await response.json()) as { sessions: SessionView[] }).sessions
        : response.status;
    };
    const own = await sessionCookie(gateway);
    const found = (await list(own)) as SessionView[];
    expect(found.map(({ isThis, agent }) => [isThis, agent])).toEqual([
      [true, 'mine'],
      [false, 'x'.repeat(300)],
      [false, agents[0]],
    ]);
    expect(JSON.stringify(found)).not.toMatch(/"id"|[0-9a-f]{8}-/);
    expect(await list()).toBe(401);
    const end = (headers: Record<string, string>) =>
      fetch(`${gateway.origin}/sessions/end-others`, { method: 'POST', headers });
    expect((await end(SAME_ORIGIN)).status).toBe(401);
    expect((await end({ cookie: own, origin: 'https://evil.example' })).status).toBe(403);
    now += 1;
    expect((await end({ ...SAME_ORIGIN, cookie: own })).status).toBe(200);
    for (const cookie of [...cookies, silent]) expect(await isLoggedIn(gateway, cookie)).toBe(false);
    expect(await isLoggedIn(gateway, own)).toBe(true);
    expect(((await list(own)) as SessionView[]).length).toBe(1);
    expect(await isLoggedIn(gateway, await sessionCookie(gateway))).toBe(true);
    await fetch(`${gateway.origin}/logout`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie: own } });
    expect(await isLoggedIn(gateway, own)).toBe(false);
  });

  test('a changed password ends it', async () => {
    const cookie = await sessionCookie(gateway);
    await gateway.setPassword('another one');
    await eventually(
      () => isLoggedIn(gateway, cookie),
      (isIn) => !isIn,
    );
    expect((await postLogin(gateway, PASSWORD)).status).toBe(401);
    expect((await postLogin(gateway, 'another one')).status).toBe(303);
  });

  test('ends after a long time without its user, and at an age whatever happens', async () => {
    const cookie = await sessionCookie(gateway);
    const touch = () =>
      fetch(`${gateway.origin}/session/touch`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie } });
    now += SESSION_IDLE_MS - 1000;
    expect((await touch()).status).toBe(204);
    now += SESSION_IDLE_MS - 1000;
    expect(await isLoggedIn(gateway, cookie)).toBe(true);
    now += 1000;
    expect(await isLoggedIn(gateway, cookie)).toBe(false);

    const busy = await sessionCookie(gateway);
    const end = async () => (await fetch(`${gateway.origin}/session`, { headers: { cookie: busy } })).json();
    expect(await end()).toEqual({ loggedIn: true, endsAt: now + SESSION_IDLE_MS, isFinal: false });
    const openedAt = now;
    while (now - openedAt < SESSION_MAX_MS - SESSION_IDLE_MS / 2) {
      now += SESSION_IDLE_MS / 2;
      await fetch(`${gateway.origin}/session/touch`, {
        method: 'POST',
        headers: { ...SAME_ORIGIN, cookie: busy },
      });
    }
    expect(await isLoggedIn(gateway, busy)).toBe(true);
    expect(await end()).toEqual({ loggedIn: true, endsAt: openedAt + SESSION_MAX_MS, isFinal: true });
    now += SESSION_IDLE_MS / 2;
    expect(await isLoggedIn(gateway, busy)).toBe(false);
  });

  test('outlives a clock that goes wrong and is put right, and none that was given far ahead stays', async () => {
    const right = now;
    const cookie = await sessionCookie(gateway);
    now = right - MAX_CLOCK_STEP_MS;
    expect(await isLoggedIn(gateway, cookie)).toBe(true);
    now = right + 10 * SESSION_MAX_MS;
    expect(await isLoggedIn(gateway, cookie)).toBe(false);
    const ahead = await sessionCookie(gateway);
    expect(await isLoggedIn(gateway, ahead)).toBe(true);
    now = right;
    expect(await isLoggedIn(gateway, cookie)).toBe(true);
    expect(await isLoggedIn(gateway, ahead)).toBe(false);
    expect(await isLoggedIn(gateway, await sessionCookie(gateway))).toBe(true);
  });

  test.each([10_000, 600_000, 2 * 3_600_000, 365 * 86_400_000])(
    'opens after all others were ended by a clock that was %i ms ahead, and those stay ended',
    async (ahead) => {
      const right = now;
      const other = await sessionCookie(gateway);
      now = right + ahead;
      const own = await sessionCookie(gateway);
      const headers = { ...SAME_ORIGIN, cookie: own };
      const response = await fetch(`${gateway.origin}/sessions/end-others`, { method: 'POST', headers });
      expect(response.status).toBe(200);
      now = right;
      for (const restart of [false, true]) {
        if (restart) await gateway.restart();
        const next = await sessionCookie(gateway);
        expect(await isLoggedIn(gateway, next)).toBe(true);
        expect(await isLoggedIn(gateway, other)).toBe(false);
        // What was opened since is ended in its turn.
        const last = await sessionCookie(gateway);
        const again = { ...SAME_ORIGIN, cookie: last };
        await fetch(`${gateway.origin}/sessions/end-others`, { method: 'POST', headers: again });
        expect(await isLoggedIn(gateway, next)).toBe(false);
        expect(await isLoggedIn(gateway, last)).toBe(true);
      }
    },
  );

  test('a forged, cut or foreign cookie opens nothing', async () => {
    const response = await postLogin(gateway, PASSWORD);
    const cookie = cookieOf(response, '__Host-scipion');
    const known = cookieOf(response, '__Host-scipion-known').replace('-known', '');
    const [name = '', token = ''] = cookie.split('=');
    const [body = '', signature = ''] = token.split('.');
    const other = Buffer.from(body, 'base64url')
      .toString()
      .replace(/\d{13}/, '9999999999999');
    const forgeries = [
      known,
      `${name}=`,
      `${name}=${body}`,
      `${name}=${body}.`,
      `${name}=${body}.${signature.slice(0, -2)}`,
      `${name}=${Buffer.from(other).toString('base64url')}.${signature}`,
      `${name}=${token}.x`,
    ];
    for (const forged of forgeries) expect(await isLoggedIn(gateway, forged)).toBe(false);
    expect(await isLoggedIn(gateway, cookie)).toBe(true);
  });
});

describe('what is told', () => {
  test('every answer carries the security headers and is not stored', async () => {
    const cookie = await sessionCookie(gateway);
    for (const path of ['/', '/login', '/view', '/nowhere', '/assets/app.js', '/session']) {
      const { headers } = await fetch(gateway.origin + path, { headers: { cookie }, redirect: 'manual' });
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cache-control')).toBe(path.startsWith('/assets') ? 'no-cache' : 'no-store');
    }
  });

  test('the pages load nothing from elsewhere and hold no inline script or style', async () => {
    const cookie = await sessionCookie(gateway);
    for (const path of ['/', '/login', '/nowhere']) {
      const headers = path === '/' ? { cookie } : {};
      const html = await (await fetch(gateway.origin + path, { headers })).text();
      expect(html).not.toMatch(/(src|href|action)="(?!\/)/);
      expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    }
  });

  test('the log tells of logins without passwords, cookies or keys', async () => {
    await postLogin(gateway, 'canary-wrong-password');
    const cookie = await sessionCookie(gateway);
    await fetch(`${gateway.origin}/save`, { method: 'POST', headers: { ...SAME_ORIGIN, cookie } });
    const log = gateway.log.join('');
    expect(log).toContain('"outcome":"accepted"');
    for (const secret of ['canary', PASSWORD, cookie, cookie.split('=')[1] ?? '?']) {
      expect(log).not.toContain(secret);
    }
  });
});
