import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FleetEvent } from '../../automation/fleet/index.ts';
import { EMPTY_TRANSFER, type SyncStatus } from '../../sidecar/contract/status.ts';
import { type ApiServer, sendTo, startApiServer } from '../helpers/api-server.ts';
import { type FleetPlace, openFleetPlace } from '../helpers/fleet-place.ts';
import { showInstance } from '../helpers/instance-objects.ts';
import { CANARIES } from '../helpers/program.ts';

/** The life of instances on the real engine. Objects become files; what runs in a pod is an API server's recorded answers. */

const place = mkdtempSync(join(tmpdir(), 'engine-fleet-'));
const kubeconfig = join(place, 'kubeconfig');
const objects: Record<string, object> = {};
let api: ApiServer;
let given: FleetPlace;
beforeAll(async () => {
  api = await startApiServer({
    objects,
    exec: (socket, query) => {
      const isSave = query.getAll('command').includes('save');
      sendTo(socket, 1, `${JSON.stringify(isSave ? SAVED : STATUS)}\n`);
      sendTo(socket, 3, { status: 'Success' });
      socket.close();
    },
  });
  writeFileSync(kubeconfig, api.kubeconfig);
  given = await openFleetPlace(place, kubeconfig);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

const SAVED = { saved: true, generation: 7, changes: 3, skipped: 0 };
const STATUS: SyncStatus = {
  phase: 'running',
  ready: true,
  source: EMPTY_TRANSFER,
  project: EMPTY_TRANSFER,
  save: {
    lastSavedAt: '2026-11-30T08:00:00Z',
    lastSaveDurationSeconds: 1,
    generation: 6,
    unsavedChanges: true,
    nextSaveAt: null,
    lastError: null,
  },
  problems: [],
};

const showPod = (name: string, isThere: boolean) => showInstance(objects, name, isThere);

const spec = (name: string) => ({
  settings: { sourceSpaceId: 'source-space', projectSpaceId: `project-${name}` },
  secrets: CANARIES,
});
const rendered = () => readdirSync(join(place, 'rendered'), { recursive: true }).map(String);
const stackFile = (name: string) => join(place, 'project', `Pulumi.${name}.yaml`);

test('create, list, change, save, pause, resume, remove', async () => {
  const { fleet } = given;
  const creation = fleet.create('jane', spec('jane'));
  const { url, changes } = await creation.result;
  expect(url).toBe('https://scipion.jane.example.org/');
  expect(changes.create).toBeGreaterThan(10);
  const steps: FleetEvent[] = [];
  for await (const event of creation) if (event.event === 'step') steps.push(event);
  expect(steps.length).toBeGreaterThan(20);
  expect(readFileSync(stackFile('jane'), 'utf8')).not.toContain(CANARIES.sourceToken);

  showPod('jane', true);
  expect(await fleet.list({ live: true })).toMatchObject([{ name: 'jane', url, live: { phase: 'running' } }]);
  expect((await fleet.status('jane')).live?.sync).toMatchObject({ save: { generation: 6 } });

  const changed = await fleet.change('jane', { settings: { memory: '16Gi' } }).result;
  expect(changed.changes.update).toBeGreaterThan(0);
  expect(changed.keys).toMatchObject([{ key: 'memory', needsRestart: true }]);
  expect(await fleet.saveNow('jane').result).toEqual(SAVED);
  expect((await fleet.pause('jane').result).changes).toEqual({ update: 1 });
  expect((await fleet.resume('jane').result).changes).toEqual({ update: 1 });
  const tokens = { projectToken: 'canary-other-token-0123456789' };
  expect((await fleet.rotateTokens('jane', tokens).result).changes).toEqual({ update: 1 });

  showPod('jane', false);
  expect((await fleet.remove('jane').result).changes.delete).toBeGreaterThan(10);
  expect(await fleet.list()).toEqual([]);
  expect(rendered().filter((file) => file.includes('jane'))).toEqual([]);
  await expect(fleet.status('jane')).rejects.toThrow('There is no instance jane');
}, 900_000);

test('three creations at once, two at a time', async () => {
  const { fleet } = given;
  const names = ['ada', 'bob', 'eve'];
  const made = await Promise.all(names.map((name) => fleet.create(name, spec(name)).result));
  expect(made.map(({ url }) => url)).toEqual(names.map((name) => `https://scipion.${name}.example.org/`));
  expect((await fleet.list()).map(({ name }) => name)).toEqual(names);
}, 900_000);

test('a creation that is killed is found and explained, and resume does the rest', async () => {
  const script = fileURLToPath(new URL('./killed-create.ts', import.meta.url));
  const args = ['--disable-warning=ExperimentalWarning', script, place, kubeconfig, 'kim'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of child.stdout) if (String(text).includes('step')) break;
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');

  const { fleet, records } = given;
  const { operation } = await fleet.status('kim');
  expect(operation).toMatchObject({
    state: 'killed',
    record: { kind: 'create', stage: 'engine', pid: child.pid },
  });
  expect(operation?.record.engine?.pid).toBeGreaterThan(0);
  const { url } = await fleet.resume('kim').result;
  expect(url).toBe('https://scipion.kim.example.org/');
  expect(records.find('kim')).toBeUndefined();
  expect((await fleet.resume('kim').result).changes).toEqual({});
}, 900_000);
