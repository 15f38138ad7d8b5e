import { describe, expect, test } from 'vitest';
import { deployerOf, secretsFor } from '../../local/cli/instance.ts';
import { readInstance } from '../../local/cli/machine.ts';
import { hasPulumiCli } from '../../local/deploy/pulumi-cli.ts';
import { importMicrographs, syncStatus } from './desktop.ts';
import { spaceTree } from './spaces.ts';
import { eventually, kubeNamespaces, local, NAMESPACE, standIn, target } from './world.ts';

const isHere = await hasPulumiCli();
if (!isHere)
  console.log('Skipped: the same life through the Pulumi CLI, since there is no `pulumi` on PATH.');

describe.skipIf(!isHere)('through the Pulumi CLI', () => {
  test('an instance is created and brings the project back', async () => {
    const created = await local(['up', '--engine', 'pulumi']);
    expect(created.output).toContain('Scipion is running.');
    await eventually('the desktop', 120, async () => ((await syncStatus()).ready ? true : undefined));
  });

  test('a second up changes nothing', async () => {
    expect((await local(['up', '--engine', 'pulumi'])).exitCode).toBe(0);
    expect((await syncStatus()).ready).toBe(true);
  });

  test('a preview of the running instance plans no change', async () => {
    const record = await readInstance();
    if (!record) throw new Error('The instance left no record.');
    const lines: string[] = [];
    const secrets = secretsFor(await (await standIn()).credentials());
    await deployerOf(record, await target(), secrets).preview((line) => void lines.push(line));
    expect(lines.join('\n')).toMatch(/\d+ unchanged/);
    expect(lines.join('\n')).not.toMatch(/to (create|update|replace|delete)/);
  });

  test('a removal saves the last work first', async () => {
    expect(await importMicrographs('by-cli', 'import')).toMatchObject({ status: 'finished' });
    const removed = await local(['remove']);
    expect(removed.output).not.toContain('FAILED');
    expect(await kubeNamespaces()).not.toContain(NAMESPACE);
    expect([...(await spaceTree('project')).keys()]).toContain('by-cli/project.sqlite');
  });
});
