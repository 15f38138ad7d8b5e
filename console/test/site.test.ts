import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { knownVersions } from '../../stacks/versions.ts';
import { AuditLog } from '../src/audit.ts';
import type { AuditView, Me, SiteView } from '../src/view-types.ts';
import { type FakeCluster, fakeCluster } from './helpers/fake-cluster.ts';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { type Visitor, visitor } from './helpers/visitor.ts';

/** What operators see and do of the whole site, and that nobody else does. */

const [NEW = '', OLD = ''] = knownVersions();
const announcementFile = join(tmpdir(), `announcement-${randomBytes(6).toString('hex')}`);

let cluster: FakeCluster;
let running: RunningConsole;
let [jane, olga]: Visitor[] = [];
const as = (one: Visitor | undefined) => one as Visitor;
const comparisons: { readonly name: string; readonly end: (text: string) => void }[] = [];

const make = async (name: string, owner: string, state: 'running' | 'starting' | 'paused' = 'running') => {
  await running.fleet.create(name, {
    settings: { sourceSpaceId: 'raw', projectSpaceId: `work-${name}`, version: OLD },
    secrets: { sourceToken: 'source-token-0123456789', projectToken: 'project-token-0123456789' },
    owner,
  }).result;
  if (state === 'paused') await running.fleet.pause(name).result;
  cluster.states.set(name, state);
};
const site = async (): Promise<SiteView> => (await as(olga).get(running, '/api/site')).json<SiteView>();
const rowOf = async (name: string) => (await site()).rows.find((row) => row.name === name);
async function until<T>(look: () => Promise<T>, check: (found: T) => boolean): Promise<T> {
  for (const end = Date.now() + 20_000; ; ) {
    const found = await look();
    if (check(found)) return found;
    if (Date.now() > end) throw new Error(`it stayed ${JSON.stringify(found)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

beforeAll(async () => {
  cluster = fakeCluster();
  running = await startConsole({
    config: { announcementFile },
    openCluster: cluster.open,
    milliseconds: 30,
    compare: (name) =>
      new Promise((done) =>
        comparisons.push({
          name,
          end: (text) => done({ state: text ? 'drifted' : 'as it should be', text }),
        }),
      ),
  });
  [jane, olga] = await Promise.all(['jane', 'olga'].map((name) => visitor(running, name)));
  await make('of-jane', 'jane');
  await make('of-joe', 'joe', 'starting');
  await make('asleep', 'joe', 'paused');
  cluster.syncs.set('of-jane', { activity: { windows: 0, protocols: 0, cpus: 0, idleSeconds: 7265 } });
  await running.console.board.refresh();
});
afterAll(async () => {
  await running.stop();
  rmSync(announcementFile, { force: true });
});

test('there is nothing for anybody else', async () => {
  const posts: [string, object][] = [
    ['drift', { name: 'of-jane' }],
    ['upgrade', { version: NEW, wave: 5, names: ['of-jane'] }],
    ['upgrade/stop', {}],
    ['announcement', { text: 'mine' }],
  ];
  const before = running.audit().length;
  for (const path of ['', '/audit']) {
    const answer = await as(jane).get(running, `/api/site${path}`);
    expect([path, answer.status, answer.json()]).toEqual([path, 404, { code: 'not-found' }]);
  }
  for (const [path, body] of posts) {
    const answer = await as(jane).post(running, `/api/site/${path}`, body);
    expect([path, answer.status]).toEqual([path, 404]);
    const stranger = await fetch(`${running.origin}/api/site/${path}`, { method: 'POST' });
    expect([401, 403]).toContain(stranger.status);
  }
  expect(running.audit()).toHaveLength(before);
  expect(comparisons).toEqual([]);
});

test('all instances are told with their age, what waits, what is used, and for how long nobody did', async () => {
  const found = await until(site, ({ rows }) => rows.some(({ usedBytes }) => usedBytes !== undefined));
  expect(found.rows.map(({ name }) => name)).toEqual(['asleep', 'of-jane', 'of-joe']);
  expect(found.versions).toEqual(knownVersions());
  const waiting = await until(
    () => rowOf('of-joe'),
    (row) => row?.isNoRoom === true,
  );
  expect(waiting).toMatchObject({
    state: 'starting',
    owner: 'joe',
    waits: expect.stringContaining('Insufficient cpu'),
  });
  expect(await rowOf('of-jane')).toMatchObject({
    owner: 'jane',
    version: OLD,
    idleSeconds: 7260,
    usedBytes: 97e9,
    createdAt: '2026-10-01T08:00:00.000Z',
  });
  expect((await rowOf('asleep'))?.isPaused).toBe(true);
});

test('instances are asked a few at a time, and not again at each look', async () => {
  const before = cluster.asked.looks;
  await Promise.all(Array.from({ length: 20 }, site));
  expect(cluster.asked.looks - before).toBe(0);
});

test('one comparison with the cluster at a time', async () => {
  const compare = async (name: string) => (await as(olga).post(running, '/api/site/drift', { name })).status;
  expect(await compare('nowhere')).toBe(404);
  expect(await compare('of-jane')).toBe(202);
  expect(await compare('of-joe')).toBe(409);
  expect((await site()).comparing).toBe('of-jane');
  // The engine has the stack meanwhile.
  const save = await as(jane).post(running, '/api/instances/of-jane/save', {});
  expect([save.status, save.json<{ code: string }>().code]).toEqual([409, 'busy']);
  expect((await rowOf('of-jane'))?.state).toBe('running');
  comparisons[0]?.end('StatefulSet scipion: somebody set spec.replicas');
  const row = await until(
    () => rowOf('of-jane'),
    (found) => found?.drift !== undefined,
  );
  expect(row?.drift).toMatchObject({ state: 'drifted', text: expect.stringContaining('spec.replicas') });
  expect((await as(jane).post(running, '/api/instances/of-jane/save', {})).status).toBe(202);
  expect(await compare('of-joe')).toBe(202);
  comparisons[1]?.end('');
  await until(
    () => rowOf('of-joe'),
    (found) => found?.drift?.state === 'as it should be',
  );
  expect(comparisons.map(({ name }) => name)).toEqual(['of-jane', 'of-joe']);
});

describe('another release', () => {
  const order = (names: string[], more: object = {}) =>
    as(olga).post(running, '/api/site/upgrade', { version: NEW, wave: 2, names, ...more });
  const upgradeOf = async () => (await site()).upgrade;
  const over = () => until(upgradeOf, (upgrade) => upgrade?.isOver === true);

  test('is refused where it cannot be, with nothing begun', async () => {
    const many = Array.from({ length: 2001 }, (_, index) => `i-${index}`);
    for (const [names, more] of [
      [['nowhere'], {}],
      [[], {}],
      [many, {}],
      [['asleep'], { version: '1.0' }],
      [['asleep'], { version: OLD }],
      [['asleep'], { wave: 0 }],
      [['asleep'], { wave: 11 }],
    ] as [string[], object][])
      expect([400, 422]).toContain((await order(names, more)).status);
    expect(await upgradeOf()).toBeUndefined();
  });

  test('goes one by one, then in waves, and stops at the first that fails', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => `wave-${letter}`);
    for (const name of names) await make(name, 'joe', 'paused');
    await running.console.board.refresh();
    running.project.ups.length = 0;
    // The first run of the second wave: two run beside each other, so one of them.
    const failing = new Error('the quota is used up');
    const { set } = running.project;
    let count = 0;
    Object.assign(running.project, {
      set: (...given: Parameters<typeof set>) => {
        count += 1;
        if (count === 2) running.project.failures.push(failing);
        return set(...given);
      },
    });
    expect((await order(names)).status).toBe(202);
    expect((await order(['asleep'])).status).toBe(409);
    const end = await over();
    Object.assign(running.project, { set });
    const states = Object.groupBy(end?.instances ?? [], ({ state }) => state);
    expect(states.done?.length).toBe(2);
    expect(states.failed?.map(({ message }) => message)).toEqual([
      expect.stringContaining('quota is used up'),
    ]);
    expect(states.left?.map(({ name }) => name)).toEqual(['wave-d', 'wave-e', 'wave-f']);
    expect(running.project.ups.toSorted()).toEqual(['wave-a', 'wave-b', 'wave-c']);
    for (const name of ['wave-d', 'wave-e', 'wave-f'])
      expect((await running.fleet.values(name)).values.version).toBe(OLD);
    const deeds = running.audit().filter(({ user }) => user === 'olga');
    expect(deeds.find(({ action }) => action === 'upgrade')).toMatchObject({
      outcome: 'begun',
      detail: `${NEW}: 6 instances, waves of 2`,
    });
    expect(deeds.filter(({ action }) => action === 'change')).toHaveLength(3);
  });

  test('stops by button after what is under way', async () => {
    const names = ['wave-d', 'wave-e', 'wave-f'];
    expect((await order(names, { wave: 1 })).status).toBe(202);
    expect((await as(olga).post(running, '/api/site/upgrade/stop', {})).status).toBe(200);
    const end = await over();
    expect(end?.instances.map(({ state }) => state)).toEqual(['done', 'left', 'left']);
  });
});

test('an announcement is made and taken back', async () => {
  const announce = async (text: string) =>
    (await as(olga).post(running, '/api/site/announcement', { text })).status;
  const told = async () => (await as(jane).get(running, '/api/me')).json<Me>().announcement;
  expect(await announce('Friday: <b>no</b> desktops.')).toBe(200);
  expect(await told()).toBe('Friday: <b>no</b> desktops.');
  expect(readFileSync(announcementFile, 'utf8')).toBe('Friday: <b>no</b> desktops.\n');
  expect(await announce('x'.repeat(2001))).toBe(400);
  expect(await announce('')).toBe(200);
  expect(await told()).toBeUndefined();
});

describe('the audit log', () => {
  const audit = async (find = '') =>
    (await as(olga).get(running, `/api/site/audit?find=${encodeURIComponent(find)}`)).json<AuditView>().deeds;

  test('is shown newest first, and searched', async () => {
    const all = await audit();
    expect(all[0]).toMatchObject({ user: 'olga', action: 'announce' });
    expect(all.length).toBeLessThanOrEqual(200);
    const found = await audit(' WAVE-a ');
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(({ instance }) => instance))).toEqual(new Set(['wave-a']));
    expect(await audit('nothing like it')).toEqual([]);
  });

  test('is read from its end, over the file that was put aside, whatever stands in it', async () => {
    const log = new AuditLog(join(running.folder, 'apart'), 2000);
    for (let index = 0; index < 30; index += 1)
      log.write({ user: 'jane', action: 'save', instance: `i-${index}`, outcome: 'done', detail: '"\n{<b>' });
    const newest = await log.newest(25, 'save');
    expect(newest.map(({ instance }) => instance).slice(0, 3)).toEqual(['i-29', 'i-28', 'i-27']);
    expect(newest.length).toBeGreaterThan(12);
  });
});
