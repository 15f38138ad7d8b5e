import type { Page } from 'playwright-core';

/** Name and tokens in the form of the console, which then offers the spaces that each token opens. */
export async function giveTokens(
  page: Page,
  origin: string,
  given: { readonly name: string; readonly source: string; readonly project: string },
): Promise<void> {
  await page.goto(`${origin}/new`);
  await page.getByLabel('Name of the instance').fill(given.name);
  await page.getByLabel('Token that reads the raw data').fill(given.source);
  await page.getByLabel('Token that reads and writes your work').click();
  await page.getByLabel('Space with the raw data').waitFor();
  await page.getByLabel('Token that reads and writes your work').fill(given.project);
  await page.keyboard.press('Tab');
  await page.getByLabel('Space that keeps your work').waitFor();
}
