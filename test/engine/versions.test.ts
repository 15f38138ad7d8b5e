import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isSupported, VERSIONS } from '../../automation/engine/versions.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

test('the versions that belong together are the ones that are installed and built', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  expect(VERSIONS.sdk).toBe(dependencies['@pulumi/pulumi']);
  for (const [name, version] of Object.entries(VERSIONS.plugins)) {
    expect(version, name).toBe(dependencies[`@pulumi/${name}`]);
  }
  const modules = read('automation/engine/go/pulumi/go.mod');
  expect(/pulumi\/pkg\/v3 v(\S+)/.exec(modules)?.[1]).toBe(VERSIONS.engine);
  expect(/pulumi\/sdk\/v3 v(\S+)/.exec(modules)?.[1]).toBe(VERSIONS.engine);
});

test.each([
  [VERSIONS.engine, true],
  [`v${VERSIONS.oldestEngine}`, true],
  ['v3.259.1-alpha.1', true],
  ['3.258.9', false],
  ['4.0.0', false],
  ['what is this', false],
])('an engine %s on PATH: %s', (version, isTaken) => {
  expect(isSupported(version)).toBe(isTaken);
});
