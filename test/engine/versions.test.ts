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

/** Versions by module path; what a replacement says counts. */
function modulesOf(path: string): Map<string, string> {
  const text = read(path);
  const required = text.matchAll(/^\s*(?:require )?(\S+\.\S+) (v\S+)(?: \/\/ indirect)?$/gm);
  const modules = new Map([...required].map(([, name, version]) => [name as string, version as string]));
  for (const [, name, version] of text.matchAll(/^\s*(?:replace )?(\S+) => \S+ (v\S+)$/gm)) {
    if (modules.has(name as string)) modules.set(name as string, version as string);
  }
  return modules;
}

/** Of the provider's own time, because its schema fits no newer ones; and what it names and does not compile. */
const MAY_DIFFER = [/^github\.com\/pulumi\/pulumi\//, /^go\.etcd\.io\/etcd\//];

test('the programs that are built from Go modules share their packages: a start on a new machine waits for each', () => {
  const all = [
    'local/cluster/go/go.mod',
    'automation/engine/go/pulumi/go.mod',
    'automation/engine/go/kubernetes/go.mod',
  ].map(modulesOf);
  const names = [...new Set(all.flatMap((modules) => [...modules.keys()]))];
  const versionsOf = (name: string) => new Set(all.flatMap((modules) => modules.get(name) ?? []));
  const shared = names.filter((name) => all.filter((modules) => modules.has(name)).length > 1);
  expect(shared.length).toBeGreaterThan(150);
  const different = shared.filter((name) => versionsOf(name).size > 1);
  expect(different.filter((name) => !MAY_DIFFER.some((pattern) => pattern.test(name)))).toEqual([]);
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
