import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  DONE_TRANSFER,
  type FakeSync,
  READY_STATUS,
  startFakeSync,
} from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import {
  PASSWORD,
  type RunningGateway,
  startGateway,
} from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import {
  browserMissing,
  launchBrowser,
  login,
  openPage,
  shownScreen,
  waitForDesktop,
} from '../helpers/browser.ts';
import { startXvnc, type Xvnc, xvncMissing } from './xvnc.ts';

const missing = browserMissing() ?? xvncMissing();
if (missing) console.warn(`browser tests of the gateway are skipped: ${missing}`);

const COPYING = {
  ...DONE_TRANSFER,
  state: 'copying',
  filesDone: 3,
  bytesDone: 12_000_000,
  bytesPerSecond: 4_000_000,
  secondsLeft: 9,
} as const;

/** The browser's own crash says nothing of the gateway; every other failure stands. */
const ofTheBrowser = { retry: { count: 1, condition: /Page crashed/ } };

describe.skipIf(missing)('the gateway in a browser', ofTheBrowser, () => {
  let browser: Browser;
  let gateway: RunningGateway;
  let sync: FakeSync;
  let page: Page;
  let vnc: Xvnc | undefined;
  const violations: string[] = [];
  const typed = join(tmpdir(), `gateway-typed-${process.pid}`);

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    gateway = await startGateway({ pingEveryMs: 200 });
    sync = await startFakeSync(gateway.syncSocket);
    page = await openPage(browser);
    violations.length = 0;
    page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) violations.push(message.text());
    });
    page.on('pageerror', (error) => violations.push(error.message));
  });
  afterEach(async () => {
    await page.context().close();
    await vnc?.stop();
    vnc = undefined;
    await sync.stop();
    await gateway.stop();
    await rm(typed, { force: true });
  });

  /** A terminal that fills the screen and writes what is typed to a file. */
  async function startDesktop(): Promise<void> {
    vnc = await startXvnc(gateway.vncSocket);
    vnc.run('xterm', ['-geometry', '200x80+0+0', '-e', 'sh', '-c', `cat >> ${typed}`]);
  }

  async function openDesktop(): Promise<void> {
    sync.set(READY_STATUS);
    await startDesktop();
    await login(page, gateway.origin, PASSWORD);
    await waitForDesktop(page);
  }

  /** Types into the desktop until the terminal has it: a terminal that has just started may miss the first keys. */
  async function typeUntilItArrives(text: string): Promise<void> {
    await expect
      .poll(
        async () => {
          await page.mouse.click(300, 300);
          await page.keyboard.type(`${text}\n`);
          await sleep(300);
          return readFile(typed, 'utf8').catch(() => '');
        },
        { timeout: 20_000, interval: 100 },
      )
      .toContain(text);
  }

  test('refuses a wrong password, shows the progress, and turns into the desktop by itself', async () => {
    await login(page, gateway.origin, 'wrong');
    expect(await page.getByRole('alert').textContent()).toContain('That is not the password');
    expect(page.url()).toBe(`${gateway.origin}/login`);

    sync.set({
      phase: 'copying',
      source: COPYING,
      project: { ...COPYING, state: 'listing', bytesTotal: null },
    });
    await login(page, gateway.origin, PASSWORD);
    await page.getByRole('heading', { name: 'Preparing your desktop' }).waitFor();
    await page.getByText('12.0 MB of 48.0 MB').waitFor();
    await page.getByText('about 9 seconds left').waitFor();
    expect(await page.locator('#source progress').getAttribute('value')).toBe('0.25');
    expect(await page.locator('#project progress').getAttribute('value')).toBeNull();

    const loads: string[] = [];
    page.on('framenavigated', (frame) => loads.push(frame.url()));
    const message = 'The token of the source space has expired.';
    sync.set({
      problems: [{ code: 'token-expired', space: 'source', message, since: new Date().toISOString() }],
    });
    await page.getByText(message).waitFor();

    sync.set({ ...READY_STATUS, problems: [] });
    await page.getByRole('heading', { name: 'Opening the desktop' }).waitFor();
    await startDesktop();
    await waitForDesktop(page);
    expect(loads).toEqual([]);
    expect(violations).toEqual([]);
  });

  test('carries keys, follows the size of the window, and stays open while idle', async () => {
    await openDesktop();
    await typeUntilItArrives('Hello, Scipion #1');
    for (const size of [
      { width: 1100, height: 700 },
      { width: 1300, height: 820 },
    ]) {
      await page.setViewportSize(size);
      const viewport = await page.locator('#viewport').boundingBox();
      expect(viewport?.width).toBe(size.width);
      await expect.poll(() => vnc?.size()).toEqual({ width: size.width, height: viewport?.height });
    }
    let drops = 0;
    page.on('websocket', () => {
      drops += 1;
    });
    await sleep(3000);
    expect(drops).toBe(0);
    await typeUntilItArrives('still here');
    expect(violations).toEqual([]);
  });

  test('comes back by itself when the desktop was restarted', async () => {
    await openDesktop();
    await vnc?.stop();
    await page.getByRole('heading', { name: 'The desktop does not answer' }).waitFor();
    expect(await shownScreen(page)).toBe('desktop');
    await startDesktop();
    await waitForDesktop(page);
    await page.locator('#overlay').waitFor({ state: 'hidden' });
    await typeUntilItArrives('after the restart');
  });

  test('shows how safe the work is, saves on request, and warns', async () => {
    await openDesktop();
    const savedAt = new Date(Date.now() - 120_000).toISOString();
    sync.set({ save: { ...READY_STATUS.save, lastSavedAt: savedAt, unsavedChanges: true } });
    await page.locator('#save-state', { hasText: 'Unsaved changes · saved 2 minutes ago' }).waitFor();
    await page.getByRole('button', { name: 'Save now' }).click();
    await expect.poll(() => sync.saves).toBe(1);
    sync.set({ phase: 'saving', project: COPYING });
    await page.locator('#save-state', { hasText: 'Saving… 3 of 12 files' }).waitFor();
    const lastError = 'The project space is full.';
    sync.set({ phase: 'running', save: { ...READY_STATUS.save, lastSavedAt: savedAt, lastError } });
    await page.getByText(`Saving failed and is tried again: ${lastError}`).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await page.locator('#banner').waitFor({ state: 'hidden' });
    sync.set({ phase: 'draining', ready: false });
    await page.getByRole('heading', { name: 'Saving your work before removal' }).waitFor();
    sync.set({
      phase: 'drained',
      save: { ...READY_STATUS.save, lastSavedAt: savedAt, unsavedChanges: false },
    });
    await page.getByRole('heading', { name: 'Everything is saved' }).waitFor();
  });

  test('says that the data service is away, and that work is saved when it is back, without a reload', async () => {
    await openDesktop();
    const save = { ...READY_STATUS.save, lastSavedAt: new Date().toISOString(), unsavedChanges: false };
    sync.set({ save });
    await page.locator('#save-state', { hasText: 'All saved' }).waitFor();
    await page.evaluate('globalThis.isSamePage = true');
    await sync.stop();
    await page.locator('#save-state', { hasText: 'is not known at the moment' }).waitFor();
    expect(await page.locator('body').getAttribute('data-desktop')).toBe('connected');
    sync = await startFakeSync(gateway.syncSocket);
    sync.set({ ...READY_STATUS, save: { ...save, unsavedChanges: true } });
    await page.locator('#save-state', { hasText: 'Unsaved changes' }).waitFor();
    expect(await page.evaluate('globalThis.isSamePage')).toBe(true);
    expect(violations).toEqual([]);
  });

  test('opens the desktop when its socket comes late, and tells times by the gateway’s clock', async () => {
    // A computer that is three days ahead.
    await page.addInitScript(`{
      const Real = Date;
      const ahead = 3 * 24 * 3_600_000;
      globalThis.Date = class extends Real {
        constructor(...given) { super(...(given.length === 0 ? [Real.now() + ahead] : given)); }
        static now() { return Real.now() + ahead; }
      };
    }`);
    const lastSavedAt = new Date(Date.now() - 120_000).toISOString();
    sync.set({ ...READY_STATUS, save: { ...READY_STATUS.save, lastSavedAt, unsavedChanges: false } });
    await login(page, gateway.origin, PASSWORD);
    await page.getByRole('heading', { name: 'Opening the desktop' }).waitFor();
    await page.evaluate('globalThis.isSamePage = true');
    await startDesktop();
    await waitForDesktop(page);
    await page.locator('#save-state', { hasText: 'All saved · 2 minutes ago' }).waitFor();
    expect(await page.locator('#banner').isHidden()).toBe(true);
    expect(
      await page.evaluate('[globalThis.isSamePage, Date.now() > performance.timeOrigin + 86_400_000]'),
    ).toEqual([true, true]);
  });

  test('shares the clipboard through its panel', async () => {
    await openDesktop();
    vnc?.run('sh', ['-c', 'printf "from the desktop" | xclip -selection clipboard']);
    await page.getByRole('button', { name: 'Clipboard' }).click();
    const text = page.getByLabel('Text shared with the desktop');
    await expect.poll(() => text.inputValue()).toBe('from the desktop');
    await text.fill('from the browser ✓');
    await page.getByRole('button', { name: 'Send to the desktop' }).click();
    await expect.poll(() => vnc?.clipboard()).toBe('from the browser ✓');
  });

  test('logging out in one window ends the desktop in the other', async () => {
    await openDesktop();
    const other = await page.context().newPage();
    await other.goto(gateway.origin);
    await waitForDesktop(other);
    await other.getByRole('button', { name: 'Log out' }).click();
    await other.getByText('You are logged out').waitFor();
    await page.getByLabel('Password of this desktop').waitFor();
    await page.goto(`${gateway.origin}/?autoconnect=true&host=evil.example&password=x`);
    expect(page.url()).toBe(`${gateway.origin}/login`);
  });
});
