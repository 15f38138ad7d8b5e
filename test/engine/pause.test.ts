import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { ensureEngine, openStack } from '../../automation/engine/index.ts';
import { enginePlace } from '../helpers/engine-place.ts';
import { CANARIES } from '../helpers/program.ts';

/** A pause on the real engine: jobs are asked for before the StatefulSet changes, and in no other update. The API server has nothing. */

const engine = await ensureEngine(() => {});
const place = await enginePlace('engine-pause');
afterAll(() => place[Symbol.asyncDispose]());

const POD = 'GET /api/v1/namespaces/pause/pods/scipion-0';

async function up(config: Record<string, string>) {
  const before = place.api.requests.length;
  const said: string[] = [];
  const stack = openStack(engine, {
    program: fileURLToPath(new URL('../../', import.meta.url)),
    stack: 'pause',
    stateDirectory: join(place.folder, 'state'),
    config: {
      'kubernetes:renderYamlToDirectory': join(place.folder, 'rendered'),
      'scipion:sourceSpaceId': 'source-space',
      'scipion:projectSpaceId': 'project-space',
      'scipion:checkTokens': 'false',
      'scipion:jobs': 'true',
      'scipion:apiServerNetworks': '["192.0.2.1/32"]',
      ...config,
    },
    secrets: { 'scipion:sourceToken': CANARIES.sourceToken, 'scipion:projectToken': CANARIES.projectToken },
    environment: { KUBECONFIG: place.kubeconfig },
    cli: 'npm run pulumi --',
  });
  await stack.up((line) => said.push(line));
  const asked = place.api.requests.slice(before).filter((request) => request.startsWith(POD));
  return { asked: asked.length, said: said.join('\n') };
}

test('only an update that takes the pod away asks for its jobs, and says what it cannot know', async () => {
  expect((await up({})).asked).toBe(0);
  expect((await up({ 'scipion:memory': '12Gi' })).asked).toBe(0);
  const paused = await up({ 'scipion:memory': '12Gi', 'scipion:paused': 'true' });
  expect(paused.asked).toBe(1);
  expect(paused.said).toContain('sync does not run, so its jobs cannot be asked for');
  expect((await up({ 'scipion:memory': '16Gi', 'scipion:paused': 'true' })).asked).toBe(0);
  expect((await up({ 'scipion:memory': '16Gi' })).asked).toBe(0);
});
