import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { CANARIES, kubernetesObjects, runInstance } from '../helpers/program.ts';

/** The whole demo stack as Kubernetes objects; `npm run golden` writes it anew, read its difference before you commit. */
const GOLDEN = fileURLToPath(new URL('golden/demo.yaml', import.meta.url));

test('the demo stack renders to the objects of golden/demo.yaml', async () => {
  const run = await runInstance({
    stack: 'demo',
    stackFile: true,
    secretConfig: { ...CANARIES, desktopPassword: 'canary password' },
  });
  expect(run.errors).toEqual([]);
  const objects = kubernetesObjects(run.registrations)
    .map(({ inputs }) => JSON.parse(JSON.stringify(inputs)) as { kind: string; metadata: { name: string } })
    .sort((a, b) => `${a.kind}/${a.metadata.name}`.localeCompare(`${b.kind}/${b.metadata.name}`));
  const text = objects
    .map((object) => stringify(object, { sortMapEntries: true, lineWidth: 0 }))
    .join('---\n');
  expect(text).not.toContain('canary');
  await expect(text).toMatchFileSnapshot(GOLDEN);
});
