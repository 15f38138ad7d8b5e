import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { axeFindings, screenshot } from '../helpers/browser.ts';
import { desktops, missing, ofTheBrowser } from './fixture.ts';
import { startXvnc } from './xvnc.ts';

const SHOTS = process.env.SCREENSHOTS;

/** Whether the picture has more than one colour. */
const hasPicture = (page: Page) =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('#desktop canvas');
    if (!canvas || canvas.width === 0) return false;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(data.buffer);
    return pixels.some((pixel) => pixel !== pixels[0]);
  })()`) as Promise<boolean>;

describe.skipIf(missing)('a link to look at the desktop', ofTheBrowser, () => {
  const open = desktops();

  test('shows it, takes no key, mouse or clipboard, and ends when its maker says so', async () => {
    const desktop = await open();
    const { page, vnc, received, startReceiver } = desktop;
    await startReceiver();
    await page.keyboard.type('mine');
    await expect.poll(received).toBe('mine');

    await page.locator('#share-toggle').click();
    await page.locator('#share-make').click();
    const link = page.locator('#share-link');
    await link.waitFor();
    const address = await link.inputValue();
    expect(address).toMatch(new RegExp(`^${desktop.gateway.origin}/watch#[\\w-]{32}$`));
    await page.locator('#shares li').waitFor();

    const context = await desktop.newContext({ locale: 'cs-CZ', viewport: { width: 900, height: 700 } });
    const guest = await context.newPage();
    const mistakes: string[] = [];
    guest.on('pageerror', (error) => mistakes.push(error.message));
    guest.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) mistakes.push(message.text());
    });
    await guest.goto(address);
    await guest.locator('body[data-desktop="connected"]').waitFor();
    await expect.poll(() => hasPicture(guest)).toBe(true);
    await guest.getByText('Jen se díváte').waitFor();
    await guest.getByText('Odkaz skončí za: 1 hodina').waitFor();
    await page.locator('#watched').filter({ hasText: '1 looking by a link' }).waitFor();
    await page.locator('#share').waitFor();
    await screenshot(page, SHOTS, 'share-panel');
    await screenshot(guest, SHOTS, 'share-watched');
    const found = [...(await axeFindings(page)), ...(await axeFindings(guest))];

    await guest.mouse.click(300, 300);
    await guest.keyboard.type('theirs');
    await guest.keyboard.press('Control+v');
    vnc.setClipboard('a secret of the desktop');
    await page.locator('#share-close').click();
    await page.mouse.click(300, 300);
    await page.keyboard.type(' again');
    await expect.poll(received).toBe('mine again');
    await sleep(500);
    expect(await received()).toBe('mine again');
    // The picture follows what is typed by its owner; the size is not the guest's.
    expect(vnc.size().width).not.toBe(900);

    await page.locator('#share-toggle').click();
    await page.locator('#shares li button').click();
    await guest.getByRole('heading', { name: 'Tento odkaz skončil' }).waitFor();
    expect(await guest.locator('canvas').count()).toBe(0);
    await screenshot(guest, SHOTS, 'share-ended');
    found.push(...(await axeFindings(guest)));
    await guest.reload();
    await guest.getByRole('heading', { name: 'Tento odkaz skončil' }).waitFor();
    await page.locator('#watched').waitFor({ state: 'hidden' });
    expect(found).toEqual([]);
    expect([...mistakes, ...desktop.mistakes]).toEqual([]);
  });

  test('comes back when the desktop does', async () => {
    const desktop = await open();
    const { page } = desktop;
    await page.locator('#share-toggle').click();
    await page.locator('#share-life').selectOption('');
    await page.locator('#share-make').click();
    const link = page.locator('#share-link');
    await link.waitFor();
    const guest = await (await desktop.newContext()).newPage();
    await guest.goto(await link.inputValue());
    await guest.locator('body[data-desktop="connected"]').waitFor();
    await desktop.vnc.stop();
    await guest.getByText('This page keeps trying').waitFor();
    const again = await startXvnc(desktop.gateway.vncSocket);
    try {
      await guest.locator('body[data-desktop="connected"]').waitFor({ timeout: 30_000 });
    } finally {
      await again.stop();
    }
  });
});
