import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeOpeningCode, openingAddress, openingKeyOf } from '../../sidecar/contract/opening-code.ts';
import { SIGN_IN } from '../../sidecar/test/gateway/helpers/fake-provider.ts';
import { type FakeSync, startFakeSync } from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import {
  type OpenIdProvider,
  startOpenIdProvider,
} from '../../sidecar/test/gateway/helpers/openid-provider.ts';
import { type RunningGateway, startGateway } from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import { axeFindings, browserMissing, launchBrowser, openPage, screenshot } from '../helpers/browser.ts';
import { freePort } from '../helpers/free-port.ts';
import { ofTheBrowser } from './fixture.ts';

const missing = browserMissing();
const { SCREENSHOTS } = process.env;
const SECRET = 'a secret that is long enough for it';

/** The provider is at 127.0.0.1 and the gateway at localhost: different sites, as they are in the world. */
describe.skipIf(missing)('coming in from elsewhere', ofTheBrowser, () => {
  let browser: Browser;
  let gateway: RunningGateway;
  let provider: OpenIdProvider;
  let sync: FakeSync;
  let page: Page;
  const mistakes: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await page.context().close();
    await sync.stop();
    await gateway.stop();
    await provider.stop();
  });

  async function start(passwordLogin = true): Promise<void> {
    const port = await freePort();
    const signIn = {
      ...SIGN_IN,
      issuer: `http://127.0.0.1:${port}`,
      scopes: ['openid', 'groups'],
      users: [],
    };
    const config = { signIn, passwordLogin };
    gateway = await startGateway({ config, clientSecret: SECRET });
    provider = await startOpenIdProvider({
      port,
      callback: `${gateway.origin}/login/openid/callback`,
      secret: SECRET,
    });
    sync = await startFakeSync(gateway.syncSocket);
    page = await openPage(browser);
    mistakes.length = 0;
    page.on('console', (message) => {
      // Those of the provider's pages are its own, also when they are heard of after the page has gone on.
      const isOurs = message.location().url.startsWith(gateway.origin);
      if (isOurs && /Content Security Policy/i.test(message.text())) mistakes.push(message.text());
    });
    page.on('pageerror', (error) => mistakes.push(error.message));
  }

  async function signInAs(login: string): Promise<void> {
    await page.locator('#sign-in').click();
    await page.waitForURL(`${provider.issuer}/interaction/**`);
    await page.locator('input[name=login]').fill(login);
    await page.locator('input[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
  }

  const isInside = () => page.locator('body[data-screen]').waitFor();

  test('by the sign-in server: there, back, inside, out, and out of the server', async () => {
    await start();
    await page.goto(gateway.origin);
    expect(await axeFindings(page)).toEqual([]);
    await screenshot(page, SCREENSHOTS, 'sign-in-both-en');
    await signInAs('alice');
    await isInside();
    expect(page.url()).toBe(`${gateway.origin}/`);
    // The way back leads to no used answer.
    await page.goBack().catch(() => null);
    expect(page.url()).not.toContain('code=');
    await page.goto(gateway.origin);
    await isInside();
    await page.evaluate(
      `fetch('/logout', { method: 'POST' }).then((answer) => answer.text()).then((text) => { document.documentElement.innerHTML = text; })`,
    );
    await page.getByRole('link', { name: /Sign out of 127/ }).click();
    await page.waitForURL(`${provider.issuer}/session/end**`);
    expect(mistakes).toEqual([]);
  });

  test('by the sign-in server: who may not is told, in both languages and sizes', async () => {
    await start(false);
    await page.goto(`${gateway.origin}/login?language=cs`);
    expect(await page.locator('#password').count()).toBe(0);
    await screenshot(page, SCREENSHOTS, 'sign-in-alone-cs');
    await signInAs('bob');
    await page.locator('#notice').getByText('vás zná jako bob; ten tuto plochu otevřít nesmí').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await screenshot(page, SCREENSHOTS, 'sign-in-refused-cs');
    await page.setViewportSize({ width: 360, height: 700 });
    await screenshot(page, SCREENSHOTS, 'sign-in-refused-phone-cs');
    await provider.stop();
    await page.goto(`${gateway.origin}/login?language=en`);
    // The first answer is kept for some minutes; the server is met at the end of the way.
    await gateway.restart();
    await page.locator('#sign-in').click();
    await page.locator('#notice').getByText('cannot be reached from this instance').waitFor();
    await screenshot(page, SCREENSHOTS, 'sign-in-gone-en');
    expect(mistakes).toEqual([]);
  });

  test('by a code of a console: from another site, once', async () => {
    await start();
    const code = await makeOpeningCode({
      key: openingKeyOf(gateway.sessionKey),
      origin: gateway.origin,
      user: 'jane',
    });
    const address = openingAddress(gateway.origin, code);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    // A link on a page of another site.
    await page.goto(`${provider.issuer}/.well-known/openid-configuration`);
    await page.evaluate(`location.href = ${JSON.stringify(address)}`);
    await isInside();
    expect(page.url()).toBe(`${gateway.origin}/`);
    expect(requests.filter((url) => new URL(url).pathname.includes(code))).toEqual([]);
    expect(requests.map((url) => new URL(url).search).join()).not.toContain(code);
    const other = await openPage(browser);
    await other.goto(address);
    await other.locator('#notice').getByText('This address was used already').waitFor();
    expect(other.url()).toBe(`${gateway.origin}/login`);
    expect(await axeFindings(other)).toEqual([]);
    await screenshot(other, SCREENSHOTS, 'opening-used-en');
    await other.context().close();
    expect(mistakes).toEqual([]);
  });
});
