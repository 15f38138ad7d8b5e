import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import { DEMO_USER } from '../../local/console/files.ts';
import { launchBrowser, openPage, screenshot, waitForDesktop } from '../helpers/browser.ts';
import { giveTokens } from '../helpers/console-form.ts';
import { importMicrographs, inspectProject } from './desktop.ts';
import { ARTIFACTS, emulator, kubeNamespaces, local, NAMESPACE, pulumi } from './world.ts';

/** A scientist without a terminal: everything of an instance's life in the console that `npm run local` brings along. */

const PROJECT = 'from-the-console';
/** Page by page, but for the desktop, which has to be copied and started first. */
const LONG_MS = 240_000;

let browser: Browser;
let page: Page;
let tokens: { readonly source: string; readonly project: string };
let origin: string;
const picture = (name: string) => screenshot(page, ARTIFACTS, `console-${name}`);

beforeAll(async () => {
  browser = await launchBrowser();
  page = await openPage(browser, { size: { width: 1280, height: 800 } });
  page.setDefaultTimeout(60_000);
  const onedata = await emulator();
  await onedata.clear(INSTANCE_SPACES.project);
  const created = await local(['up']);
  expect(created.exitCode).toBe(0);
  origin = /http:\/\/localhost:\d+/.exec(created.output)?.[0] ?? '';
  const shown = (await local(['tokens'])).output;
  const after = (what: string) => new RegExp(`^${what} +(\\S+)$`, 'm').exec(shown)?.[1] ?? '';
  tokens = { source: after('Raw data'), project: after('Your work') };
});
afterAll(async () => {
  await browser?.close();
  expect((await local(['remove'])).exitCode).toBe(0);
});

async function create(): Promise<void> {
  await giveTokens(page, origin, { name: NAMESPACE, ...tokens });
  await picture('new');
  await page.getByRole('button', { name: 'Create' }).click();
  await page.getByText('Create StatefulSet').waitFor();
  await picture('starts');
  await page.getByText('The desktop answers.').waitFor({ timeout: LONG_MS });
}

/** The tab that `Open` leads to, signed in without a password. */
async function openDesktop(): Promise<Page> {
  const popup = page.waitForEvent('popup');
  await page
    .getByRole('button', { name: `Open: ${NAMESPACE}` })
    .first()
    .click();
  const desktop = await popup;
  await waitForDesktop(desktop, LONG_MS);
  return desktop;
}

async function remove(): Promise<void> {
  await page.goto(`${origin}/instances/${NAMESPACE}`);
  await page.getByRole('button', { name: 'Remove' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(`Type ${NAMESPACE} to remove it`).fill(NAMESPACE);
  await dialog.getByRole('button', { name: 'Remove' }).click();
  await page.getByText('It is removed. Your work is in the project space.').waitFor({ timeout: LONG_MS });
}

test('its user signs in, and finds the instance that is theirs', async () => {
  const password = (await local(['password', 'console'])).output.trim();
  await page.goto(origin);
  await page.locator('#username').fill(DEMO_USER);
  await page.locator('#password').fill(password);
  await picture('sign-in');
  await page.locator('button[type="submit"]').click();
  await page.getByRole('link', { name: NAMESPACE, exact: true }).waitFor();
  await page.getByText('Running').first().waitFor();
  await picture('mine');
  const desktop = await openDesktop();
  await desktop.close();
});

test('removes it, makes another with spaces by name, and works in Scipion', async () => {
  await remove();
  expect(await kubeNamespaces()).not.toContain(NAMESPACE);
  await create();
  const desktop = await openDesktop();
  await screenshot(desktop, ARTIFACTS, 'console-desktop');
  await desktop.close();
  expect(await importMicrographs(PROJECT, 'of the console')).toMatchObject({ status: 'finished' });
});

test('Pulumi sees the same instance: a preview finds nothing to change', async () => {
  const { output, exitCode } = await pulumi(['preview', '--expect-no-changes']);
  expect([exitCode, output]).toEqual([0, expect.stringContaining('unchanged')]);
});

test('removed and made again it has the work', async () => {
  await remove();
  await create();
  const desktop = await openDesktop();
  await desktop.close();
  expect((await inspectProject(PROJECT)).runs).toEqual({ 'of the console': 'finished' });
});
