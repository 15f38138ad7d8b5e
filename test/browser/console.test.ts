import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ConsoleOnedata, startConsoleOnedata } from '../../console/test/helpers/console-onedata.ts';
import { type FakeCluster, fakeCluster, SAVED } from '../../console/test/helpers/fake-cluster.ts';
import { PASSWORD, type RunningConsole, startConsole } from '../../console/test/helpers/start-console.ts';
import { openingKeyOf, readOpeningCode } from '../../sidecar/contract/opening-code.ts';
import { axeFindings, browserMissing, launchBrowser, screenshot } from '../helpers/browser.ts';
import { giveTokens } from '../helpers/console-form.ts';

/** The pages of the console in a real browser, on a fleet of which nothing is deployed. */

const missing = browserMissing();
if (missing) console.warn(`browser tests of the console are skipped: ${missing}`);

/** Folder for pictures of every page; unset: none are kept. */
const SHOTS = process.env.SCREENSHOTS;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

describe.skipIf(missing)('the console', () => {
  let browser: Browser;
  let onedata: ConsoleOnedata;
  let running: RunningConsole;
  let cluster: FakeCluster;
  let tokens: ConsoleOnedata['tokens'];
  let mistakes: string[] = [];
  let counted = 0;
  const announcementFile = join(tmpdir(), `announcement-${randomBytes(6).toString('hex')}`);

  beforeAll(async () => {
    browser = await launchBrowser();
    onedata = await startConsoleOnedata();
    tokens = onedata.tokens;
    cluster = fakeCluster();
    running = await startConsole({
      config: {
        announcementFile,
        limits: { instances: 20, cpus: 100, memory: '500Gi', storage: '100Ti' },
        idle: { pauseAfterHours: 24, warnHours: 2 },
        expiry: {},
      },
      openCluster: cluster.open,
      milliseconds: 1500,
      monotonic: () => counted,
      ask: onedata.ask,
    });
  });
  afterAll(async () => {
    await browser?.close();
    await running?.stop();
    await onedata?.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    mistakes = [];
  });

  async function open(user = 'jane', context: BrowserContextOptions = {}): Promise<Page> {
    const page = await (
      await browser.newContext({ viewport: { width: 1280, height: 900 }, ...context })
    ).newPage();
    page.on('pageerror', (error) => mistakes.push(error.message));
    page.on('console', (message) => {
      // A refusal that is asked for is told by the browser, too.
      if (message.type() === 'error' && !/status of (401|404|409|422)/.test(message.text()))
        mistakes.push(message.text());
    });
    await page.goto(running.origin);
    await page.locator('#username').fill(user);
    await page.locator('#password').fill(PASSWORD);
    await page.locator('button[type="submit"]').click();
    await page.locator('.console-bar').waitFor();
    await page.locator('main h1').waitFor();
    return page;
  }

  const fillForm = (page: Page, name: string) => giveTokens(page, running.origin, { name, ...tokens });

  test('signs in, makes an instance with spaces by name, watches it start, and removes it by its name', async () => {
    const page = await open();
    await page.getByText('You have no instance yet').waitFor();
    await fillForm(page, 'mine');
    await page.getByText('With this one: instances 1 of 20, CPUs 2 of 100').waitFor();
    expect(await page.getByLabel('Space with the raw data').inputValue()).toBe('raw-id');
    expect(await page.getByLabel('Space that keeps your work').inputValue()).toBe('work-id');
    await page.getByLabel('Memory').fill('1Gi');
    await page.getByLabel('CPUs that are always there').click();
    await page.getByText('Allowed: a size from 2Gi to 2Ti.').waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Some answers cannot be used. Nothing was begun.').waitFor();
    await page.getByLabel('Memory').fill('16Gi');
    cluster.states.set('mine', 'running');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Create StatefulSet').waitFor();
    expect(page.url()).toBe(`${running.origin}/instances/mine`);
    // Loaded again in the middle it shows the same steps.
    await page.reload();
    await page.getByText('Create StatefulSet').waitFor();
    await page.getByText('The desktop answers.').waitFor();
    expect(await page.locator('.steps .time').textContent()).toMatch(/second/);
    // The desktop itself is not there; where the tab is led to is what counts.
    const key = randomBytes(32);
    cluster.sessionKeys.set('mine', key.toString('base64'));
    await page
      .context()
      .route('https://scipion.mine.example.org/**', (route) => route.fulfill({ body: 'the desktop' }));
    const popup = page.waitForEvent('popup');
    await page.getByRole('button', { name: 'Open: mine' }).first().click();
    const tab = await popup;
    await tab.getByText('the desktop').waitFor();
    const [address, code = ''] = tab.url().split('#');
    expect(address).toBe('https://scipion.mine.example.org/open');
    const origin = 'https://scipion.mine.example.org';
    expect(await readOpeningCode(code, { key: openingKeyOf(key), origin })).toMatchObject({ user: 'jane' });
    expect(await tab.evaluate('opener')).toBe(null);
    await tab.close();
    await page.getByText('unsaved work').waitFor();

    await page.getByRole('button', { name: 'Remove' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('There is unsaved work: it is saved first.').waitFor();
    await dialog.getByLabel('Type mine to remove it').fill('other');
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await dialog.getByText('The name that was typed is another one.').waitFor();
    expect(running.project.destroyed).toEqual([]);
    await dialog.getByLabel('Type mine to remove it').fill('mine');
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('It is removed. Your work is in the project space.').waitFor();
    expect(running.project.destroyed).toEqual(['mine']);
    cluster.states.delete('mine');
    await page.getByRole('link', { name: 'To my instances' }).click();
    await page.getByText('You have no instance yet').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL((url) => url.origin === running.issuer);
    expect(await axeFindings(page)).toEqual([]);
    await screenshot(page, SHOTS, 'sign-out');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('Your instances keep running.').waitFor();
    expect(mistakes).toEqual([]);
  });

  test('shows what is announced as text, above every page', async () => {
    const page = await open();
    const notice = page.locator('#announcement');
    expect(await notice.isHidden()).toBe(true);
    writeFileSync(announcementFile, 'Friday: <b>no</b> desktops.\nBack on Monday.');
    for (const path of ['/', '/new']) {
      await page.goto(`${running.origin}${path}`);
      await page.getByText('Friday: <b>no</b> desktops.').waitFor();
      expect(await axeFindings(page)).toEqual([]);
    }
    await screenshot(page, SHOTS, 'announcement');
    rmSync(announcementFile);
    await page.reload();
    await page.locator('form').waitFor();
    expect(await notice.isHidden()).toBe(true);
  });

  test('warns of a token that could write, and of a space that is in use', async () => {
    const { settings, secrets } = specOf('other');
    await running.fleet.create('other', { settings, secrets, owner: 'joe' }).result;
    await running.console.board.refresh();
    const page = await open();
    await fillForm(page, 'second');
    await page.getByText(/The instance .*other \(joe\) writes this space\./).waitFor();
    await page.getByLabel('Token that reads the raw data').fill(tokens.all);
    await page.keyboard.press('Tab');
    await page.getByLabel('Space with the raw data').selectOption('raw-id');
    await page.getByText('This token could also write the raw data.').waitFor();
    await page.getByLabel('Token that reads and writes your work').fill(tokens.all);
    await page.keyboard.press('Tab');
    await page.getByText('your work needs a token of its own').waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Still missing: Space that keeps your work.').waitFor();
    expect(mistakes).toEqual([]);
    await running.fleet.remove('other').result;
  });

  const specOf = (name: string) => ({
    settings: { sourceSpaceId: 'raw-id', projectSpaceId: 'work-id' },
    secrets: {
      sourceToken: `${name}-source-token-0123456789`,
      projectToken: `${name}-project-token-0123456789`,
    },
  });

  /** One instance of each state, of Jane; what is under way is under way while `look` is called. */
  async function everyPage(page: Page, look: (name: string) => Promise<void>): Promise<void> {
    const go = async (path: string, shown: string) => {
      await page.goto(`${running.origin}${path}`);
      await page.locator(shown).first().waitFor();
      await page.waitForTimeout(400);
      await look(path === '/' ? 'list' : path.slice(1).replaceAll(/[/#]/g, '-'));
    };
    await go('/', '.instances li');
    await go('/instances/runs', 'dl.facts dt');
    for (const action of ['pause', 'change', 'token', 'remove']) {
      await page.locator(`[data-action="${action}"]`).click();
      await page.locator('dialog[open] input, dialog[open] button').first().waitFor();
      await page.waitForTimeout(300);
      await look(`dialog-${action}`);
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
    }
    await go('/instances/broken', 'main .notice[data-kind="error"]');
    await go('/instances/starts', 'main .notice');
    void running.fleet.change('paused', {});
    await go('/new', 'form');
    await page.locator('button[type="submit"]').click();
    await look('new-missing');
    await page.goto(`${running.origin}/nowhere`);
    await look('nowhere');
  }

  let made: Promise<void> | undefined;
  const everyState = () => (made ??= makeAll());
  async function makeAll(): Promise<void> {
    for (const name of ['runs', 'starts', 'paused', 'broken']) {
      if (name === 'broken')
        running.project.failures.push(new Error('quota exceeded: requested 4 CPUs, 2 are left'));
      const spec = { ...specOf(name), owner: 'jane' };
      spec.settings.projectSpaceId = `work-${name}`;
      await running.fleet.create(name, spec).result.catch(() => undefined);
    }
    cluster.states
      .set('runs', 'running')
      .set('starts', 'starting')
      .set('paused', 'paused')
      .set('broken', 'running');
    await running.console.board.refresh();
  }

  test('has no findings of axe on any page, in light and dark, and none of a phone', async () => {
    await everyState();
    const found: string[] = [];
    const kinds: [string, BrowserContextOptions][] = [
      ['light', {}],
      ['dark', { colorScheme: 'dark', locale: 'cs-CZ' }],
      ['phone', PHONE],
    ];
    for (const [kind, context] of kinds) {
      const page = await open('jane', context);
      await everyPage(page, async (name) => {
        for (const finding of await axeFindings(page)) found.push(`${kind} ${name}: ${finding}`);
        const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        if (Number(wide) > 0) found.push(`${kind} ${name}: wider than its window by ${wide}`);
        await screenshot(page, SHOTS, `${kind}-${name}`);
      });
      await page.context().clearCookies();
      await page.goto(running.origin);
      await page.locator('#username').waitFor();
      for (const finding of await axeFindings(page)) found.push(`${kind} sign-in: ${finding}`);
      await screenshot(page, SHOTS, `${kind}-sign-in`);
    }
    expect(found).toEqual([]);
    expect(mistakes).toEqual([]);
  }, 300_000);

  test('says when an instance is paused because nobody uses it or its time ends, and operators move the end', async () => {
    await everyState();
    const activity = { windows: 0, protocols: 0, cpus: 0, idleSeconds: 23 * 3600 };
    const warnings = [{ code: 'settings-refused', message: 'The settings were refused.' } as const];
    cluster.syncs.set('runs', { activity, warnings, fileProblems: { total: 3, items: [] } });
    await running.console.rules.round();
    const warning = 'It is not in use: it is saved and paused';
    const kinds: [string, BrowserContextOptions, string, string][] = [
      ['light', {}, warning, 'not used for 23 hours'],
      [
        'dark-phone-cs',
        { ...PHONE, colorScheme: 'dark', locale: 'cs-CZ' },
        'Nikdo ji nepoužívá',
        'bez použití: 23 hodin',
      ],
    ];
    for (const [kind, context, notice, fact] of kinds) {
      const page = await open('jane', context);
      for (const path of ['/', '/instances/runs']) {
        await page.goto(`${running.origin}${path}`);
        await page.getByText(notice).first().waitFor();
        await page.getByText(fact).first().waitFor();
        await page
          .getByText(/^(3 paths left|Vynecháno .*: 3 soubory)/)
          .first()
          .waitFor();
        await page
          .getByText(/^(The settings were refused|Změněné nastavení nejde)/)
          .first()
          .waitFor();
        expect([kind, path, await axeFindings(page)]).toEqual([kind, path, []]);
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(
          0,
        );
        await screenshot(page, SHOTS, `${kind}-idle${path === '/' ? '' : '-one'}`);
      }
      expect(await page.locator('[data-action="expiry"]').count()).toBe(0);
    }
    const operator = await open('olga');
    await operator.goto(`${running.origin}/instances/runs`);
    await operator.locator('[data-action="expiry"]').click();
    const dialog = operator.getByRole('dialog');
    await dialog.getByLabel('Last day').fill('2040-02-29');
    expect(await axeFindings(operator)).toEqual([]);
    await screenshot(operator, SHOTS, 'set-end');
    await dialog.getByRole('button', { name: 'Set its end' }).click();
    await dialog.waitFor({ state: 'detached' });
    await operator.getByText(/(29 Feb|1 Mar) 2040/).waitFor();
    // The warning goes when somebody comes.
    counted += 1000;
    cluster.syncs.set('runs', { activity: { ...activity, windows: 1, idleSeconds: 0 } });
    await running.console.rules.round();
    const page = await open();
    await page.goto(`${running.origin}/instances/runs`);
    await page.getByText('1 window, 0 protocols running').waitFor();
    expect(await page.getByText(warning).count()).toBe(0);
    expect(mistakes).toEqual([]);
  });

  const ACTIONS = ['link', 'open', 'save', 'details', 'continue', 'resume'];
  const focus = (page: Page) =>
    page.evaluate(
      'document.activeElement.dataset.action ?? document.activeElement.getAttribute("href") ?? ""',
    );

  test('leaves the keyboard where it is while news come', async () => {
    await everyState();
    const page = await open();
    const card = page.locator('.instances li').filter({ has: page.locator('a[href="/instances/runs"]') });
    const news = async (state: 'running' | 'starting', unsavedChanges: boolean) => {
      cluster.states.set('runs', state);
      cluster.syncs.set('runs', { save: { ...SAVED.save, unsavedChanges } });
      await running.console.board.refresh();
    };
    const unsaved = card.getByText('unsaved work');
    await unsaved.waitFor();
    await card.locator('[data-action="save"]').focus();
    await news('running', false);
    await unsaved.waitFor({ state: 'detached' });
    expect(await focus(page)).toBe('save');
    await news('starting', false);
    await card.locator('[data-action="save"]').waitFor({ state: 'detached' });
    expect(await focus(page)).toBe('link');
    const operator = await open('olga');
    await operator.getByRole('link', { name: 'Site' }).click();
    await operator.locator('tbody a[href="/instances/paused"]').focus();
    await operator.locator('tbody tr').filter({ hasText: 'Starting' }).nth(1).waitFor();
    await news('running', true);
    await operator.locator('tbody tr').filter({ hasText: 'Starting' }).nth(1).waitFor({ state: 'detached' });
    expect(await focus(operator)).toBe('/instances/paused');
    expect(mistakes).toEqual([]);
  });

  test('works by keyboard alone, and speaks Czech when asked to', async () => {
    await everyState();
    const page = await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    // The change of the test before has ended when what is paused can be resumed.
    for (const action of ACTIONS) await page.locator(`[data-action="${action}"]`).first().waitFor();
    const reached = new Set<string>();
    for (let count = 0; count < 30; count += 1) {
      await page.keyboard.press('Tab');
      reached.add(String(await page.evaluate('document.activeElement.dataset.action ?? ""')));
    }
    for (const action of ACTIONS) expect([...reached]).toContain(action);
    await page.goto(`${running.origin}/instances/runs`);
    await page.locator('[data-action="pause"]').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Čeština' }).click();
    await page.getByRole('button', { name: 'Pozastavit' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('cs');
    expect(page.url()).toBe(`${running.origin}/instances/runs`);
    expect(mistakes).toEqual([]);
  });
});
