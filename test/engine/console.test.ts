import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InstanceView } from '../../console/src/view-types.ts';
import { SAVED } from '../../console/test/helpers/fake-cluster.ts';
import { type RunningConsole, startConsole } from '../../console/test/helpers/start-console.ts';
import { visitor } from '../../console/test/helpers/visitor.ts';
import { type ApiServer, sendTo, startApiServer } from '../helpers/api-server.ts';
import { type FleetPlace, openFleetPlace } from '../helpers/fleet-place.ts';
import { showInstance } from '../helpers/instance-objects.ts';
import { CANARIES } from '../helpers/program.ts';

/** The console on the real engine. Objects become files; what runs in a pod is an API server's recorded answers. */

const place = mkdtempSync(join(tmpdir(), 'engine-console-'));
const objects: Record<string, object> = {};
let api: ApiServer;
let given: FleetPlace;
let running: RunningConsole;
beforeAll(async () => {
  api = await startApiServer({
    objects,
    exec: (socket) => {
      sendTo(socket, 1, `${JSON.stringify(SAVED)}\n`);
      sendTo(socket, 3, { status: 'Success' });
      socket.close();
    },
  });
  const kubeconfig = join(place, 'kubeconfig');
  writeFileSync(kubeconfig, api.kubeconfig);
  given = await openFleetPlace(place, kubeconfig);
  running = await startConsole({ fleet: given.fleet });
});
afterAll(async () => {
  await running?.stop();
  await api?.[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

const show = (isThere: boolean) => showInstance(objects, 'jane', isThere);

test('an instance from the form to its removal, its tokens encrypted, the cluster listed once', async () => {
  show(false);
  const jane = await visitor(running, 'jane');
  const created = await jane.post(running, '/api/instances', {
    name: 'jane',
    settings: { sourceSpaceId: 'source-space', projectSpaceId: 'project-jane' },
    sourceToken: CANARIES.sourceToken,
    projectToken: CANARIES.projectToken,
  });
  expect(created.status).toBe(202);
  const { text } = await jane.get(running, '/api/instances/jane/events');
  expect(text.match(/"kind":"StatefulSet","name":"[^"]*","state":"(begun|done)"/g)?.length).toBe(2);
  expect(text).toContain('"event":"done"');
  const file = readFileSync(join(place, 'project', 'Pulumi.jane.yaml'), 'utf8');
  expect(file).toContain('fleet:owner: jane');
  for (const token of Object.values(CANARIES)) expect(file + text + running.log.join()).not.toContain(token);

  show(true);
  // After the end of an operation the instance itself is asked, which is no listing.
  await running.console.board.look('jane');
  const before = api.requests.length;
  await running.console.board.refresh();
  expect(api.requests.slice(before).filter((line) => line.includes('/namespaces/'))).toEqual([]);
  const view = async () => (await jane.get(running, '/api/instances/jane')).json<InstanceView>();
  expect(await view()).toMatchObject({
    state: 'running',
    owner: 'jane',
    url: 'https://scipion.jane.example.org/',
  });
  await expect.poll(async () => (await view()).sync?.unsaved).toBe(true);
  const shown = await jane.post(running, '/api/instances/jane/password');
  expect(shown.json<{ password: string }>().password.length).toBeGreaterThan(20);

  show(false);
  expect((await jane.post(running, '/api/instances/jane/remove', { typed: 'jane' })).status).toBe(202);
  expect((await jane.get(running, '/api/instances/jane/events')).text).toContain('"event":"done"');
  await running.console.board.refresh();
  expect((await jane.get(running, '/api/instances/jane')).status).toBe(404);
}, 900_000);
