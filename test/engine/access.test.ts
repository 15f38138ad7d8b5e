import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';
import { CANARIES } from '../helpers/program.ts';

/** Clusters that cannot be logged in to or do not answer, on the real engine: each ends, with a sentence. */

const engine = await ensureEngine(() => {});
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'engine-access-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const silent = () => {};
const PROGRAM = fileURLToPath(new URL('../../', import.meta.url));
const SMALL = fileURLToPath(new URL('../recording/programs/basic', import.meta.url));

function kubeconfig(server: string, user: object): string {
  const file = join(place, 'kubeconfig');
  const content = {
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

function stackOf(program: string, KUBECONFIG: string) {
  const [config, secrets] =
    program === SMALL
      ? [{}, { 'basic:token': CANARIES.sourceToken }]
      : [
          {
            'scipion:onedataHost': 'provider.example.org',
            'scipion:sourceSpaceId': 'source-space',
            'scipion:projectSpaceId': 'project-space',
            'scipion:checkTokens': 'false',
          },
          { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
        ];
  return openStack(engine, {
    program,
    stack: 'dev',
    stateDirectory: join(place, 'state'),
    config,
    secrets,
    environment: { KUBECONFIG },
    cli: 'npm run pulumi --',
  });
}

/** A server that takes connections and says nothing. */
async function mute() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, [Symbol.dispose]: () => void server.close() };
}

describe('a user without credentials', () => {
  test('is refused by the program, in a preview and in up', async () => {
    const stack = stackOf(PROGRAM, kubeconfig('https://127.0.0.1:1', {}));
    for (const run of [stack.preview, stack.up, stack.destroy]) {
      await expect(run(silent)).rejects.toThrow(
        /There are no credentials for user "u" in .*kubectl --context x auth whoami/,
      );
    }
  });

  test('does not make a provider of ours wait, whatever the program does', async () => {
    if (engine.source !== 'built from its Go modules') return; // the vendor's waits for an answer to its question
    const stack = stackOf(SMALL, kubeconfig('https://127.0.0.1:1', {}));
    await expect(stack.up(silent)).rejects.toThrow(/^up of stack dev failed:\nThe Kubernetes cluster cannot/);
  });
});

test('a context that is not there is refused in up, and told in a preview, which needs no cluster', async () => {
  const file = kubeconfig('https://127.0.0.1:1', { token: 'none' });
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace('"current-context":"x"', '"current-context":"gone"'),
  );
  const stack = stackOf(PROGRAM, file);
  const { warnings } = await stack.preview(silent);
  expect(warnings.join('\n')).toMatch(/There is no context "gone" in .*kubectl config use-context x/);
  await expect(stack.up(silent)).rejects.toThrow(/There is no context "gone"/);
});

test('a cluster that takes connections and never answers is told in a bounded time', async () => {
  using server = await mute();
  const began = Date.now();
  const failure = stackOf(PROGRAM, kubeconfig(server.url, { token: 'none' })).up(silent);
  await expect(failure).rejects.toThrow(
    /Kubernetes cluster at https.* takes connections and does not answer/,
  );
  expect(Date.now() - began).toBeLessThan(60_000);
});

test('a login command that does not end is ended, and told with what to do, in a preview too', async () => {
  const command = join(place, 'log-in');
  const began = join(place, 'began');
  writeFileSync(command, `#!/bin/sh\necho $$ >>'${began}'\nsleep 600 & wait\n`, { mode: 0o755 });
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'IfAvailable', command };
  const stack = stackOf(PROGRAM, kubeconfig('https://127.0.0.1:1', { exec }));
  await expect(stack.preview(silent)).rejects.toThrow(
    /The login command ".*log-in" of user "u" in .* did not end within 60 s.*kubectl --context x auth whoami/,
  );
  const groups = readFileSync(began, 'utf8').trim().split('\n').map(Number);
  const isLeft = () => groups.some(isGroup);
  for (const end = Date.now() + 30_000; isLeft() && Date.now() < end; ) await sleep(100);
  expect(isLeft()).toBe(false);
}, 180_000);

/** Whether any process is left in a group, and be it one that has ended and was not waited for. */
function isGroup(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

test('an engine that is killed takes its plugins and its program with it', async () => {
  const script = fileURLToPath(new URL('./slow-up.ts', import.meta.url));
  const child = spawn(process.execPath, [script, join(place, 'state'), '600000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    while (!output.includes('waiting for the hook') && child.exitCode === null) await sleep(50);
    const [pulumi = 0] = await childrenOf(child.pid ?? 0);
    const plugins = await descendantsOf(pulumi);
    const names = plugins.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[0]);
    expect(names.join()).toMatch(/pulumi-language-nodejs.*node|node.*pulumi-language-nodejs/);
    expect(names.join()).toContain('pulumi-resource-random');
    process.kill(pulumi, 'SIGKILL');
    const isLeft = () => plugins.some((pid) => existsSync(`/proc/${pid}`));
    for (const end = Date.now() + 60_000; isLeft() && Date.now() < end; ) await sleep(100);
    const left = isLeft();
    for (const pid of plugins.filter((pid) => existsSync(`/proc/${pid}`))) process.kill(pid, 'SIGKILL');
    if (engine.source === 'built from its Go modules') expect(left).toBe(false);
  } finally {
    child.kill('SIGKILL');
  }
});

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await execa('pgrep', ['-P', String(pid)], { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function descendantsOf(pid: number): Promise<number[]> {
  const own = await childrenOf(pid);
  return [...own, ...(await Promise.all(own.map(descendantsOf))).flat()];
}
