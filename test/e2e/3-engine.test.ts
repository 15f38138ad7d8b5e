import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS, NAMES } from '../../components/names.ts';
import { STACK, STACK_STATE } from '../../local/cli/machine.ts';
import { kubectl } from '../../local/cli/target.ts';
import { verifyPassword } from '../../sidecar/contract/password-hash.ts';
import { GATEWAY_SECRET_KEYS } from '../../sidecar/contract/paths.ts';
import { syncStatus } from './desktop.ts';
import { leaks } from './secrets.ts';
import {
  eventually,
  inContainer,
  kube,
  kubeNamespaces,
  local,
  NAMESPACE,
  npm,
  POD,
  pulumi,
  target,
} from './world.ts';

/** The life of a stack on the real engine: what a second run, a change, an interruption and a lost state do. */

/** SIGKILL for the engine of this run, which the command line started. Its plugins end with it. */
async function killEngine(): Promise<void> {
  for (const pid of await processes('-f', `pulumi up .*--stack ${STACK}( |$)`)) process.kill(pid, 'SIGKILL');
}

async function processes(...search: readonly string[]): Promise<number[]> {
  const { stdout } = await execa('pgrep', search, { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

const UP = ['up', '--yes', '--skip-preview', '--suppress-outputs'];
const podIdentity = () => kube(['get', 'pod', POD, '--output', 'jsonpath={.metadata.uid}']);
const isOpen = () =>
  eventually('the desktop', 180, async () => ((await syncStatus()).ready ? true : undefined));

/** Kind, name and uid of all that makes the instance: another uid is another object. */
const identities = async () => {
  const kinds =
    'namespace,statefulset,pod,persistentvolumeclaim,service,ingress,networkpolicy,secret,configmap';
  const line = '{range .items[*]}{.kind} {.metadata.name} {.metadata.uid}{"\\n"}{end}';
  const inside = await kube(['get', kinds.replace('namespace,', ''), '--output', `jsonpath=${line}`]);
  const around = await kube(['get', 'namespace', NAMESPACE, '--output', 'jsonpath={.metadata.uid}']);
  return [around, ...inside.split('\n')].filter((text) => !text.includes('kube-root-ca.crt'));
};

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

  test('shows what somebody changed by hand when refreshed, and the next up mends it', async () => {
    const service = ['service', 'scipion'];
    const port = [
      'get',
      ...service,
      '--output',
      'jsonpath={.metadata.labels.app\\.kubernetes\\.io/component}',
    ];
    const made = await kube(port);
    await kube(['label', '--overwrite', ...service, 'app.kubernetes.io/component=by-hand']);
    const drift = await pulumi(['refresh', '--preview-only', '--diff', '--expect-no-changes']);
    expect(drift.exitCode).not.toBe(0);
    expect(drift.output).toContain('by-hand');
    expect(await pulumi(['refresh', '--yes', '--skip-preview'])).toMatchObject({ exitCode: 0 });
    expect(await pulumi(UP)).toMatchObject({ exitCode: 0 });
    expect(await kube(port)).toBe(made);
    expect(await pulumi(['preview', '--expect-no-changes'])).toMatchObject({ exitCode: 0 });
  });

  test('is not removed without its program, and nothing is touched', async () => {
    const refused = await pulumi(['destroy', '--yes', '--skip-preview']);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain('--run-program');
    expect((await syncStatus()).ready).toBe(true);
  });

  test('grows its volume in place where the storage class can, and is told so where it cannot', async () => {
    const claim = ['get', 'persistentvolumeclaim', 'scipion-project', '--output'];
    const uid = await kube([...claim, 'jsonpath={.metadata.uid}']);
    const storageClass = await kube([...claim, 'jsonpath={.spec.storageClassName}']);
    const grow = [...UP, '--config', 'scipion:projectVolumeSize=6Gi'];
    const refused = await pulumi(grow);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain('must support resize');
    expect(await local(['up'])).toMatchObject({ exitCode: 0 });
    const able = ['patch', 'storageclass', storageClass, '--patch', '{"allowVolumeExpansion":true}'];
    await kubectl(await target(), able);
    expect(await pulumi(grow)).toMatchObject({ exitCode: 0 });
    expect(await kube([...claim, 'jsonpath={.metadata.uid} {.spec.resources.requests.storage}'])).toBe(
      `${uid} 6Gi`,
    );
  });
});

test('a Ctrl-C in the middle ends the run, and the same command goes on, with nothing made twice', async () => {
  expect(await local(['remove'])).toMatchObject({ exitCode: 0 });
  const controller = new AbortController();
  // No controller has this class, so no address comes and the engine is in the middle until it is stopped.
  const waiting = ['--config', 'scipion:waitForIngress=true', 'scipion:ingressClass=nobody'];
  const up = local(['up', ...waiting], {}, controller.signal);
  await eventually('the Ingress that is waited for', 300, async () =>
    (await kube(['get', 'ingress', '--output', 'name'])).includes('scipion') ? true : undefined,
  );
  controller.abort();
  const stopped = await up;
  expect(stopped.output).toContain(
    'was stopped after what was under way. The same command continues from there.',
  );
  expect(stopped.exitCode).not.toBe(0);
  const before = await identities();
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
  expect(await identities()).toEqual(expect.arrayContaining(before));
  expect(await pulumi(['preview', '--expect-no-changes'])).toMatchObject({ exitCode: 0 });
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

const write = (name: string) => inContainer('desktop', ['sh', '-c', `echo kept > /mnt/vol-project/${name}`]);
const read = (name: string) => inContainer('desktop', ['cat', `/mnt/vol-project/${name}`]);

/** Hash of the password and key of the logins. */
const gatewayCredentials = async () =>
  JSON.parse(await kube(['get', 'secret', NAMES.gatewaySecret, '--output', 'jsonpath={.data}'])) as Readonly<
    Record<string, string>
  >;

describe('an instance whose state is lost', () => {
  test('is refused to a new state before anything is touched, and taken over as it is', async () => {
    await write('unsaved.txt');
    const before = await identities();
    const known = await local(['password']);
    expect(known).toMatchObject({ exitCode: 0 });
    const password = known.output.trim();
    const credentials = await gatewayCredentials();
    await rm(join(STACK_STATE, '.pulumi'), { recursive: true });
    const refused = await local(['up']);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain(`npm run take-over -- --stack ${STACK}`);
    const removal = await pulumi(['destroy', '--run-program', '--yes', '--skip-preview']);
    expect(removal.exitCode).not.toBe(0);
    expect(await identities()).toEqual(before);

    const taken = await npm('take-over', ['--stack', STACK]);
    expect(taken.output).toMatch(/knows the \d+ objects of its instance again; none was changed/);
    expect(taken.exitCode).toBe(0);
    const again = await npm('take-over', ['--stack', STACK]);
    expect(again.output).toContain('The state knows');
    expect(await local(['up'])).toMatchObject({ exitCode: 0 });
    expect(await identities()).toEqual(before);
    expect(await pulumi(['preview', '--expect-no-changes'])).toMatchObject({ exitCode: 0 });
    expect(await read('unsaved.txt')).toBe('kept\n');
    expect(await gatewayCredentials()).toEqual(credentials);
    const hash = Buffer.from(credentials[GATEWAY_SECRET_KEYS.passwordHash] ?? '', 'base64').toString();
    expect(await verifyPassword(password, hash)).toBe(true);
    expect((await local(['password'])).output).toContain('which only its user knows');
    expect(await leaks(password)).toEqual([]);
  });

  test('can be drained by hand as well, and comes back with its work', async () => {
    await write('kept.txt');
    await rm(join(STACK_STATE, '.pulumi'), { recursive: true });
    await inContainer('sync', [COMMANDS.sync, 'drain']);
    await kubectl(await target(), ['delete', 'namespace', NAMESPACE, '--timeout=300s']);
    expect(await kubeNamespaces()).not.toContain(NAMESPACE);
    expect(await local(['up'])).toMatchObject({ exitCode: 0 });
    await isOpen();
    expect(await read('kept.txt')).toBe('kept\n');
    expect(await read('unsaved.txt')).toBe('kept\n');
  });
});
