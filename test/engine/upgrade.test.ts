import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { ensureEngine, openStack, runCommand, stateEnvironment } from '../../automation/engine/index.ts';
import { hashPassword } from '../../sidecar/contract/password-hash.ts';
import { enginePlace } from '../helpers/engine-place.ts';
import { CANARIES } from '../helpers/program.ts';

/**
 * An instance of an earlier release goes on: nothing of it is replaced or deleted. `states/DATE.jsonl` is what that release
 * left in the state of a stack `jane`, recorded by the engine with objects as files: one resource a line, without times and
 * places, with made-up secrets. What files have of an object is its inputs, so those are not written twice.
 */

const engine = await ensureEngine(() => {});
const place = await enginePlace('engine-upgrade');
const stateDirectory = join(place.folder, 'state');
const rendered = join(place.folder, 'rendered');
afterAll(() => place[Symbol.asyncDispose]());

const silent = () => {};
const stack = openStack(engine, {
  program: fileURLToPath(new URL('../../', import.meta.url)),
  stack: 'jane',
  stateDirectory,
  config: {
    'kubernetes:renderYamlToDirectory': rendered,
    'scipion:onedataHost': 'provider.example.org',
    'scipion:sourceSpaceId': 'source-space',
    'scipion:projectSpaceId': 'project-space',
    'scipion:checkTokens': 'false',
  },
  secrets: { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
  environment: { KUBECONFIG: place.kubeconfig },
  cli: 'npm run pulumi --',
});

interface Recorded {
  readonly type: string;
  readonly inputs: { readonly spec?: { readonly selector?: object } };
  readonly outputs?: object;
}

/** Puts what a release left into the state, as it was or changed. */
async function replay(release: string, change: (resource: Recorded) => Recorded = (same) => same) {
  const file = fileURLToPath(new URL(`./states/${release}.jsonl`, import.meta.url));
  const lines = readFileSync(file, 'utf8').replaceAll('RENDERED', rendered).trim().split('\n');
  const resources = lines
    .map((line) => change(JSON.parse(line) as Recorded))
    .map((resource) =>
      resource.type.startsWith('kubernetes:')
        ? { ...resource, outputs: { ...resource.inputs, __inputs: resource.inputs, ...resource.outputs } }
        : resource,
    );
  const environment = await stateEnvironment(engine, stateDirectory);
  const run = (args: readonly string[], input?: string) =>
    runCommand(engine, [...args, '--stack', 'jane'], {
      directory: stateDirectory,
      environment,
      ...(input === undefined ? {} : { input }),
    });
  const state = JSON.parse((await run(['stack', 'export'])).stdout) as { deployment: object };
  const replayed = { ...state, deployment: { ...state.deployment, resources } };
  await run(['stack', 'import'], JSON.stringify(replayed));
}

test('an instance of 23 November 2026 is changed in place, and then there is nothing left to change', async () => {
  await stack.preview(silent); // makes the stack
  await replay('2026-11-23');
  const { changes } = await stack.preview(silent);
  // What came since is made besides.
  expect(changes).toEqual({ create: 1, update: expect.any(Number) });
  expect((await stack.up(silent)).changes).toEqual(changes);
  expect((await stack.preview(silent)).changes).toEqual({});
}, 600_000);

test('the hash of a password, which a take-over leaves in its place, stays the password', async () => {
  const hash = await hashPassword('of its user alone');
  await replay('2026-11-23', (resource) =>
    resource.type === 'random:index/randomPassword:RandomPassword'
      ? { ...resource, outputs: { ...resource.outputs, result: hash } }
      : resource,
  );
  await stack.up(silent);
  const secret = join(rendered, '1-manifest', 'v1-secret-jane-scipion-gateway.yaml');
  expect(readFileSync(secret, 'utf8')).toContain(Buffer.from(hash).toString('base64'));
  expect((await stack.outputs()).desktopPassword).toMatch(
    /only its user knows\. Set another: pulumi config set/,
  );
}, 600_000);

test('what would replace a StatefulSet is seen', async () => {
  await replay('2026-11-23', (resource) =>
    resource.type === 'kubernetes:apps/v1:StatefulSet'
      ? {
          ...resource,
          inputs: {
            ...resource.inputs,
            spec: { ...resource.inputs.spec, selector: { matchLabels: { a: 'b' } } },
          },
        }
      : resource,
  );
  expect(Object.keys((await stack.preview(silent)).changes)).toContain('replace');
}, 600_000);
