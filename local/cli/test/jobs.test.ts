import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { instanceConfig } from '../../../test/helpers/instance-config.ts';
import { classesFor, jobsOverrides } from '../jobs.ts';

const place = mkdtempSync(join(tmpdir(), 'local-jobs-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** A kubectl that knows of these endpoints. */
function target(addresses: string) {
  const kubectl = join(mkdtempSync(join(place, 'bin-')), 'kubectl');
  writeFileSync(kubectl, `#!/bin/sh\nprintf '%s' '${addresses}'\n`);
  chmodSync(kubectl, 0o755);
  return { kubectl, kubeconfig: '/nowhere' };
}

const withoutPrefix = (overrides: Record<string, string>) =>
  Object.fromEntries(Object.entries(overrides).map(([key, value]) => [key.replace('scipion:', ''), value]));

test('--jobs opens the way to the API server, wherever it is, and is a configuration that is taken', async () => {
  const overrides = await jobsOverrides(target('10.87.0.1 fd00::1'));
  expect(overrides).toMatchObject({
    'scipion:jobs': 'true',
    'scipion:apiServerNetworks': '["10.87.0.1/32","fd00::1/128"]',
  });
  expect(instanceConfig(withoutPrefix(overrides))).toMatchObject({
    jobs: true,
    apiServerNetworks: ['10.87.0.1/32', 'fd00::1/128'],
  });
});

test('--jobs on a cluster that does not say where its API server is ends with what to do', async () => {
  await expect(jobsOverrides(target(''))).rejects.toThrow(/default\/kubernetes.*scipion:apiServerNetworks/);
});

test.each([
  [1, 1],
  [2, 1],
  [4, 3],
  [64, 8],
])('of %i processors the largest class has %i', (processors, most) => {
  expect(classesFor(processors).map(({ cpus }) => cpus)).toEqual([1, most]);
});
