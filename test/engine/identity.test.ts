import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ensureEngine, openStack, runCommand, stateEnvironment } from '../../automation/engine/index.ts';
import { STACK_ANNOTATION } from '../../components/manifests/metadata.ts';
import { enginePlace } from '../helpers/engine-place.ts';
import { CANARIES } from '../helpers/program.ts';

/** The program on the real engine, whose objects become files; its hooks ask an API server that has next to nothing. */

const engine = await ensureEngine(() => {});
const living = { metadata: { annotations: { [STACK_ANNOTATION]: 'lost' } } };
const place = await enginePlace('engine-identity', {
  objects: { '/apis/apps/v1/namespaces/lost/statefulsets/scipion': living },
});
const stateDirectory = join(place.folder, 'state');
afterAll(() => place[Symbol.asyncDispose]());

const silent = () => {};

const open = (config: Record<string, string> = {}, stack = 'identity', environment = {}) =>
  openStack(engine, {
    program: fileURLToPath(new URL('../../', import.meta.url)),
    stack,
    stateDirectory,
    config: {
      'kubernetes:renderYamlToDirectory': join(place.folder, 'rendered'),
      'scipion:sourceSpaceId': 'source-space',
      'scipion:projectSpaceId': 'project-space',
      'scipion:checkTokens': 'false',
      ...config,
    },
    secrets: { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
    environment: { KUBECONFIG: place.kubeconfig, ...environment },
    cli: 'npm run pulumi --',
  });

const CHANGED = {
  'scipion:namespace': 'joe',
  'scipion:projectSpaceId': 'other',
  'scipion:sourceSpaceId': 'another',
  'scipion:createNamespace': 'false',
  'scipion:storageClass': 'fast',
  'scipion:projectVolumeSize': '20Gi',
};

const stateFile = (stack: string) => join(stateDirectory, '.pulumi', 'stacks', 'scipion', `${stack}.json`);
/** Without what each write of the state encrypts again. */
const resourcesOf = (stack: string) =>
  JSON.stringify(JSON.parse(readFileSync(stateFile(stack), 'utf8')).checkpoint.latest.resources).replaceAll(
    /"ciphertext":"[^"]*"/g,
    '',
  );

test('a changed identity is refused before anything is touched, and set back it is as if nothing had been', async () => {
  await open().up(silent);
  const refusal = await open(CHANGED).preview(silent).then(String, String);
  for (const key of Object.keys(CHANGED)) expect(refusal).toContain(`${key}: the instance has`);
  expect(refusal).toContain('pulumi config set scipion:namespace identity --stack identity');
  const { changes } = await open().preview(silent);
  expect(changes).toEqual({});
});

test('wrong values are refused with one line each, before anything is touched', async () => {
  const wrong = { 'scipion:memory': '8000Ti', 'scipion:publicPort': '99999', 'scipion:tlsIssuer': 'null' };
  const before = resourcesOf('identity');
  const refusal = await open(wrong).up(silent).then(String, String);
  for (const [key, value] of Object.entries(wrong))
    expect(refusal).toContain(`\n  ${key}: found "${value}"; allowed: `);
  expect(refusal).not.toMatch(/^\s+at /m);
  expect(resourcesOf('identity')).toBe(before);
});

test('a renamed stack is refused where its name was its namespace, and goes on with the namespace written out', async () => {
  const rename = ['stack', 'rename', 'renamed', '--stack', 'identity'];
  await runCommand(engine, rename, {
    directory: stateDirectory,
    environment: await stateEnvironment(engine, stateDirectory),
  });
  const refusal = open({}, 'renamed').preview(silent);
  await expect(refusal).rejects.toThrow('pulumi config set scipion:namespace identity --stack renamed');
  const set = { 'scipion:namespace': 'identity' };
  // Namespace and StatefulSet say whose instance it is, the ConfigMap how it is removed.
  expect((await open(set, 'renamed').preview(silent)).changes).toEqual({ update: 3 });
  expect((await open(set, 'renamed').up(silent)).changes).toEqual({ update: 3 });
  expect((await open(set, 'renamed').preview(silent)).changes).toEqual({});
});

describe('an instance that the state does not know', () => {
  const TAKING_OVER = { SCIPION_TAKING_OVER: 'true' };

  test('refuses preview, up and removal alike, and the state learns nothing', async () => {
    const stack = open({}, 'lost');
    for (const run of [stack.preview, stack.up, stack.destroy]) {
      await expect(run(silent)).rejects.toThrow('npm run take-over -- --stack lost');
    }
    expect(readFileSync(stateFile('lost'), 'utf8')).not.toContain('kubernetes:');
    expect(place.api.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  test('lets a preview look past it for a take-over, and no up', async () => {
    const stack = open({}, 'lost', TAKING_OVER);
    expect((await stack.preview(silent)).changes.create).toBeGreaterThan(10);
    await expect(stack.up(silent)).rejects.toThrow('npm run take-over -- --stack lost');
    expect(existsSync(join(place.folder, 'rendered', '1-manifest', 'v1-namespace-lost.yaml'))).toBe(false);
  });
});
