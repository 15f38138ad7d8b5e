import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'vitest';
import { MemorySpace } from '../../sidecar/test/spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG } from '../../sidecar/test/sync/given-container.ts';
import { desktops, missing, ofTheBrowser } from './fixture.ts';

/** Two seconds and one are wanted; a busy machine gets more. */
const UNSAVED_MS = 5_000;

describe.skipIf(missing)('the page with the real engine behind it', ofTheBrowser, () => {
  const open = desktops();
  const containers = new Containers();
  const folders: string[] = [];
  afterEach(async () => {
    await containers.stopAll();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  test('says that a file of a project is not saved at once, and that it is when it is', async () => {
    const { page, gateway, sync } = await open();
    await sync.stop();
    const root = mkdtempSync(join(tmpdir(), 'page-saved-'));
    folders.push(root);
    const paths = { ...(await containerPaths(root)), syncSocket: gateway.syncSocket };
    const [source, project] = [new MemorySpace({}), new MemorySpace({})];
    const spaces = { source: () => source, project: () => project };
    await containers.start({ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 1_000, tokenWaitMs: 0 });
    const state = page.locator('#save-state');
    await state.getByText('Nothing to save yet').waitFor();
    await page.waitForTimeout(1000);

    let began = performance.now();
    writeFileSync(join(paths.projectVolume, 'data', 'work'), 'of a user');
    await state.getByText('Not saved yet').waitFor({ timeout: UNSAVED_MS });
    console.log(`"not saved" after ${Math.round(performance.now() - began)} ms`);
    await page.getByRole('button', { name: 'Save now' }).click();
    began = performance.now();
    await state.getByText('All saved').waitFor({ timeout: UNSAVED_MS });
    console.log(`"saved" after ${Math.round(performance.now() - began)} ms`);
    writeFileSync(join(paths.projectVolume, 'data', 'more'), 'of a user');
    await state.getByText('Unsaved changes').waitFor({ timeout: UNSAVED_MS });
  });
});
