import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { preview, up } from '../../local/engine/index.ts';
import { done, newWorkplace, programDirectory } from './helpers.ts';

const place = newWorkplace('basic');
afterAll(() => place.remove());
const main = fileURLToPath(new URL('../../local/engine/main.ts', import.meta.url));

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line as a process of its own. */
function engine(...args: readonly string[]): Promise<Exit> {
  const common = ['--stack', 'dev', '--cwd', programDirectory('basic'), '--state', place.stateDirectory];
  const child = spawn(process.execPath, [main, ...args.slice(0, 1), ...common, ...args.slice(1)], {
    env: { ...process.env, FAKE_CLUSTER: place.clusterFile },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    output.stdout += data;
  });
  child.stderr.on('data', (data) => {
    output.stderr += data;
  });
  return new Promise((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, ...output })),
  );
}
const token = ['--config', 'token=plain'];

test('an engine that is killed in the middle leaves a state from which the next run goes on', async () => {
  place.setFaults({ crash: { 'ConfigMap/settings': true } });
  const killed = await engine('up', '--yes', '--kubectl', place.kubectl, ...token);
  expect(killed.signal).toBe('SIGKILL');
  expect(place.objects()['ConfigMap/site/settings']).toBeDefined();
  const state = JSON.parse(place.stateText());
  expect(state.resources.find((entry: { name: string }) => entry.name === 'settings').pending).toBe('create');
  expect(existsSync(join(place.stateDirectory, 'lock'))).toBe(true);

  place.setFaults({});
  const resumed = await up(place.options());
  expect(resumed.errors).toEqual([]);
  expect(done(resumed.steps)).toEqual(expect.arrayContaining(['create settings', 'create workload']));
  expect(existsSync(join(place.stateDirectory, 'lock'))).toBe(false);
  expect(done((await preview(place.options())).steps)).toEqual([]);
});

test('the command line says what it is, asks before it changes, prints outputs masked, as text and JSON', async () => {
  const [help, refused, shown, json, clear] = await Promise.all([
    engine('--help'),
    engine('destroy', '--kubectl', place.kubectl),
    engine('outputs'),
    engine('outputs', '--json'),
    engine('outputs', '--show-secrets'),
  ]);
  expect(help.stdout.replaceAll(/\s+/g, ' ')).toContain('Not a second Pulumi');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toBe(
    'error: this changes the cluster and nobody can be asked here. Say --yes to go on.\n',
  );
  expect(shown.stdout).toBe('password: <secret>\nurl: https://site.example.org\n');
  expect(JSON.parse(json.stdout)).toEqual({ password: '<secret>', url: 'https://site.example.org' });
  expect(clear.stdout).toMatch(/^password: [A-Za-z0-9]{24}\n/);
});

test('render prints the objects without a cluster, sorted, secrets masked, the same each time', async () => {
  const commands = readFileSync(`${place.clusterFile}.log`, 'utf8');
  const first = await engine('render', ...token);
  const second = await engine('render', ...token);
  expect(first.stderr).toBe('');
  expect(first.stdout).toContain('stringData: <secret>');
  expect(first.stdout.match(/^kind: .*$/gm)).toEqual([
    'kind: ConfigMap',
    'kind: ConfigMap',
    'kind: Namespace',
    'kind: Secret',
    'kind: StatefulSet',
  ]);
  expect(second.stdout).toBe(first.stdout);
  expect(readFileSync(`${place.clusterFile}.log`, 'utf8')).toBe(commands);
});

test('destroy of the command line shows what it did, one line a resource, and nothing of a terminal', async () => {
  const destroyed = await engine('destroy', '--yes', '--kubectl', place.kubectl, ...token);
  expect(destroyed.stderr).toContain('draining workload\n');
  expect(destroyed.stderr).toMatch(/^ - workload \(apps\/v1:StatefulSet\) deleted in \d+\.\d s$/m);
  expect(destroyed.stderr).not.toContain('\u001b[');
  expect(destroyed.code).toBe(0);
  expect(place.objects()).toEqual({});
});
