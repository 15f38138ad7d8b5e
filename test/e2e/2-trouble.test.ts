import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMES } from '../../components/names.ts';
import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import { EMULATOR } from '../../emulators/onedata/manifests.ts';
import { ONEDATA_SECRET_KEYS } from '../../sidecar/contract/paths.ts';
import type { ProblemCode } from '../../sidecar/contract/status.ts';
import { syncStatus } from './desktop.ts';
import { emulator, eventually, inContainer, kube, local, POD, scaleOnedata } from './world.ts';

/** What is wrong outside is said in words, deletes nothing, and work continues automatically when it is right again. */

const CREATE = ['up', '--config', 'scipion:autosaveInterval=10 seconds'];
/** The kubelet brings a changed Secret into the pod within about 90 s. */
const ROTATION_SECONDS = 150;

const problem = (code: ProblemCode, seconds = 60) =>
  eventually(`the problem ${code}`, seconds, async () =>
    (await syncStatus()).problems.find((found) => found.code === code),
  );

/** Changes a file of the project and waits until a save has taken it. */
async function saved(name: string, seconds = 60): Promise<void> {
  await inContainer('desktop', ['sh', '-c', `date > /mnt/vol-project/${name}`]);
  await eventually(`${name} in the space`, seconds, async () => {
    const tree = await (await emulator()).tree(INSTANCE_SPACES.project);
    return tree.some(({ path }) => path === name) ? true : undefined;
  });
}

test('all mistakes of a configuration are shown at once, each with its key and what is allowed', async () => {
  const wrong = [
    'scipion:namespace=default',
    'scipion:cpuGuaranteed=11',
    'scipion:memory=lots',
    'scipion:memry=1',
  ];
  const refused = await local(['up', '--config', ...wrong]);
  expect(refused.exitCode).not.toBe(0);
  for (const said of [
    'scipion:namespace',
    'scipion:cpuGuaranteed',
    'scipion:memory',
    'scipion:memry',
    'pulumi config set',
  ]) {
    expect(refused.output).toContain(said);
  }
  expect(refused.output).not.toMatch(/^\s+at /m);
});

test('an unknown space is said on the page, by status and in the events of the pod', async () => {
  expect((await local([...CREATE, 'scipion:sourceSpaceId=nosuchspace'])).exitCode).toBe(0);
  const { message } = await problem('space-unknown');
  expect(message).toContain('nosuchspace');
  expect((await local(['status'])).output).toContain(message.slice(0, 40));
  await eventually('an event with the problem', 60, async () => {
    const events = await kube(['get', 'events', '--output', 'jsonpath={.items[*].message}']);
    return events.includes('nosuchspace') ? true : undefined;
  });
  expect((await local(['remove'])).exitCode).toBe(0);
});

describe('a running instance', () => {
  beforeAll(async () => {
    expect((await local(CREATE)).exitCode).toBe(0);
    await eventually('the desktop', 120, async () => ((await syncStatus()).ready ? true : undefined));
  });

  afterAll(async () => {
    expect((await local(['remove'])).exitCode).toBe(0);
  });

  test('says that Onedata cannot be reached, and saves by itself once it can', async () => {
    await saved('before.txt');
    await scaleOnedata(0);
    await inContainer('desktop', ['sh', '-c', 'date > /mnt/vol-project/meanwhile.txt']);
    const { message } = await problem('onedata-unreachable');
    expect(message).toContain(EMULATOR.providerHost);
    await scaleOnedata(1);
    await saved('after.txt', 120);
    expect((await syncStatus()).problems).toEqual([]);
  });

  test('says that its token is not valid, and goes on with a new one without a restart', async () => {
    const onedata = await emulator();
    const { projectToken } = await onedata.credentials();
    await setProjectToken('not-a-token');
    await eventually('the token in the pod', ROTATION_SECONDS, async () => {
      await inContainer('desktop', ['sh', '-c', 'date > /mnt/vol-project/refused.txt']);
      return (await syncStatus()).problems.find(({ code }) => code === 'token-invalid');
    });
    await setProjectToken(projectToken);
    await saved('renewed.txt', ROTATION_SECONDS);
    const restarts = await kube(['get', 'pod', POD, '--output', 'jsonpath={..restartCount}']);
    expect(new Set(restarts.split(' '))).toEqual(new Set(['0']));
  });
});

async function setProjectToken(token: string): Promise<void> {
  const patch = { stringData: { [ONEDATA_SECRET_KEYS.projectToken]: token } };
  await kube(['patch', 'secret', NAMES.onedataSecret, '--patch', JSON.stringify(patch)]);
}
