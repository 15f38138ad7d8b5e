import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's browser, or the one named by CHROMIUM. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Why browser tests cannot run here; undefined when they can. */
export function browserMissing(): string | undefined {
  return existsSync(CHROMIUM)
    ? undefined
    : `no browser at ${CHROMIUM}: install Debian's chromium or set CHROMIUM`;
}

/** Starts the browser without any traffic of its own. Close it when done. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface OpenPageOptions {
  readonly size?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
}

/** A page with cookies of its own. Certificates of a local authority are taken as they are. */
export async function openPage(browser: Browser, options: OpenPageOptions = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: options.size ?? { width: 1440, height: 900 },
    colorScheme: options.colorScheme ?? 'light',
    ignoreHTTPSErrors: true,
  });
  return context.newPage();
}

/** Opens the instance and sends the login form; returns once the answer is there, whatever it is. */
export async function login(page: Page, url: string, password: string): Promise<void> {
  await page.goto(url);
  await page.locator('#password').fill(password);
  await Promise.all([page.waitForEvent('load'), page.locator('#submit').click()]);
}

/** Which of its screens the page shows: progress, desktop, saving, saved; undefined on the login page. */
export function shownScreen(page: Page): Promise<string | null> {
  return page.locator('body').getAttribute('data-screen');
}

/** Waits until the remote desktop is drawn in the page. */
export async function waitForDesktop(page: Page, timeoutMs = 60_000): Promise<void> {
  await page.locator('body[data-screen="desktop"][data-desktop="connected"]').waitFor({ timeout: timeoutMs });
  await page.locator('#desktop canvas:not(.last-picture)').waitFor({ timeout: timeoutMs });
}

/** Saves `<directory>/<name>.png`; with no directory does nothing, so that tests can keep pictures on request. */
export async function screenshot(page: Page, directory: string | undefined, name: string): Promise<void> {
  if (!directory) return;
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, `${name}.png`) });
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe finds wrong, by rule and element. `evaluate` goes past the page's policy, which keeps other scripts out. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(`${readFileSync(AXE, 'utf8')};0`);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ' ' + target.join(' '))))`);
}
