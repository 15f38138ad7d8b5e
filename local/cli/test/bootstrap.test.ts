import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT } from '../machine.ts';

/** What comes before every `npm run …`, with an `npm` that only says that it was called. */

let place: string;
const modules = () => join(place, 'node_modules');
const own = { os: [process.platform], cpu: [process.arch], optional: true, version: '1.0.0', integrity: 'c' };
const PACKAGES = {
  'node_modules/a': { version: '1.0.0', integrity: 'a' },
  'node_modules/ours': own,
  'node_modules/of-another-machine': { ...own, os: ['plan9'] },
  sidecar: { version: '0.1.0' },
};
const { 'node_modules/of-another-machine': _other, ...HERE } = PACKAGES;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'bootstrap-'));
  mkdirSync(join(place, 'local'));
  mkdirSync(join(place, 'bin'));
  cpSync(join(ROOT, 'local', 'bootstrap.mjs'), join(place, 'local', 'bootstrap.mjs'));
  writeFileSync(join(place, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...PACKAGES } }));
  writeFileSync(join(place, 'bin', 'npm'), '#!/bin/sh\nmkdir -p node_modules && echo "npm $*" >&2\n');
  chmodSync(join(place, 'bin', 'npm'), 0o755);
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** As npm leaves it. */
function installed(packages: object = HERE): void {
  mkdirSync(join(modules(), 'node', 'bin'), { recursive: true });
  writeFileSync(join(modules(), 'node', 'bin', 'node'), '');
  writeFileSync(join(modules(), '.package-lock.json'), JSON.stringify({ packages }));
}

async function bootstrap(): Promise<'installs' | 'does nothing'> {
  const env = { PATH: `${join(place, 'bin')}:${process.env.PATH}` };
  const { stderr } = await execa(process.execPath, ['local/bootstrap.mjs'], { cwd: place, env });
  if (stderr !== '') expect(stderr).toContain('npm ci');
  return stderr === '' ? 'does nothing' : 'installs';
}

test('an empty checkout is installed, once', async () => {
  expect(await bootstrap()).toBe('installs');
  expect(await bootstrap()).toBe('does nothing');
});

test('what somebody installed by hand is not installed a second time', async () => {
  installed();
  expect(await bootstrap()).toBe('does nothing');
  expect(existsSync(join(modules(), '.installed-lock'))).toBe(true);
});

test('a changed lock file is installed', async () => {
  installed();
  await bootstrap();
  const changed = { ...PACKAGES, 'node_modules/a': { version: '1.0.1', integrity: 'b' } };
  writeFileSync(join(place, 'package-lock.json'), JSON.stringify({ packages: changed }));
  expect(await bootstrap()).toBe('installs');
});

test.each<[string, object]>([
  ['in another version', { ...HERE, 'node_modules/a': { version: '2.0.0', integrity: 'a' } }],
  ['with another content', { ...HERE, 'node_modules/a': { version: '1.0.0', integrity: 'b' } }],
  ['with a package less', { 'node_modules/ours': own }],
  ['without what is for this machine alone', { 'node_modules/a': HERE['node_modules/a'] }],
])('what was installed by hand %s is installed again', async (_what, packages) => {
  installed(packages);
  expect(await bootstrap()).toBe('installs');
});

test('an installation that was cut off, or left the scripts out, is done again', async () => {
  mkdirSync(modules());
  expect(await bootstrap()).toBe('installs');
  rmSync(modules(), { recursive: true });
  installed();
  rmSync(join(modules(), 'node'), { recursive: true });
  expect(await bootstrap()).toBe('installs');
});
