import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FakeSync, READY_STATUS, startFakeSync } from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import {
  PASSWORD,
  type RunningGateway,
  startGateway,
} from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import { browserMissing, launchBrowser, login, openPage, waitForDesktop } from '../helpers/browser.ts';
import { startXvnc, type Xvnc, xvncMissing } from './xvnc.ts';

/** What does not end and does not answer: a connection tells nobody of it. */

const missing = browserMissing() ?? xvncMissing();
if (missing) console.warn(`browser tests of what hangs are skipped: ${missing}`);

describe.skipIf(missing)('a page', () => {
  let browser: Browser;
  let gateway: RunningGateway;
  let sync: FakeSync;
  let page: Page;
  let vnc: Xvnc | undefined;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    gateway = await startGateway();
    sync = await startFakeSync(gateway.syncSocket);
    sync.set(READY_STATUS);
    page = await openPage(browser);
  });
  afterEach(async () => {
    await page.context().close();
    await vnc?.stop();
    vnc = undefined;
    await sync.stop();
    await gateway.stop();
  });

  test('says that the desktop hangs over its picture, and takes that back when it goes on', async () => {
    vnc = await startXvnc(gateway.vncSocket);
    await login(page, gateway.origin, PASSWORD);
    await waitForDesktop(page);
    const overlay = page.locator('#overlay');
    vnc.suspend();
    await overlay.waitFor({ state: 'visible', timeout: 60_000 });
    expect(await page.locator('#overlay-title').textContent()).toBe('The desktop does not answer');
    vnc.resume();
    await overlay.waitFor({ state: 'hidden', timeout: 60_000 });
    expect(await page.evaluate('document.body.dataset.desktop')).toBe('connected');
  });

  test('asks where its events say nothing any more, and says so where nobody answers', async () => {
    await page.clock.install();
    await page.route('**/events', () => undefined);
    await login(page, gateway.origin, PASSWORD);
    await page.clock.fastForward(60_000);
    await page.waitForFunction(
      "document.body.dataset.screen === 'desktop' || document.body.dataset.screen === 'progress'",
    );
    await page.route('**/view', (route) => route.abort());
    await page.clock.runFor(10_000);
    const headline = page.locator('#headline');
    await expect.poll(() => headline.textContent()).toBe('This page lost its connection');
  });
});
