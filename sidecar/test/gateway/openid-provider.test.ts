import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../test/helpers/free-port.ts';
import { isLoggedIn } from './helpers/client.ts';
import { noticeOf, SIGN_IN } from './helpers/fake-provider.ts';
import { type OpenIdProvider, startOpenIdProvider } from './helpers/openid-provider.ts';
import { type RunningGateway, startGateway } from './helpers/start-gateway.ts';

/** Follows redirects and keeps cookies, each for its origin, as a browser does. */
class Browser {
  readonly #jars = new Map<string, Map<string, string>>();

  cookies(origin: string): string {
    return [...(this.#jars.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async open(address: string, form?: Record<string, string>): Promise<{ url: string; answer: Response }> {
    let url = address;
    let body = form && new URLSearchParams(form);
    for (let steps = 0; steps < 20; steps += 1) {
      const { origin } = new URL(url);
      const answer = await fetch(url, {
        redirect: 'manual',
        headers: { cookie: this.cookies(origin) },
        ...(body === undefined ? {} : { method: 'POST', body }),
      });
      const jar = this.#jars.get(origin) ?? new Map<string, string>();
      this.#jars.set(origin, jar);
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      const next = answer.headers.get('location');
      if (next === null) return { url, answer };
      url = new URL(next, url).href;
      body = undefined;
    }
    throw new Error(`${address} leads round in circles`);
  }
}

describe('with oidc-provider', () => {
  let gateway: RunningGateway;
  let provider: OpenIdProvider;
  afterEach(async () => {
    await gateway.stop();
    await provider.stop();
  });

  async function start(secret?: string): Promise<void> {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    const signIn = { ...SIGN_IN, issuer, scopes: ['openid', 'groups'], users: [] };
    gateway = await startGateway({
      config: { signIn },
      ...(secret === undefined ? {} : { clientSecret: secret }),
    });
    provider = await startOpenIdProvider({
      port,
      callback: `${gateway.origin}/login/openid/callback`,
      ...(secret === undefined ? {} : { secret }),
    });
  }

  /** Signs in by the provider's own form; what the gateway answers in the end. */
  async function signInAs(login: string): Promise<{ browser: Browser; answer: Response }> {
    const browser = new Browser();
    const { url, answer } = await browser.open(`${gateway.origin}/login/openid`);
    expect(url).toMatch(new RegExp(`^${provider.issuer}/interaction/`));
    expect(answer.status).toBe(200);
    const end = await browser.open(url, { prompt: 'login', login, password: 'any' });
    return { browser, answer: end.answer };
  }

  test.each([
    ['a client with a secret', 'a secret: 100% & more, long enough for this'],
    ['a public client', undefined],
  ])('%s lets members of the group in, and nobody else', async (_what, secret) => {
    await start(secret);
    const { browser, answer } = await signInAs('alice');
    expect(await noticeOf(answer.clone())).toBe('');
    expect(answer.status).toBe(200);
    expect(await isLoggedIn(gateway, browser.cookies(gateway.origin))).toBe(true);
    const other = await signInAs('bob');
    expect([other.answer.status, await noticeOf(other.answer)]).toEqual([
      403,
      expect.stringContaining('knows you as bob, who is not one'),
    ]);
    const out = await browser.open(`${gateway.origin}/logout/openid`);
    expect(out.url).toMatch(new RegExp(`^${provider.issuer}/session/end`));
    expect(out.answer.status).toBe(200);
  });

  test('a provider that comes back with other keys is known again', async () => {
    await start('a secret that is long enough for it');
    expect((await signInAs('alice')).answer.status).toBe(200);
    await provider.stop();
    provider = await startOpenIdProvider({
      port: Number(new URL(provider.issuer).port),
      callback: `${gateway.origin}/login/openid/callback`,
      secret: 'a secret that is long enough for it',
    });
    expect((await signInAs('alice')).answer.status).toBe(200);
  });

  test('a wrong secret is told', async () => {
    await start('a secret that is long enough for it');
    await provider.stop();
    provider = await startOpenIdProvider({
      port: Number(new URL(provider.issuer).port),
      callback: `${gateway.origin}/login/openid/callback`,
      secret: 'another secret that is long enough too',
    });
    expect(await noticeOf((await signInAs('alice')).answer)).toContain(
      'does not know this instance, or not by',
    );
  });
});
