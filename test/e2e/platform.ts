import { rm } from 'node:fs/promises';
import { ensurePackages } from '../../local/apt.ts';
import { ARTIFACTS, bringUpPlatform } from './world.ts';

/** Once for the whole run: the browser, the cluster, the images, the emulator. `4-down.test.ts` takes them down. */
export async function setup(): Promise<void> {
  await rm(ARTIFACTS, { recursive: true, force: true });
  await ensurePackages(['chromium'], () => {});
  await bringUpPlatform();
}
