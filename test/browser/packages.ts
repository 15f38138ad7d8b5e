import { ensurePackages } from '../../local/apt.ts';
import { XVNC_PACKAGES } from './xvnc.ts';

/** What the browser tests start. Where it cannot be installed (not Debian, not root) they skip and say what is missing. */
export async function setup(): Promise<void> {
  const packages = ['chromium', 'python3-tk', ...XVNC_PACKAGES];
  try {
    await ensurePackages(packages, () => {});
  } catch (error) {
    console.log(`The packages of the browser tests could not be installed: ${(error as Error).message}`);
  }
}
