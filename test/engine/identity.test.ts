import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';
import { type ApiServer, startApiServer } from '../helpers/api-server.ts';
import { CANARIES } from '../helpers/program.ts';

/** The program on the real engine, whose objects become files; its hooks ask an API server that has nothing. */

const engine = await ensureEngine(() => {});
const place = mkdtempSync(join(tmpdir(), 'engine-identity-'));
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

const open = (config: Record<string, string> = {}) =>
  openStack(engine, {
    program: fileURLToPath(new URL('../../', import.meta.url)),
    stack: 'identity',
    stateDirectory: join(place, 'state'),
    config: {
      'kubernetes:renderYamlToDirectory': join(place, 'rendered'),
      'scipion:namespace': 'jane',
      'scipion:sourceSpaceId': 'source-space',
      'scipion:projectSpaceId': 'project-space',
      'scipion:checkTokens': 'false',
      ...config,
    },
    secrets: { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
    environment: { KUBECONFIG: kubeconfig },
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

test('a changed identity is refused before anything is touched, and set back it is as if nothing had been', async () => {
  await open().up(silent);
  const refusal = await open(CHANGED).preview(silent).then(String, String);
  for (const key of Object.keys(CHANGED)) expect(refusal).toContain(`${key}: the instance has`);
  expect(refusal).toContain('pulumi config set scipion:namespace jane --stack identity');
  const { changes } = await open().preview(silent);
  expect(changes).toEqual({});
}, 600_000);
