import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../components/names.ts';
import { ROOT, STACK, STACK_STATE, STATE } from '../../local/cli/machine.ts';
import { kubectl } from '../../local/cli/target.ts';
import { syncStatus } from './desktop.ts';
import { eventually, inContainer, kube, kubeNamespaces, local, NAMESPACE, POD, target } from './world.ts';

/** The life of a stack on the real engine: what a second run, a change, an interruption and a lost state do. */

/** `npm run pulumi -- ARGS --stack demo`, as a user types it. */
async function pulumi(args: readonly string[]) {
  const result = await execa('npm', ['run', '--silent', 'pulumi', '--', ...args, '--stack', STACK], {
    cwd: ROOT,
    env: { SCIPION_LOCAL_STATE: STATE },
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  return { exitCode: result.exitCode, output: String(result.all) };
}

/** SIGKILL for the engine of this run, which the command line started, and for its plugins, which would look for it for minutes. */
async function killEngine(): Promise<void> {
  const engines = await processes('-f', `pulumi up .*--stack ${STACK}( |$)`);
  const plugins = await Promise.all(engines.map((pid) => processes('-P', String(pid))));
  for (const pid of [...engines, ...plugins.flat()]) process.kill(pid, 'SIGKILL');
}

async function processes(...search: readonly string[]): Promise<number[]> {
  const { stdout } = await execa('pgrep', search, { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

const UP = ['up', '--yes', '--skip-preview', '--suppress-outputs'];
const podIdentity = () => kube(['get', 'pod', POD, '--output', 'jsonpath={.metadata.uid}']);
const isOpen = () =>
  eventually('the desktop', 180, async () => ((await syncStatus()).ready ? true : undefined));

beforeAll(async () => {
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
});
afterAll(async () => {
  await local(['remove']);
});

describe('a running instance', () => {
  test('is not changed by a second up, and a preview and a refresh find nothing', async () => {
    const pod = await podIdentity();
    expect(await local(['up'])).toMatchObject({ exitCode: 0 });
    expect((await pulumi(['preview', '--expect-no-changes'])).output).toMatch(/\d+ unchanged/);
    const refresh = await pulumi(['refresh', '--yes', '--skip-preview', '--expect-no-changes']);
    expect(refresh).toMatchObject({ exitCode: 0 });
    expect(await podIdentity()).toBe(pod);
  });

  test('takes another version, CPUs and memory at once, and its pod goes on until it is restarted', async () => {
    const pod = await podIdentity();
    const began = Date.now();
    const changes = ['version=3.7.1', 'cpuLimit=3', 'memory=6Gi'].flatMap((pair) => [
      '--config',
      `scipion:${pair}`,
    ]);
    expect(await pulumi([...UP, ...changes])).toMatchObject({ exitCode: 0 });
    // The claims are bound: a provider that waits for them would do so for five minutes, then fail.
    expect(Date.now() - began).toBeLessThan(200_000);
    const set = await kube(['get', 'statefulset', 'scipion', '--output', 'jsonpath={..image}']);
    expect(set).toContain('desktop:3.7.1');
    expect(await podIdentity()).toBe(pod);
    expect(await local(['up'])).toMatchObject({ exitCode: 0 });
    expect(await podIdentity()).toBe(pod);
  });

  test('is not removed without its program, and nothing is touched', async () => {
    const refused = await pulumi(['destroy', '--yes', '--skip-preview']);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain('--run-program');
    expect((await syncStatus()).ready).toBe(true);
  });
});

test('an engine that is killed in the middle leaves a lock that one command opens, and the next up goes on', async () => {
  expect(await local(['remove'])).toMatchObject({ exitCode: 0 });
  const up = local(['up']);
  await eventually('the claims of the new instance', 300, async () =>
    (await kube(['get', 'persistentvolumeclaims', '--output', 'name'])).includes('scipion-project')
      ? true
      : undefined,
  );
  await killEngine();
  expect((await up).exitCode).not.toBe(0);
  const locked = await local(['up']);
  expect(locked.output).toContain(`npm run pulumi -- cancel --yes --stack ${STACK}`);
  expect(await pulumi(['cancel', '--yes'])).toMatchObject({ exitCode: 0 });
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
});

test('an instance whose state is lost is drained by hand and comes back with its work', async () => {
  await inContainer('desktop', ['sh', '-c', 'echo kept > /mnt/vol-project/kept.txt']);
  await rm(join(STACK_STATE, '.pulumi'), { recursive: true });
  await inContainer('sync', [COMMANDS.sync, 'drain']);
  await kubectl(await target(), ['delete', 'namespace', NAMESPACE, '--timeout=300s']);
  expect(await kubeNamespaces()).not.toContain(NAMESPACE);
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
  expect(await inContainer('desktop', ['cat', '/mnt/vol-project/kept.txt'])).toBe('kept\n');
});
