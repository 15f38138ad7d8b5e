import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureEngine, openStack, runCommand, stateEnvironment } from '../../automation/engine/index.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { CANARIES } from '../helpers/program.ts';

/**
 * An instance of an earlier release goes on: nothing of it is replaced or deleted. `states/DATE.jsonl` is what that release
 * left in the state of a stack `jane`, recorded by the engine with objects as files: one resource a line, without times and
 * places, with made-up secrets. What files have of an object is its inputs, so those are not written twice.
 */

const engine = await ensureEngine(() => {});
const place = mkdtempSync(join(tmpdir(), 'engine-upgrade-'));
const stateDirectory = join(place, 'state');
const rendered = join(place, 'rendered');
const kubeconfig = join(place, 'kubeconfig');
let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({});
  writeFileSync(kubeconfig, api.kubeconfig);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

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
  environment: { KUBECONFIG: kubeconfig },
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
