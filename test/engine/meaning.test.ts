import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureEngine, openStack, stateEnvironment } from '../../automation/engine/index.ts';
import { meaningLines } from '../../local/cli/meaning.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { CANARIES } from '../helpers/program.ts';

/** What an `up` means for the user, from the events of the real engine; objects become files. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const engine = await ensureEngine(() => {});
const place = mkdtempSync(join(tmpdir(), 'engine-meaning-'));
const stateDirectory = join(place, 'state');
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

const stack = openStack(engine, {
  program: ROOT,
  stack: 'jane',
  stateDirectory,
  config: {
    'kubernetes:renderYamlToDirectory': join(place, 'rendered'),
    'scipion:onedataHost': 'provider.example.org',
    'scipion:sourceSpaceId': 'source-space',
    'scipion:projectSpaceId': 'project-space',
    'scipion:checkTokens': 'false',
  },
  secrets: { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
  environment: { KUBECONFIG: kubeconfig },
  cli: 'npm run pulumi --',
});

test('of an up, one line each in a pipe, and nothing where nothing changes', async () => {
  const made = await stack.up(() => {});
  expect(meaningLines('This `up`', made.steps, false)).toEqual(['This `up`: creates the instance']);
  const again = await stack.preview(() => {});
  expect(again.steps.length).toBeGreaterThan(10);
  expect(meaningLines('An `up`', again.steps, true)).toEqual([]);
});

const PREVIEW = ['local/cli/pulumi.ts', 'preview', '--cwd', stateDirectory, '--stack', 'jane'];
const CHANGE = ['--config', 'scipion:memory=16Gi'];

test('npm run pulumi says it after a preview on a terminal, and leaves a pipe to Pulumi', async () => {
  const options = {
    cwd: ROOT,
    env: { ...(await stateEnvironment(engine, stateDirectory)), KUBECONFIG: kubeconfig },
    stdin: 'ignore',
  } as const;
  const line = [process.execPath, ...PREVIEW, ...CHANGE].map((word) => `'${word}'`).join(' ');
  const terminal = await execa('script', ['-qec', `stty cols 120 rows 50; ${line}`, '/dev/null'], options);
  const shown = stripVTControlCharacters(terminal.stdout).replaceAll('\r', '');
  expect(shown.slice(shown.indexOf('An `up`:')).trim().split('\n')).toEqual([
    'An `up`:',
    '- takes effect at the next start of the pod, the session continues until then: CPUs, memory or scratch',
    '- changes in place, without a restart: the quota of the namespace',
  ]);
  expect(shown).not.toContain('canary');
  const { stdout } = await execa(process.execPath, [...PREVIEW, ...CHANGE], options);
  expect(stdout).toContain('Resources:');
  expect(stdout).not.toContain('An `up`');
});
