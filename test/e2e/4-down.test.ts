import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS, NAMES } from '../../components/names.ts';
import { CLUSTER_STATE, STACK_STATE } from '../../local/cli/machine.ts';
import { kubectl } from '../../local/cli/target.ts';
import { findLeftovers } from '../../local/cluster/index.ts';
import { consoleAddress } from '../../local/console/running.ts';
import { syncStatusSchema } from '../../sidecar/contract/status.ts';
import { cluster, emulator, eventually, local, npm, target } from './world.ts';

const OTHER = 'other';

test('down saves and removes what the console has made, too, before the cluster stops', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scipion-other-'));
  const onedata = await (await emulator()).credentials();
  const [source, project] = [join(folder, 'source'), join(folder, 'project')];
  await writeFile(source, onedata.sourceToken, { mode: 0o600 });
  await writeFile(project, onedata.projectToken, { mode: 0o600 });
  const spaces = ['--source-space', onedata.sourceSpaceId, '--project-space', onedata.projectSpaceId];
  const tokens = ['--source-token-file', source, '--project-token-file', project];
  // By the project of the console, as it does it.
  const made = await npm(
    'instance',
    ['new', OTHER, '--yes', '--project', STACK_STATE, ...spaces, ...tokens],
    { environment: { KUBECONFIG: (await cluster()).kubeconfigPath } },
  );
  expect(made).toMatchObject({ exitCode: 0 });
  await rm(folder, { recursive: true });
  const inside = ['exec', '--namespace', OTHER, NAMES.pod, '--container', 'sync', '--'];
  await eventually('the desktop', 180, async () => {
    const status = await kubectl(await target(), [...inside, COMMANDS.sync, 'status', '--json']);
    return syncStatusSchema.parse(JSON.parse(status)).ready ? true : undefined;
  });
  const down = await local(['down']);
  expect(down.output).toMatch(/done +Save the project of other and remove it[\s\S]*Stop the cluster/);
  expect(down.exitCode).toBe(0);
  expect(await readdir(STACK_STATE)).not.toContain(`Pulumi.${OTHER}.yaml`);
  expect(await consoleAddress()).toBe(undefined);
});

test('down ends everything and leaves no process, mount, network, rule or container', async () => {
  const down = await local(['down', '--purge']);
  expect(down.output).not.toContain('FAILED');
  expect(down.exitCode).toBe(0);
  expect(await findLeftovers(CLUSTER_STATE)).toEqual([]);
  expect((await local(['status'])).output).toContain('not running');
});
