import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PlanFile } from '../../console/src/site/upgrade-plan.ts';
import { type FakeCluster, fakeCluster } from '../../console/test/helpers/fake-cluster.ts';
import { PASSWORD, type RunningConsole, startConsole } from '../../console/test/helpers/start-console.ts';
import { knownVersions } from '../../stacks/versions.ts';
import { axeFindings, browserMissing, launchBrowser, screenshot } from '../helpers/browser.ts';

/** The operators' page in a real browser, on a fleet of which nothing is deployed. */

const missing = browserMissing();
if (missing) console.warn(`browser tests of the console are skipped: ${missing}`);
const SHOTS = process.env.SCREENSHOTS;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const [NEW = '', OLD = ''] = knownVersions();

describe.skipIf(missing)('the site page', () => {
  let browser: Browser;
  let running: RunningConsole;
  let cluster: FakeCluster;
  const mistakes: string[] = [];
  const rulesDirectory = mkdtempSync(join(tmpdir(), 'console-rules-'));
  const announcementFile = join(tmpdir(), `announcement-${randomBytes(6).toString('hex')}`);

  beforeAll(async () => {
    browser = await launchBrowser();
    cluster = fakeCluster();
    // Of a console before this one, which was killed.
    new PlanFile(rulesDirectory).write({
      ...{ version: NEW, wave: 2, by: 'Ada', since: '2026-11-30T08:00:00Z', isOver: false },
      instances: [
        { name: 'alpha', state: 'changes' },
        { name: 'beta', state: 'left' },
      ],
    });
    running = await startConsole({
      rulesDirectory,
      config: { announcementFile },
      openCluster: cluster.open,
      milliseconds: 400,
      compare: async () => ({
        state: 'drifted',
        text: 'StatefulSet scipion: somebody set spec.replicas\n~ 1 => 2',
      }),
    });
    const make = async (name: string, owner: string, state: 'running' | 'starting' | 'paused') => {
      const settings = { sourceSpaceId: 'raw', projectSpaceId: `work-${name}`, version: OLD };
      const secrets = { sourceToken: 'source-token-0123456789', projectToken: 'project-token-0123456789' };
      await running.fleet.create(name, { settings, secrets, owner }).result;
      if (state === 'paused') await running.fleet.pause(name).result;
      cluster.states.set(name, state);
    };
    await make('alpha', 'zoe', 'paused');
    await make('beta', 'joe', 'paused');
    await make('gamma', 'jane', 'paused');
    await make('runs', 'joe', 'running');
    await make('starts', 'ann', 'starting');
    cluster.syncs.set('runs', { activity: { windows: 0, protocols: 0, cpus: 0, idleSeconds: 3 * 3600 } });
    await running.console.board.refresh();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await running?.stop();
    rmSync(announcementFile, { force: true });
    rmSync(rulesDirectory, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  async function open(user: string, path: string, context: BrowserContextOptions = {}): Promise<Page> {
    const page = await (
      await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...context })
    ).newPage();
    page.on('pageerror', (error) => mistakes.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') mistakes.push(message.text());
    });
    await page.goto(running.origin + path);
    await page.locator('#username').fill(user);
    await page.locator('#password').fill(PASSWORD);
    await page.locator('button[type="submit"]').click();
    await page.locator('main h1').waitFor();
    return page;
  }
  const names = (page: Page) => page.locator('tbody a[href^="/instances/"]').allTextContents();

  test('is for operators alone', async () => {
    const page = await open('jane', '/site');
    expect(new URL(page.url()).pathname).toBe('/site');
    await page.getByRole('heading', { name: 'My instances' }).waitFor();
    expect(await page.getByRole('link', { name: 'Site' }).isVisible()).toBe(false);
    expect(mistakes).toEqual([]);
  });

  test('tells of an upgrade whose console has ended, with a way to continue and one to leave it', async () => {
    const czech = await open('olga', '/site', {
      colorScheme: 'dark',
      locale: 'cs-CZ',
      viewport: PHONE.viewport,
    });
    await czech.getByText(`Na ${NEW}, začal(a) Ada: přerušeno`).waitFor();
    expect(await axeFindings(czech)).toEqual([]);
    await screenshot(czech, SHOTS, 'site-interrupted-cs');
    const page = await open('olga', '/site');
    await page.getByRole('heading', { name: `To ${NEW}, begun by Ada: interrupted` }).waitFor();
    expect(await page.getByRole('button', { name: 'Continue the upgrade' }).isEnabled()).toBe(true);
    expect(await axeFindings(page)).toEqual([]);
    await screenshot(page, SHOTS, 'site-interrupted');
    await page.getByRole('button', { name: 'Leave the rest as it is' }).click();
    await page.getByRole('heading', { name: `To ${NEW}, begun by Ada: ended` }).waitFor();
    await page.getByText('Done: 0. Failed: 1. Not begun: 1.').waitFor();
    expect(mistakes).toEqual([]);
  });

  test('sorts, finds and shows what waits, compares, upgrades in waves up to the first that fails, and tells who did it', async () => {
    const page = await open('olga', '/site');
    await page.getByText('1 wait for room or quota').waitFor({ timeout: 20_000 });
    await page.getByText('3 hours').waitFor();
    expect(await names(page)).toEqual(['alpha', 'beta', 'gamma', 'runs', 'starts']);
    const owner = page.getByRole('button', { name: 'Owner' });
    await owner.click();
    expect(await names(page)).toEqual(['starts', 'gamma', 'beta', 'runs', 'alpha']);
    await owner.click();
    expect(await names(page)).toEqual(['alpha', 'beta', 'runs', 'gamma', 'starts']);
    expect(await page.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('descending');
    await page.getByText('Only those that wait').click();
    expect(await names(page)).toEqual(['starts']);
    await page.getByText('Insufficient cpu').waitFor();
    await page.getByText('Only those that wait').click();

    await page.getByRole('button', { name: 'Compare: runs' }).click();
    await page.getByText('changed by somebody else').click();
    await page.getByText('spec.replicas').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await screenshot(page, SHOTS, 'site-drift');

    // The first goes alone, so the second wave has the one that fails.
    for (const name of ['alpha', 'beta', 'gamma'])
      await page.getByRole('checkbox', { name: `Choose ${name}` }).check();
    await page.getByText('3 instances chosen').waitFor();
    await page.locator('#upgrade-version').selectOption(NEW);
    await page.getByRole('button', { name: 'Upgrade' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('alpha, beta, gamma').waitFor();
    await dialog.getByLabel('Instances at a time').fill('1');
    expect(await axeFindings(page)).toEqual([]);
    const { set } = running.project;
    let count = 0;
    Object.assign(running.project, {
      set: (...given: Parameters<typeof set>) => {
        count += 1;
        if (count === 2) running.project.failures.push(new Error('the quota is used up'));
        return set(...given);
      },
    });
    await dialog.getByRole('button', { name: 'Upgrade' }).click();
    await page.getByText('Done: 1. Failed: 1. Not begun: 1.').waitFor({ timeout: 30_000 });
    await page.getByText('the quota is used up').waitFor();
    Object.assign(running.project, { set });
    expect(await axeFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Show the newest' }).click();
    await page
      .getByRole('cell', { name: `${NEW}: 3 instances, waves of 1` })
      .first()
      .waitFor();
    await screenshot(page, SHOTS, 'site-upgrade');

    await page.getByLabel('Stands above every page').fill('Friday: <b>no</b> desktops.');
    await page.getByRole('button', { name: 'Announce' }).click();
    await page.locator('#announcement').getByText('Friday: <b>no</b> desktops.').waitFor();
    expect(mistakes).toEqual([]);
  });

  test('has no findings of axe in light and dark and Czech, fits a phone, and leaves the keyboard where it is', async () => {
    const kinds: [string, BrowserContextOptions][] = [
      ['light', {}],
      ['dark-cs', { colorScheme: 'dark', locale: 'cs-CZ' }],
      ['phone', PHONE],
    ];
    for (const [kind, context] of kinds) {
      const page = await open('olga', '/site', context);
      await page.locator('tbody tr').first().waitFor();
      expect([kind, await axeFindings(page)]).toEqual([kind, []]);
      expect(
        Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth')),
      ).toBeLessThanOrEqual(0);
      await screenshot(page, SHOTS, `site-${kind}`);
      await page.close();
    }
    const page = await open('olga', '/site');
    await page.locator('[data-key="open runs"]').focus();
    await running.fleet.setExpiry('runs', new Date('2040-01-01')).result;
    await running.console.board.refresh();
    await page.getByText(/Ends: 1 Jan 2040/).waitFor({ timeout: 20_000 });
    expect(await page.evaluate('document.activeElement.dataset.key')).toBe('open runs');
    expect(mistakes).toEqual([]);
  });
});
