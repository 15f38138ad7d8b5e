import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { COMMANDS, CONTAINERS, NAMES } from '../../components/names.ts';
import { ROOT, STATE } from '../../local/cli/machine.ts';
import { kubectl } from '../../local/cli/target.ts';
import { openPlace } from '../../local/instance/place.ts';
import { OPENING_PATH } from '../../sidecar/contract/opening-code.ts';
import { cluster, emulator, eventually, kubeNamespaces, target } from './world.ts';

/** `npm run instance` with a real pod: what it shows, a restart, a kill in the middle of a removal, and Pulumi beside it. */

const NAME = 'fleet';
let site: string;
let environment: Record<string, string>;
let tokens: Record<'source' | 'project', string>;
let spaces: Record<'source' | 'project', string>;

beforeAll(async () => {
  site = await mkdtemp(join(tmpdir(), 'scipion-fleet-'));
  const onedata = await (await emulator()).credentials();
  const { kubeconfigPath, httpsPort } = await cluster();
  const { stackConfigDir: _, config, ...project } = parse(await readFile(join(ROOT, 'Pulumi.yaml'), 'utf8'));
  const demo = parse(await readFile(join(ROOT, 'stacks', 'Pulumi.demo.yaml'), 'utf8')).config;
  const { 'scipion:sourceSpaceId': _source, 'scipion:projectSpaceId': _project, ...siteWide } = demo;
  const all = {
    ...config,
    ...siteWide,
    'scipion:publicPort': httpsPort,
    'scipion:onedataHost': onedata.providerHost,
    'scipion:onedataCertificateAuthorities': onedata.caPem,
    'scipion:checkTokens': false,
  };
  const values = Object.entries(all).map(([key, value]) => [
    key,
    typeof value === 'object' && value !== null ? { value } : value,
  ]);
  const file = { ...project, main: ROOT, config: Object.fromEntries(values) };
  await writeFile(join(site, 'Pulumi.yaml'), stringify(file));
  environment = { SCIPION_LOCAL_STATE: STATE, KUBECONFIG: kubeconfigPath };
  spaces = { source: onedata.sourceSpaceId, project: onedata.projectSpaceId };
  tokens = { source: join(site, 'source.token'), project: join(site, 'project.token') };
  await writeFile(tokens.source, onedata.sourceToken, { mode: 0o600 });
  await writeFile(tokens.project, onedata.projectToken, { mode: 0o600 });
});
afterAll(async () => {
  // Whatever a failed test has left.
  await instance(['remove', NAME, '--yes', '--discard-unsaved-changes', NAME]).catch(() => undefined);
  await rm(site, { recursive: true, force: true });
});

/** A group of processes of its own, so that a Ctrl-C reaches all that is in front of the terminal. */
const start = (args: readonly string[]) =>
  execa('npm', ['run', '--silent', 'instance', '--', ...args, '--project', site], {
    cwd: ROOT,
    env: environment,
    all: true,
    reject: false,
    stdin: 'ignore',
    detached: true,
  });
const instance = async (args: readonly string[]) => {
  const { exitCode, all } = await start(args);
  return { exitCode, output: String(all) };
};
const json = async <T>(args: readonly string[]): Promise<T> => {
  const { output, exitCode } = await instance([...args, '--json']);
  if (exitCode !== 0) throw new Error(output);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as T;
};
/** Pulumi itself on the same stack, as its user calls it. */
const pulumi = async (args: readonly string[]) => {
  const { exitCode, all } = await execa(
    'npm',
    ['run', '--silent', 'pulumi', '--', ...args, '--cwd', site, '--stack', NAME],
    {
      cwd: ROOT,
      env: environment,
      all: true,
      reject: false,
      stdin: 'ignore',
    },
  );
  return { exitCode, output: String(all) };
};
const kube = async (args: readonly string[]) => kubectl(await target(), ['--namespace', NAME, ...args]);
const podIdentity = () => kube(['get', 'pod', NAMES.pod, '--output', 'jsonpath={.metadata.uid}']);
const inPod = (container: string, command: readonly string[]) =>
  kube(['exec', NAMES.pod, '--container', container, '--', ...command]);

interface Status {
  readonly live?: {
    readonly phase: string;
    readonly sync?: { readonly ready: boolean; readonly save: object };
  };
  readonly operation?: {
    readonly state: string;
    readonly record: {
      readonly kind: string;
      readonly stage: string;
      readonly engine?: { readonly pid: number };
    };
  };
}
/** As the list shows it; the stacks of other tests are in it too. */
const listed = async () =>
  (await json<{ name: string; live?: { phase: string } }[]>(['list'])).filter(({ name }) => name === NAME);
const isOpen = () =>
  eventually('the desktop', 240, async () =>
    (await json<Status>(['status', NAME])).live?.sync?.ready ? true : undefined,
  );

test('new, open, logs as they come, and Pulumi sees the same instance', async () => {
  const given = ['--source-space', spaces.source, '--project-space', spaces.project];
  const files = ['--source-token-file', tokens.source, '--project-token-file', tokens.project];
  const made = await instance(['new', NAME, '--yes', ...given, ...files]);
  expect(made).toMatchObject({ exitCode: 0 });
  await isOpen();
  const { url, password } = await json<{ url: string; password: string }>(['open', NAME]);
  expect(url).toMatch(new RegExp(`^https://scipion\\.${NAME}\\.localhost:\\d+/$`));
  expect(password.length).toBeGreaterThan(20);
  expect(await listed()).toMatchObject([{ name: NAME, live: { phase: 'running' } }]);

  const follow = start(['logs', NAME, 'sync', '--follow']);
  const lines: string[] = [];
  follow.all.on('data', (chunk: Buffer) => lines.push(String(chunk)));
  await inPod(CONTAINERS.desktop, ['sh', '-c', 'echo followed > /mnt/vol-project/followed.txt']);
  await eventually('the first lines', 60, async () => (lines.length > 0 ? true : undefined));
  const before = lines.join('').length;
  expect(await instance(['save', NAME])).toMatchObject({ exitCode: 0 });
  await eventually('a new line of the log', 60, async () =>
    lines.join('').length > before ? true : undefined,
  );
  process.kill(-(follow.pid ?? 0), 'SIGINT');
  await follow;

  const preview = await pulumi(['preview', '--expect-no-changes']);
  expect(preview).toMatchObject({ exitCode: 0 });
});

test('the address that a console gives opens the desktop once, without its password', async () => {
  process.env.KUBECONFIG = environment.KUBECONFIG;
  const { fleet } = await openPlace(undefined, site);
  const address = new URL((await fleet.openingAddress(NAME, 'jane')) ?? '');
  const lookup: LookupFunction = (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false, lookup } });
  const open = async () => {
    const headers = {
      'content-type': 'application/json',
      origin: address.origin,
      'sec-fetch-site': 'same-origin',
    };
    const body = JSON.stringify({ code: address.hash.slice(1) });
    return fetch(`${address.origin}${OPENING_PATH}`, { method: 'POST', headers, body, dispatcher });
  };
  const opened = await open();
  expect(opened.status).toBe(200);
  const cookie = opened.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const session = await fetch(`${address.origin}/session`, { headers: { cookie }, dispatcher });
  expect(await session.json()).toMatchObject({ loggedIn: true });
  expect((await open()).status).toBe(401);
  await dispatcher.close();
});

test('a restart saves, and waits for a pod that has what was changed; Pulumi made the change', async () => {
  const pod = await podIdentity();
  await inPod(CONTAINERS.desktop, ['sh', '-c', 'echo kept > /mnt/vol-project/kept.txt']);
  expect(await pulumi(['config', 'set', 'scipion:memory', '2Gi'])).toMatchObject({ exitCode: 0 });
  const up = await pulumi(['up', '--yes', '--skip-preview', '--suppress-outputs']);
  expect(up).toMatchObject({ exitCode: 0 });
  expect(await podIdentity()).toBe(pod);
  // The other way round: what Pulumi has made is no change for the fleet.
  const again = await json<{ result: { changes: object } }>(['change', NAME, '--set', 'memory=2Gi', '--yes']);
  expect(again.result.changes).toEqual({});
  const restarted = await instance(['restart', NAME, '--yes']);
  expect(restarted).toMatchObject({ exitCode: 0 });
  expect(await podIdentity()).not.toBe(pod);
  await isOpen();
  expect(await inPod(CONTAINERS.desktop, ['cat', '/mnt/vol-project/kept.txt'])).toContain('kept');
  const memory = [
    'get',
    'pod',
    NAMES.pod,
    '--output',
    'jsonpath={.spec.containers[*].resources.limits.memory}',
  ];
  expect(await kube(memory)).not.toContain('3Gi');
});

test('a pause keeps both volumes, and what is paused starts again with its work', async () => {
  expect(await instance(['pause', NAME])).toMatchObject({ exitCode: 0 });
  expect(await json<Status>(['status', NAME])).toMatchObject({ live: { phase: 'paused' } });
  expect(await instance(['resume', NAME])).toMatchObject({ exitCode: 0 });
  await isOpen();
  expect(await inPod(CONTAINERS.desktop, ['cat', '/mnt/vol-project/kept.txt'])).toContain('kept');
});

test('a removal that is killed in the middle of its drain is explained, and the next one ends it with all work saved', async () => {
  // Enough that the drain takes a while.
  const write = 'for i in $(seq 1 400); do head -c 200000 /dev/urandom > /mnt/vol-project/big-$i; done';
  await inPod(CONTAINERS.desktop, ['sh', '-c', write]);
  const removal = start(['remove', NAME, '--yes', '--json']);
  await eventually('the drain', 120, async () => {
    const status = await inPod(CONTAINERS.sync, [COMMANDS.sync, 'status', '--json']);
    return /"phase":"drain/.test(status) ? true : undefined;
  });
  const found = await json<Status>(['status', NAME]);
  const engine = found.operation?.record.engine?.pid ?? 0;
  expect(found.operation).toMatchObject({ state: 'running', record: { kind: 'remove', stage: 'engine' } });
  expect(engine).toBeGreaterThan(0);
  // The power goes: the command, and the engine that it has started.
  for (const pid of [await commandOf(removal.pid ?? 0), engine]) process.kill(pid, 'SIGKILL');
  await removal;
  expect(await json<Status>(['status', NAME])).toMatchObject({
    operation: { state: 'killed', record: { kind: 'remove' } },
  });
  expect((await instance(['status', NAME])).output).toContain(`npm run instance -- remove ${NAME}`);
  expect(await kubeNamespaces()).toContain(NAME);

  expect(await instance(['remove', NAME, '--yes'])).toMatchObject({ exitCode: 0 });
  expect(await kubeNamespaces()).not.toContain(NAME);
  expect(await listed()).toEqual([]);
  const saved = (await (await emulator()).tree(spaces.project)).map(({ path }) => path);
  expect(saved).toEqual(expect.arrayContaining(['kept.txt', 'followed.txt', 'big-1', 'big-400']));
});

/** The process of Node below npm and its shell. */
async function commandOf(npm: number): Promise<number> {
  for (let pid = npm; ; ) {
    const { stdout } = await execa('pgrep', ['-P', String(pid)], { reject: false });
    const [child] = stdout.split('\n').filter(Boolean).map(Number);
    if (child === undefined) return pid;
    const { stdout: line } = await execa('ps', ['-o', 'args=', '-p', String(child)], { reject: false });
    pid = child;
    if (line.includes('local/instance/main.ts') && !line.startsWith('sh ')) return pid;
  }
}
