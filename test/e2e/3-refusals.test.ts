import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../components/names.ts';
import { INSTANCE_SPACES } from '../../emulators/onedata/configuration.ts';
import { STACK } from '../../local/cli/machine.ts';
import { syncStatus } from './desktop.ts';
import { spaceTree } from './spaces.ts';
import {
  type CommandResult,
  emulator,
  eventually,
  inContainer,
  kube,
  kubeNamespaces,
  local,
  NAMESPACE,
  npm,
  POD,
  pulumi,
  scaleOnedata,
} from './world.ts';

/** A stack that asks for another instance than the one that lives: refused, whatever else goes on, and nothing is touched. */

/** Nothing saves the unsaved work on its own meanwhile. */
const CREATE = ['up', '--config', 'scipion:autosaveInterval=1 hour'];
const UP = ['up', '--yes', '--skip-preview'];
const CHANGES = [
  'namespace=other',
  'sourceSpaceId=other',
  'projectSpaceId=another',
  'storageClass=fast',
  'createNamespace=false',
];
const REFUSED = 'what says whose work it holds cannot change under it. Nothing was changed.';
const UNSAVED = 'not-saved-yet.txt';
const LARGE = 'large.bin';
const LARGE_MIB = 16;
/** The large file takes two minutes then. */
const SLOW_BYTES_PER_SECOND = 140_000;

const upWith = (changes: readonly string[]) =>
  pulumi([...UP, ...changes.flatMap((change) => ['--config', `scipion:${change}`])]);

const podIdentity = () => kube(['get', 'pod', POD, '--output', 'jsonpath={.metadata.uid}']);
const isOpen = () =>
  eventually('the desktop', 180, async () => ((await syncStatus()).ready ? true : undefined));
const isDraining = () =>
  eventually('the drain', 120, async () => ((await syncStatus()).phase === 'draining' ? true : undefined));
let pod: string;

beforeAll(async () => {
  expect(await local(CREATE)).toMatchObject({ exitCode: 0 });
  await isOpen();
  await inContainer('desktop', ['sh', '-c', `echo unsaved > /mnt/vol-project/${UNSAVED}`]);
  pod = await podIdentity();
});
afterAll(async () => {
  await (await emulator()).set({ bytesPerSecond: 0 });
  await scaleOnedata(1);
  await local(['remove']);
});

/** The commands that a refusal names for the way back, as they stand in it. */
async function takeBack({ output }: CommandResult): Promise<number> {
  const commands = [...output.matchAll(/to set it back: pulumi (config set .*) --stack \S+$/gm)];
  for (const [, command = ''] of commands) {
    // As a shell reads it: two quotes are an empty value.
    const args = command.split(' ').map((word) => (word === "''" ? '' : word));
    expect(await pulumi(args)).toMatchObject({ exitCode: 0 });
  }
  return commands.length;
}

/** The same pod, open, with its unsaved work. */
async function isUntouched(): Promise<void> {
  expect(await podIdentity()).toBe(pod);
  expect((await syncStatus()).ready).toBe(true);
  expect(await inContainer('desktop', ['cat', `/mnt/vol-project/${UNSAVED}`])).toBe('unsaved\n');
  expect(await kubeNamespaces()).not.toContain('other');
}

async function nothingIsPlanned(): Promise<void> {
  const { exitCode, output } = await pulumi(['preview', '--expect-no-changes']);
  expect(exitCode, output).toBe(0);
}

describe('with unsaved work in the project', () => {
  test('five changes are refused together, in a preview and in up, and set back nothing is planned', async () => {
    const flags = CHANGES.flatMap((change) => ['--config', `scipion:${change}`]);
    const preview = await pulumi(['preview', ...flags]);
    expect(preview.exitCode).not.toBe(0);
    expect(preview.output).toContain(REFUSED);
    const refused = await upWith(CHANGES);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain(REFUSED);
    expect(refused.output).toContain('npm run destroy -- --stack');
    expect(await takeBack(refused)).toBe(CHANGES.length);
    await isUntouched();
    await nothingIsPlanned();
    expect((await spaceTree('project')).has(UNSAVED)).toBe(false);
  });
});

async function isRefused(change: string): Promise<void> {
  const refused = await upWith([change]);
  expect(refused.exitCode, change).not.toBe(0);
  expect(refused.output).toContain(REFUSED);
  expect(refused.output).not.toMatch(/^\s+at /m);
  expect(await takeBack(refused)).toBe(1);
}

describe('with the space down', () => {
  beforeAll(() => scaleOnedata(0));
  afterAll(() => scaleOnedata(1));

  test('another namespace is refused at once, and set back, an up plans nothing', async () => {
    await isRefused('namespace=other');
    const back = await pulumi([...UP, '--expect-no-changes']);
    expect(back.exitCode, back.output).toBe(0);
    await isUntouched();
  });
});

describe('with a space that breaks off', () => {
  /** The drain goes on trying for minutes; a space without room ends that. */
  beforeAll(async () => {
    const onedata = await emulator();
    await onedata.setFaults([{ space: INSTANCE_SPACES.project, action: { kind: 'cut' } }]);
    await onedata.setQuota(INSTANCE_SPACES.project, 0);
  });
  afterAll(async () => {
    const onedata = await emulator();
    await onedata.setFaults([]);
    await onedata.setQuota(INSTANCE_SPACES.project, null);
  });

  test('each change is refused in the middle of a drain that cannot end, and the desktop opens again', async () => {
    const drain = inContainer('sync', [COMMANDS.sync, 'drain']).then(
      () => 'drained',
      (error: unknown) => String(error),
    );
    await isDraining();
    for (const change of CHANGES) await isRefused(change);
    await (await emulator()).setFaults([]);
    expect(await drain).toMatch(/is full|does not answer/);
    await isOpen();
    await isUntouched();
    await nothingIsPlanned();
  });
});

describe('in the middle of a removal', () => {
  test('another namespace is refused by the lock, and without it too; the removal ends with all work saved', async () => {
    await inContainer('desktop', [
      ...['dd', 'if=/dev/urandom', `of=/mnt/vol-project/${LARGE}`, 'bs=1M', `count=${LARGE_MIB}`],
    ]);
    const onedata = await emulator();
    await onedata.set({ bytesPerSecond: SLOW_BYTES_PER_SECOND });
    const removal = npm('destroy', ['--yes', '--skip-preview', '--stack', STACK]);
    await isDraining();
    const locked = await upWith(['namespace=other']);
    expect(locked.exitCode).not.toBe(0);
    expect(locked.output).toMatch(/locked.*pulumi cancel/s);
    // As the engine's own message says.
    expect(await pulumi(['cancel', '--yes'])).toMatchObject({ exitCode: 0 });
    const refused = await upWith(['namespace=other']);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain(REFUSED);
    expect((await syncStatus()).phase).toBe('draining');
    await onedata.set({ bytesPerSecond: 0 });
    const removed = await removal;
    expect(removed.exitCode, removed.output).toBe(0);
    const namespaces = await kubeNamespaces();
    expect(namespaces).not.toContain(NAMESPACE);
    expect(namespaces).not.toContain('other');
    const saved = (await onedata.tree(INSTANCE_SPACES.project)).map(({ path }) => path);
    expect(saved).toEqual(expect.arrayContaining([UNSAVED, LARGE]));
    // Nothing of it is left in the state, also after a run without the lock wrote there.
    const { output } = await pulumi(['stack', '--show-urns']);
    expect(output).not.toContain('kubernetes:');
  });
});
