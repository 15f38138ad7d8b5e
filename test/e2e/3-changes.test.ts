import { afterAll, beforeAll, expect, test } from 'vitest';
import { NAMES } from '../../components/names.ts';
import { apply, kubectl } from '../../local/cli/target.ts';
import { CONFIG_FILES, PORTS } from '../../sidecar/contract/paths.ts';
import { CHANGES, type Change } from '../../stacks/changes.ts';
import { nextSave, syncStatus } from './desktop.ts';
import { spaceTree } from './spaces.ts';
import { FOUND, type Key, PASSWORD, type Place, type Try, triesWith } from './tries.ts';
import { emulator, eventually, inContainer, kube, local, NAMESPACE, POD, pulumi, target } from './world.ts';

/**
 * "What can change later" of docs/config-reference.md on a running instance, all rows of a kind in one `up`. It leaves
 * the instance to the file after it, with the configuration that `npm run local` gives it.
 */

const WORK = 'tried.txt';
const work = `${new Date().toISOString()}\n`;

type Row = readonly [key: Key, given: Try];
let rows: readonly Row[];
const rowsOf = (kind: Change, isOnlyStored = false) =>
  rows.filter(([key, given]) => CHANGES[key] === kind && (given.isOnlyStored ?? false) === isOnlyStored);

async function up(changed: readonly Row[]): Promise<void> {
  const flags = changed.flatMap(([key, { value }]) => ['--config', `scipion:${key}=${value}`]);
  const { exitCode, output } = await pulumi([
    'up',
    '--yes',
    '--skip-preview',
    '--suppress-outputs',
    ...flags,
  ]);
  expect(exitCode, output).toBe(0);
}

const objectAs =
  (...what: readonly string[]) =>
  async () =>
    JSON.stringify(JSON.parse(await kube(['get', ...what, '--output', 'json'])));
const SHOWN: Readonly<Record<Exclude<Place, 'pod' | 'config'>, () => Promise<string>>> = {
  ingress: objectAs('ingress', NAMES.ingress),
  resourcequota: objectAs('resourcequota', NAMES.quota),
  networkpolicy: objectAs('networkpolicy'),
};
/** What the cluster has stored, which a pod may not have taken yet. */
const STORED: Readonly<Record<Place, () => Promise<string>>> = {
  ...SHOWN,
  pod: objectAs('statefulset', NAMES.statefulSet),
  config: async () => {
    const { data } = JSON.parse(await kube(['get', 'configmap', NAMES.configMap, '--output', 'json']));
    return JSON.stringify(Object.values(data as Record<string, string>).map((file) => JSON.parse(file)));
  },
};
/** What the pod that runs has. */
const USED: typeof STORED = {
  ...SHOWN,
  pod: objectAs('pod', POD),
  config: async () => {
    // Jobs are off here.
    const files = await Promise.all(
      (['sync', 'gateway'] as const).map((name) => inContainer(name, ['cat', CONFIG_FILES[name]])),
    );
    return JSON.stringify(files.map((file) => JSON.parse(file)));
  },
};

/** Keys whose change is seen. */
async function seen(changed: readonly Row[], shown: typeof STORED): Promise<Key[]> {
  const texts = await Promise.all(changed.map(([, given]) => shown[given.in]()));
  return changed.filter(([, { as }], index) => as.test(texts[index] ?? '')).map(([key]) => key);
}
const keysOf = (changed: readonly Row[]) => changed.map(([key]) => key);

const podIdentity = () => kube(['get', 'pod', POD, '--output', 'jsonpath={.metadata.uid} {..restartCount}']);
const isOpen = () =>
  eventually('the desktop', 180, async () => ((await syncStatus()).ready ? true : undefined));
const keepsWork = async () =>
  expect(await inContainer('desktop', ['cat', `/mnt/vol-project/${WORK}`])).toBe(work);

beforeAll(async () => {
  const api = await target();
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
  const { caPem } = await (await emulator()).credentials();
  rows = Object.entries(triesWith(caPem)).flatMap(([key, given]) =>
    'as' in given ? [[key as Key, given]] : [],
  );
  await apply(api, [
    {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: FOUND.priorityClass },
      value: 1,
    },
    {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: FOUND.runtimeClass },
      handler: 'runc',
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: FOUND.configMap, namespace: NAMESPACE },
      data: { a: 'b' },
    },
  ]);
  await kubectl(api, ['label', 'node', '--all', '--overwrite', `${FOUND.nodeLabel}=yes`]);
  const node = await kubectl(api, ['get', 'nodes', '--output', 'jsonpath={.items[0].metadata.name}']);
  const capacity = JSON.stringify({ status: { capacity: { [FOUND.resource]: '1' } } });
  await kubectl(api, ['patch', 'node', node, '--subresource=status', '--type=merge', '--patch', capacity]);
});

afterAll(async () => {
  await local(['up']);
  const api = await target();
  await kubectl(api, ['delete', 'priorityclass', FOUND.priorityClass, '--ignore-not-found']);
  await kubectl(api, ['delete', 'runtimeclass', FOUND.runtimeClass, '--ignore-not-found']);
});

test('what is in place is in place: around the pod, in its files and at the login, and no container starts again', async () => {
  const changed = rowsOf('in place');
  const before = await podIdentity();
  expect(await seen(changed, STORED)).toEqual([]);
  const set = await pulumi(['config', 'set', 'scipion:desktopPassword', '--secret'], PASSWORD);
  expect(set).toMatchObject({ exitCode: 0 });
  await up(changed);
  expect(await seen(changed, STORED)).toEqual(keysOf(changed));
  // The kubelet looks at the files of a pod at once when the pod itself changes, else within a minute and a half.
  await kube(['annotate', 'pod', POD, '--overwrite', 'example.org/tried=yes']);
  await eventually('the changes in the pod, and a login', 150, async () => {
    const isUsed = (await seen(changed, USED)).length === changed.length;
    return isUsed && (await answerTo(PASSWORD)) === 303 ? true : undefined;
  });
  await inContainer('desktop', ['tee', `/mnt/vol-project/${WORK}`], work);
  await nextSave(90);
  expect(await podIdentity()).toBe(before);
  expect((await syncStatus()).problems).toEqual([]);
});

test('what is for the next start waits for it, and the pod that is started next has all of it, and the work', async () => {
  const changed = rowsOf('at the next start');
  const before = await podIdentity();
  expect(await seen(changed, STORED)).toEqual([]);
  await up(changed);
  expect(await seen(changed, STORED)).toEqual(keysOf(changed));
  expect(
    await seen(
      changed.filter(([, given]) => given.in === 'pod'),
      USED,
    ),
  ).toEqual([]);
  expect(await podIdentity()).toBe(before);
  expect((await syncStatus()).ready).toBe(true);
  await restart();
  expect(await seen(changed, USED)).toEqual(keysOf(changed));
  await keepsWork();
});

test('what no pod of this cluster starts with is stored, and ends none', async () => {
  const changed = rowsOf('at the next start', true);
  const before = await podIdentity();
  await up(changed);
  expect(await seen(changed, STORED)).toEqual(keysOf(changed));
  expect(await seen(changed, USED)).toEqual([]);
  expect(await podIdentity()).toBe(before);
});

test('a pause ends the pod with its work saved, and the next up goes on with it', async () => {
  const unsaved = 'paused.txt';
  await inContainer('desktop', ['tee', `/mnt/vol-project/${unsaved}`], work);
  const paused = await pulumi(['up', '--yes', '--skip-preview', '--config', 'scipion:paused=true']);
  expect(paused.exitCode, paused.output).toBe(0);
  await eventually('the end of the pod', 120, async () =>
    (await kube(['get', 'pods', '--output', 'name'])).trim() === '' ? true : undefined,
  );
  expect([...(await spaceTree('project')).keys()]).toEqual(expect.arrayContaining([WORK, unsaved]));
  expect(await local(['up'])).toMatchObject({ exitCode: 0 });
  await isOpen();
  await keepsWork();
  expect(await seen(rows, USED)).toEqual([]);
  expect(await pulumi(['preview', '--expect-no-changes'])).toMatchObject({ exitCode: 0 });
});

/** By the command that the stack shows. */
async function restart(): Promise<void> {
  const before = await podIdentity();
  const { output } = await pulumi(['stack', 'output', 'restartCommand']);
  const [, ...args] = output.trim().split(' ');
  await kubectl(await target(), args);
  await eventually('a new pod', 120, async () => ((await podIdentity()) === before ? undefined : true));
  await isOpen();
}

/** Status of the gateway's answer to a login from its own page, asked in the pod: no Ingress is in the way. */
async function answerTo(password: string): Promise<number> {
  const script = `
    const { publicOrigin: origin } = JSON.parse(fs.readFileSync('${CONFIG_FILES.gateway}', 'utf8'));
    const body = new URLSearchParams({ password: fs.readFileSync(0, 'utf8') });
    fetch('http://127.0.0.1:${PORTS.gateway}/login', { method: 'POST', redirect: 'manual', headers: { origin }, body })
      .then(({ status }) => console.log(status));`;
  return Number(await inContainer('gateway', ['node', '--eval', script], password));
}
