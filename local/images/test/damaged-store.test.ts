import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withSoundStore } from '../buildah.ts';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'image-store-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

// As buildah 1.28 said it of a store in which one file of a layer had been written to.
const DAMAGED = new Error(
  'Command failed with exit code 125: Error: pushing image: reading blob sha256:a286: file integrity checksum failed for "opt/x"',
);

function store(): string {
  const at = join(cache, 'scipion-instances/images/store/overlay');
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'layer'), 'of another content');
  return at;
}

test('a damaged store of images is told, removed, and everything is built once more', async () => {
  const at = store();
  const said: string[] = [];
  const seen: boolean[] = [];
  const build = async () => {
    seen.push(existsSync(at));
    if (seen.length === 1) throw DAMAGED;
    return 'built';
  };
  expect(await withSoundStore(build, (line) => said.push(line))).toBe('built');
  expect(seen).toEqual([true, false]);
  expect(said.join()).toContain('damaged');
});

test('another failure leaves it, and a second one of the same kind is no reason for a third try', async () => {
  const at = store();
  const failing = async () => {
    throw new Error('no network');
  };
  await expect(withSoundStore(failing, () => undefined)).rejects.toThrow('no network');
  expect(existsSync(at)).toBe(true);
  let tries = 0;
  const always = async () => {
    tries += 1;
    throw DAMAGED;
  };
  await expect(withSoundStore(always, () => undefined)).rejects.toThrow('integrity');
  expect(tries).toBe(2);
});
