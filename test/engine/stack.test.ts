import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DeployedStack,
  ensureEngine,
  openStack,
  runCommand,
  type StackSettings,
  stateEnvironment,
} from '../../automation/engine/index.ts';

/** A small program through the real engine; its objects become files in place of a cluster. */

const TOKEN = 'canary-token-5c1e9';
const engine = await ensureEngine(() => {});
const place = mkdtempSync(join(tmpdir(), 'engine-stack-'));
const stateDirectory = join(place, 'state');
const stateFile = join(stateDirectory, '.pulumi', 'stacks', 'basic', 'dev.json');
const rendered = join(place, 'rendered');

const settings = (config: Record<string, string> = {}): StackSettings => ({
  program: fileURLToPath(new URL('../recording/programs/basic', import.meta.url)),
  stack: 'dev',
  stateDirectory,
  config: { 'kubernetes:renderYamlToDirectory': rendered, ...config },
  secrets: { 'basic:token': TOKEN },
  environment: {},
  cli: 'npm run pulumi --',
});
const open = (config?: Record<string, string>) => openStack(engine, settings(config));
const silent = () => {};

afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('a stack', () => {
  let stack: DeployedStack;
  beforeAll(() => {
    stack = open();
  });

  test('is created, and says what it does', async () => {
    const said: string[] = [];
    const { changes } = await stack.up((line) => said.push(line));
    expect(changes.create).toBeGreaterThan(5);
    expect(said.join('\n')).toMatch(/creating StatefulSet workload/);
    expect(said.join('\n')).not.toMatch(/<\{%/);
    expect((await stack.outputs()).url).toBe('https://site.example.org');
  });

  test('is not changed by a second up or a preview', async () => {
    expect((await stack.preview(silent)).changes).toEqual({});
    expect((await stack.up(silent)).changes).toEqual({});
  });

  test('keeps its secrets encrypted and its passphrase to its owner', () => {
    expect(statSync(join(stateDirectory, 'passphrase')).mode & 0o777).toBe(0o600);
    expect(statSync(stateDirectory).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(stateDirectory, { recursive: true, withFileTypes: true })) {
      if (file.isFile())
        expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain(TOKEN);
    }
  });

  test('a changed setting changes what it is about alone', async () => {
    const changed = await open({ 'basic:replicas': '2' }).preview(silent);
    expect(changed.changes).toEqual({ update: 1 });
  });

  test('a state that its user lets Pulumi pack is found again', async () => {
    const environment = { PULUMI_DIY_BACKEND_GZIP: 'true' };
    const packed = openStack(engine, {
      ...settings(),
      environment,
      stateDirectory: join(place, 'packed'),
    });
    expect((await packed.preview(silent)).changes.create).toBeGreaterThan(5);
    expect(existsSync(join(place, 'packed/.pulumi/stacks/basic/dev.json.gz'))).toBe(true);
    expect((await packed.preview(silent)).changes.create).toBeGreaterThan(5);
  });

  test('an error of the program comes in its own words', async () => {
    const failure = open({ 'basic:greeting': 'nobody' }).up(silent);
    await expect(failure).rejects.toThrow(
      /^up of stack dev failed:\ngreeting: found "nobody", expected somebody$/,
    );
  });
});

describe('what goes wrong', () => {
  test('a locked state is told with the command that opens it', async () => {
    const stack = open();
    const locks = join(stateDirectory, '.pulumi', 'locks', 'organization', 'basic', 'dev');
    const lock = join(locks, 'a-run-that-was-killed.json');
    writeFileSync(
      lock,
      JSON.stringify({ pid: 1, username: 'jane', hostname: 'there', timestamp: new Date() }),
    );
    await expect(stack.up(silent)).rejects.toThrow('npm run pulumi -- cancel --yes --stack dev');
    const environment = await stateEnvironment(engine, stateDirectory);
    await runCommand(engine, ['cancel', '--yes', '--stack', 'dev'], {
      directory: stateDirectory,
      environment,
    });
    expect((await stack.up(silent)).changes).toEqual({});
  });

  test('a wrong passphrase and a missing one are told, and the state stays as it is', async () => {
    const file = join(stateDirectory, 'passphrase');
    const [right, state] = [readFileSync(file, 'utf8'), readFileSync(stateFile, 'utf8')];
    writeFileSync(file, 'wrong');
    await expect(open().preview(silent)).rejects.toThrow(/^The passphrase in .*passphrase is not the one/);
    rmSync(file);
    await expect(open().preview(silent)).rejects.toThrow(/^The passphrase of the state in .* is missing/);
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, right, { mode: 0o600 });
    expect(readFileSync(stateFile, 'utf8')).toBe(state);
  });

  test('a state of a newer Pulumi is refused in a sentence', async () => {
    const state = readFileSync(stateFile, 'utf8');
    writeFileSync(stateFile, JSON.stringify({ ...JSON.parse(state), version: 99 }));
    const refused = open()
      .up(silent)
      .finally(() => writeFileSync(stateFile, state));
    await expect(refused).rejects.toThrow(/was written by a newer Pulumi than 3\./);
  });

  test('a cluster that cannot be reached is told, and nothing of it is in the state', async () => {
    const kubeconfig = join(place, 'kubeconfig');
    const cluster = { server: 'https://127.0.0.1:1' };
    // Without any credential the provider asks for one and waits.
    const names = { clusters: [{ name: 'c', cluster }], users: [{ name: 'u', user: { token: 'none' } }] };
    const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u' } }];
    writeFileSync(kubeconfig, JSON.stringify({ ...names, contexts, 'current-context': 'x' }));
    const { 'kubernetes:renderYamlToDirectory': _, ...config } = settings().config;
    const state = join(place, 'unreachable');
    const stack = openStack(engine, {
      ...settings(),
      config,
      stateDirectory: state,
      environment: { KUBECONFIG: kubeconfig },
    });
    const failure = stack.up(silent);
    await expect(failure).rejects.toThrow(
      /^up of stack dev failed:\nThe Kubernetes cluster cannot be reached\. See what answers: kubectl cluster-info/,
    );
    await expect(failure).rejects.not.toThrow(/^\s+at /m);
    const known = JSON.parse(readFileSync(join(state, '.pulumi/stacks/basic/dev.json'), 'utf8'));
    const types = known.checkpoint.latest.resources.map(({ type }: { type: string }) => type);
    expect(types.filter((type: string) => type.startsWith('kubernetes:'))).toEqual([]);
  }, 600_000);

  test('a plugin that does not start is told', async () => {
    const home = join(place, 'home');
    const environment = { PULUMI_HOME: home };
    const broken = join(home, 'plugins', 'resource-kubernetes-v4.34.2');
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, 'pulumi-resource-kubernetes'), '#!/bin/sh\nexit 3\n');
    chmodSync(join(broken, 'pulumi-resource-kubernetes'), 0o755);
    const stack = openStack(engine, { ...settings({ 'basic:round': '2' }), environment });
    await expect(stack.up(silent)).rejects.toThrow(/A plugin of the engine does not start/);
  });
});

describe('removal', () => {
  test('a hook that refuses leaves everything', async () => {
    const stack = open({ 'basic:failDrain': 'yes' });
    const before = readdirSync(rendered, { recursive: true }).length;
    await expect(stack.destroy(silent)).rejects.toThrow(/two files could not be saved/);
    expect(readdirSync(rendered, { recursive: true })).toHaveLength(before);
  });

  test('without the program it is refused at once', async () => {
    const environment = await stateEnvironment(engine, stateDirectory);
    const refused = runCommand(engine, ['destroy', '--yes', '--stack', 'dev'], {
      directory: stateDirectory,
      environment,
    });
    await expect(refused).rejects.toThrow(/--run-program/);
  });

  test('removes everything, and once more does nothing', async () => {
    const stack = open();
    expect((await stack.destroy(silent)).changes.delete).toBeGreaterThan(5);
    expect(await stack.outputs()).toEqual({});
    expect((await stack.destroy(silent)).changes).toEqual({});
  });
});

describe('an interrupt', () => {
  const state = join(place, 'interrupted');

  /** Runs an up in a process of its own and interrupts it once its first resource waits. */
  async function interrupted(milliseconds: number, interrupts: number): Promise<string> {
    const script = fileURLToPath(new URL('./slow-up.ts', import.meta.url));
    const child = spawn(process.execPath, [script, state, String(milliseconds)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text;
      });
    }
    const said = async (text: string) => {
      while (!output.includes(text) && child.exitCode === null) await sleep(50);
    };
    await said('waiting for the hook');
    for (let count = 0; count < interrupts; count++) {
      child.kill('SIGINT');
      await said('Ctrl-C again stops at once');
      await sleep(500);
    }
    if (child.exitCode === null) await once(child, 'close');
    return output;
  }

  test('lets what is under way end, and the same command goes on', async () => {
    const output = await interrupted(4000, 1);
    expect(output).toContain('Ctrl-C again stops at once');
    expect(output).toMatch(/FAILED up of stack slow was stopped after what was under way\. The same command/);
    expect(output).not.toMatch(/^\s+at /m);
    expect(await interrupted(1, 0)).toMatch(/DONE/);
  });

  test('a second one stops at once and says what is left and how to go on', async () => {
    rmSync(state, { recursive: true });
    const output = await interrupted(60_000, 2);
    expect(output).toMatch(
      /FAILED up of stack slow was stopped at once in the middle of: creating RandomId first/,
    );
    expect(output).toContain('npm run pulumi -- cancel --yes --stack slow');
    const environment = await stateEnvironment(engine, state);
    await runCommand(engine, ['cancel', '--yes', '--stack', 'slow'], { directory: state, environment });
    expect(await interrupted(1, 0)).toMatch(/DONE/);
  });
});
