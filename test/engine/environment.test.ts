import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  engineEnvironment,
  ensureEngine,
  openStack,
  runCommand,
  withUsersOwn,
} from '../../automation/engine/index.ts';
import { runProgram } from '../../automation/recording/index.ts';
import { callsPastProxies } from '../../automation/tools/own-calls.ts';

/** What a user's shell says of Pulumi and of proxies, and what of it reaches the engine. */

const engine = await ensureEngine(() => {});
const place = mkdtempSync(join(tmpdir(), 'engine-environment-'));
const program = fileURLToPath(new URL('../recording/programs/basic', import.meta.url));
const NO_PROXY_THERE = {
  http_proxy: 'http://127.0.0.1:9',
  https_proxy: 'http://127.0.0.1:9',
  no_proxy: 'b.org',
};

afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(place, { recursive: true, force: true }));

test("a stack of this repository is deployed and read whatever the user's shell says, and nothing of their Pulumi is touched", async () => {
  const stack = openStack(engine, {
    program,
    stack: 'dev',
    stateDirectory: join(place, 'state'),
    config: { 'kubernetes:renderYamlToDirectory': join(place, 'rendered') },
    secrets: { 'basic:token': 'canary-token-81a3' },
    environment: {},
    cli: 'npm run pulumi --',
  });
  const users = join(place, 'their-pulumi');
  const theirs = { PULUMI_HOME: users, PULUMI_CONFIG_PASSPHRASE: 'mine', ...NO_PROXY_THERE };
  for (const [name, value] of Object.entries(theirs)) vi.stubEnv(name, value);
  expect((await stack.up(() => {})).changes.create).toBeGreaterThan(5);
  vi.unstubAllEnvs();
  expect((await stack.preview(() => {})).changes).toEqual({});
  expect(existsSync(users)).toBe(false);
});

test('what the command keeps of its own logs is bounded', async () => {
  const home = join(place, 'with-logs');
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true });
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  const [large, small] = [`pulumi-${day}T000000-1-up.log`, `pulumi-${day}T000001-1-up.log`];
  for (const name of [large, small]) writeFileSync(join(logs, name), '');
  truncateSync(join(logs, large), 21 * 2 ** 20);
  const environment = engineEnvironment({ ...engine, home });
  await runCommand(engine, ['version'], { directory: place, environment });
  expect(readdirSync(logs)).not.toContain(large);
  expect(readdirSync(logs)).toContain(small);
});

test('a damaged file of a stack is told with its path', async () => {
  const directory = join(place, 'damaged');
  mkdirSync(directory);
  writeFileSync(join(directory, 'Pulumi.yaml'), 'name: basic\nruntime: nodejs\n');
  writeFileSync(join(directory, 'Pulumi.dev.yaml'), 'config: {a: 1\n');
  const stack = openStack(engine, {
    program: directory,
    stack: 'dev',
    stateDirectory: join(place, 'state-damaged'),
    config: {},
    secrets: {},
    environment: {},
    cli: 'npm run pulumi --',
  });
  await expect(stack.preview(() => {})).rejects.toThrow(
    /^\S+\/damaged\/Pulumi\.dev\.yaml is no YAML: .*line \d+/,
  );
});

test('a program is recorded where a proxy takes what no list names', async () => {
  for (const [name, value] of Object.entries(NO_PROXY_THERE)) vi.stubEnv(name, value);
  const run = await runProgram({
    directory: program,
    stack: 'dev',
    config: {},
    secretConfig: { token: 'x' },
  });
  expect(run.errors).toEqual([]);
});

test.each([
  [{}, '127.0.0.1,localhost,::1'],
  [{ no_proxy: 'a.org', NO_PROXY: 'b.org' }, 'a.org,127.0.0.1,localhost,::1'],
  [{ NO_PROXY: 'b.org,localhost' }, 'b.org,localhost,127.0.0.1,::1'],
  [{ no_grpc_proxy: 'c.org', no_proxy: 'a.org' }, 'c.org,127.0.0.1,localhost,::1'],
])('of %j the list of gRPC keeps what is named and names this machine', (environment, list) => {
  expect(callsPastProxies(environment)).toEqual({ no_grpc_proxy: list });
});

describe("what the user's environment says", () => {
  const own = {
    PULUMI_HOME: '/cache/home',
    PULUMI_BACKEND_URL: 'file:///state',
    PULUMI_CONFIG_PASSPHRASE_FILE: '/state/passphrase',
    PULUMI_CONFIG_PASSPHRASE: undefined,
  };
  const seen = (users: Record<string, string>) => ({ ...users, ...withUsersOwn(own, users) });

  test('of nothing: the state of this machine', () => {
    expect(seen({})).toEqual({
      PULUMI_HOME: '/cache/home',
      PULUMI_BACKEND_URL: 'file:///state',
      PULUMI_CONFIG_PASSPHRASE_FILE: '/state/passphrase',
    });
  });

  test('of the folder of Pulumi: the plugins are in ours all the same', () => {
    expect(seen({ PULUMI_HOME: '/home/jane/pulumi' })).toMatchObject({
      PULUMI_HOME: '/cache/home',
      PULUMI_BACKEND_URL: 'file:///state',
    });
  });

  test('of a backend: it is theirs, with their passphrase, signed in as they are', () => {
    const users = {
      PULUMI_HOME: '/home/jane/pulumi',
      PULUMI_BACKEND_URL: 'https://states.example.org',
      PULUMI_CONFIG_PASSPHRASE: 'mine',
    };
    expect(seen(users)).toEqual({
      ...users,
      PULUMI_HOME: '/cache/home',
      PULUMI_CREDENTIALS_PATH: '/home/jane/pulumi',
    });
  });

  test('of a passphrase alone: it is used with the state of this machine', () => {
    expect(seen({ PULUMI_CONFIG_PASSPHRASE: 'mine' })).toEqual({
      PULUMI_HOME: '/cache/home',
      PULUMI_BACKEND_URL: 'file:///state',
      PULUMI_CONFIG_PASSPHRASE: 'mine',
    });
  });
});
