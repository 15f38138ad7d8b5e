import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { JobView } from '../../sidecar/contract/job-view.ts';
import { type FakeBroker, JOB, startFakeBroker } from '../../sidecar/test/gateway/helpers/fake-broker.ts';
import { axeFindings } from '../helpers/browser.ts';
import { type Desktop, desktops, missing, type OpenOptions, ofTheBrowser } from './fixture.ts';

/** The jobs on the page. */

const HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script> \u202e {{instance}}';
/** Days stay the same however long a test takes. */
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

const WAITING: JobView = {
  ...JOB,
  id: '200000000000000',
  name: HOSTILE,
  state: 'pending',
  why: 'no-room',
  detail: '0/1 nodes are available: 1 Insufficient cpu.',
  reason: 'No node has room for it yet: 0/1 nodes are available: 1 Insufficient cpu.',
  submittedAt: daysAgo(3),
  startedAt: null,
  node: null,
};
const RUNNING: JobView = { ...JOB, id: '300000000000000', name: '14-2', startedAt: daysAgo(4) };
const ENDED: JobView = {
  ...JOB,
  id: '400000000000000',
  name: '9',
  state: 'ended',
  exitCode: 3,
  why: 'failed',
  detail: '3',
  reason: 'Its command ended with code 3.',
  endedAt: daysAgo(5),
  output: '/mnt/vol-project/demo/run.out',
  errors: '/mnt/vol-project/demo/run.err',
  used: { cpuSeconds: 7200, maxMemoryBytes: 2e9 },
};

const focused = (page: Page) => page.evaluate('document.activeElement.textContent') as Promise<string>;

describe.skipIf(missing)('the jobs on the page', ofTheBrowser, () => {
  const openPage = desktops();

  async function open(options: OpenOptions = {}): Promise<Desktop & { broker: FakeBroker }> {
    const desktop = await openPage({ ...options, config: { hasJobs: true } });
    const broker = await startFakeBroker(desktop.gateway.jobsSocket);
    broker.jobs = [WAITING, RUNNING, ENDED];
    return { ...desktop, broker };
  }
  const row = (page: Page, name: string) => page.locator('#jobs-list > li', { hasText: name });

  test('say what waits and why, what runs, how it ended, and the end of its log', async () => {
    const desktop = await open();
    const { page, broker, gateway } = desktop;
    try {
      mkdirSync(join(gateway.projectDirectory, 'demo'));
      writeFileSync(join(gateway.projectDirectory, 'demo/run.err'), `${'x\n'.repeat(9000)}${HOSTILE}\n`);
      await page.locator('#jobs-badge', { hasText: '2' }).waitFor();
      await page.locator('#jobs-toggle').click();
      await page.getByText('1 job runs, 1 waits.').waitFor();
      await page.getByText(/Waits for 3 days\. No node has room for it yet: 0\/1 nodes/).waitFor();
      await page.getByText('Runs for 4 days on node-1.').waitFor();
      await page
        .getByText(/Ended 5 days ago\. Its command ended with code 3\. It took 2 hours of CPU, and 2\.0 GB/)
        .waitFor();
      expect(await row(page, 'Runs for').locator('.hint').first().textContent()).toBe(
        'small · 2 CPUs, 4.3 GB',
      );
      expect(await page.locator('#jobs-list strong').first().textContent()).toBe('14-2');
      // What others wrote is text, to the letter.
      expect(await page.locator('#jobs-list strong').nth(1).textContent()).toBe(HOSTILE);
      expect(await page.locator('#jobs-list :is(img, script)').count()).toBe(0);
      await row(page, 'Ended')
        .getByRole('button', { name: /last lines/ })
        .click();
      await page.locator('.job-log pre').waitFor();
      const log = (await page.locator('.job-log pre').textContent()) ?? '';
      expect(log.endsWith(`${HOSTILE}\n`)).toBe(true);
      expect(log.length).toBeLessThan(1000);
      expect(await axeFindings(page)).toEqual([]);
      expect(desktop.mistakes).toEqual([]);
    } finally {
      await broker.stop();
    }
  });

  test('are cancelled by the keyboard, after a question whose first answer is no', async () => {
    const { page, broker } = await open({ context: { locale: 'cs-CZ' } });
    try {
      await page.locator('#jobs-toggle').focus();
      await page.keyboard.press('Enter');
      const cancel = page.getByRole('button', { name: 'Zrušit úlohu 14-2' });
      await cancel.focus();
      await page.keyboard.press('Enter');
      expect(await focused(page)).toBe('Nechat běžet');
      expect(await axeFindings(page)).toEqual([]);
      await page.keyboard.press('Enter');
      expect(broker.cancelled).toEqual([]);
      expect(await focused(page)).toBe('Zrušit');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Shift+Tab');
      // Looks meanwhile take the focus from nobody.
      const looks = broker.asked.length;
      await expect.poll(() => broker.asked.length, { timeout: 20_000 }).toBeGreaterThan(looks + 4);
      expect(await focused(page)).toBe('Zrušit úlohu');
      await page.keyboard.press('Enter');
      await expect.poll(() => broker.cancelled).toEqual([{ id: RUNNING.id, by: 'page' }]);
      await row(page, '14-2').getByText('Ruší se.').waitFor();
    } finally {
      await broker.stop();
    }
  });

  test('fit on a phone, in the dark', async () => {
    const context = {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
      colorScheme: 'dark' as const,
    };
    const { page, broker } = await open({ context });
    try {
      await page.locator('#jobs-toggle').click();
      await row(page, 'Ended').waitFor();
      const box = await page.locator('#jobs').boundingBox();
      expect((box?.x ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 999) <= 390).toBe(true);
      const isWide =
        'document.getElementById("jobs").scrollWidth > document.getElementById("jobs").clientWidth';
      expect(await page.evaluate(isWide)).toBe(false);
      expect(await axeFindings(page)).toEqual([]);
    } finally {
      await broker.stop();
    }
  });

  test('are said to be unknown while nobody answers for them', async () => {
    const { page, broker } = await open();
    await page.locator('#jobs-toggle').click();
    await row(page, '14-2').waitFor();
    await broker.stop();
    await page.locator('#jobs-state', { hasText: 'not known at the moment' }).waitFor();
    await page.locator('#jobs-hint', { hasText: 'does not answer' }).waitFor();
  });

  test('are not there where the instance has none', async () => {
    const { page, gateway } = await openPage();
    const broker = await startFakeBroker(gateway.jobsSocket);
    try {
      await page.waitForTimeout(4000);
      expect(await page.locator('#jobs-toggle').isVisible()).toBe(false);
      expect(broker.asked).toEqual([]);
    } finally {
      await broker.stop();
    }
  });
});
