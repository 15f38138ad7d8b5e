import { describe, expect, test } from 'vitest';
import { READY_STATUS } from '../../sidecar/test/gateway/helpers/fake-sync.ts';
import { PASSWORD } from '../../sidecar/test/gateway/helpers/start-gateway.ts';
import { login } from '../helpers/browser.ts';
import { desktops, missing, ofTheBrowser } from './fixture.ts';

describe.skipIf(missing)('every page', ofTheBrowser, () => {
  const open = desktops();

  test('speaks the language of the browser, and the one that is chosen', async () => {
    const { page, sync, gateway } = await open({ context: { locale: 'cs-CZ' } });
    expect(await page.locator('html').getAttribute('lang')).toBe('cs');
    await page.getByRole('button', { name: 'Uložit' }).waitFor();
    sync.set({ save: { ...READY_STATUS.save, unsavedChanges: true } });
    await page.locator('#save-state').getByText('Zatím neuloženo').waitFor();
    await page.locator('#settings-toggle').click();
    await page.getByLabel('Jazyk').selectOption('en');
    await page.locator('#save-state').getByText('Not saved yet').waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await page.reload();
    await page.getByRole('button', { name: 'Save now' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).first().click();
    await page.getByText('You are logged out').waitFor();
    await page.getByRole('link', { name: 'Čeština' }).click();
    expect(await page.locator('html').getAttribute('lang')).toBe('cs');
    await page.getByRole('button', { name: 'Ukázat' }).click();
    await page.getByRole('button', { name: 'Skrýt' }).waitFor();
    await login(page, `${gateway.origin}/login`, PASSWORD);
    await page.getByRole('button', { name: 'Uložit' }).waitFor();
  });

  test('has a bar of one line in the language with the longer words, on a tablet and on any larger screen', async () => {
    const { page, sync } = await open({ context: { locale: 'cs-CZ' } });
    const project = {
      ...READY_STATUS.project,
      state: 'copying',
      filesDone: 12_000,
      filesTotal: 60_000,
    } as const;
    sync.set({ phase: 'saving', project });
    await page.locator('#save-state[data-kind="busy"]').waitFor();
    for (const width of [1480, 1366, 1320, 1319, 1280, 1100, 900, 768]) {
      await page.setViewportSize({ width, height: 800 });
      const bar = await page.locator('.bar').boundingBox();
      expect(bar?.height, `at ${width}`).toBeLessThan(48);
    }
  });
});
