import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RuleNews } from '../src/rules/webhook.ts';
import type { InstanceView } from '../src/view-types.ts';
import { type FakeCluster, fakeCluster } from './helpers/fake-cluster.ts';
import { type RunningConsole, type StartOptions, startConsole } from './helpers/start-console.ts';
import { visitor } from './helpers/visitor.ts';

/** Instances that nobody uses, or whose time ends, on a console whose clocks are a test's. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let cluster: FakeCluster;
let folder: string;
let [wall, counted] = [0, 0];
let hook: Server;
let news: RuleNews[];
let headers: (string | undefined)[];
let answer: number;
const consoles: RunningConsole[] = [];
const token = randomBytes(12).toString('hex');

beforeEach(async () => {
  cluster = fakeCluster();
  folder = mkdtempSync(join(tmpdir(), 'rules-'));
  [wall, counted] = [Date.parse('2027-03-01T12:00:00Z'), 1000];
  [news, headers, answer] = [[], [], 204];
  writeFileSync(join(folder, 'token'), token);
  hook = createServer((request, response) => {
    void json(request).then((body) => {
      headers.push(request.headers.authorization);
      if (answer < 300) news.push(body as RuleNews);
      response.writeHead(answer).end();
    });
  });
  await new Promise<void>((done) => hook.listen(0, '127.0.0.1', done));
});
afterEach(async () => {
  for (const running of consoles.splice(0)) await running.stop();
  await new Promise((done) => hook.close(done));
  rmSync(folder, { recursive: true, force: true });
});

async function start(config: object = {}, more: Partial<StartOptions> = {}): Promise<RunningConsole> {
  const { port } = hook.address() as AddressInfo;
  const running = await startConsole({
    config: {
      idle: { pauseAfterHours: 24, warnHours: 2 },
      expiry: { days: 90, warnDays: 7 },
      webhook: { url: `http://127.0.0.1:${port}/hook`, tokenFile: join(folder, 'token') },
      ...config,
    },
    openCluster: cluster.open,
    now: () => wall,
    monotonic: () => counted,
    rulesDirectory: join(folder, 'rules'),
    ...more,
  });
  consoles.push(running);
  await running.console.rules.round();
  return running;
}

const make = async (running: RunningConsole, name: string) => {
  await running.fleet.create(name, {
    settings: { sourceSpaceId: 'raw', projectSpaceId: `work-${name}` },
    secrets: { sourceToken: 'source-token-0123456789', projectToken: 'project-token-0123456789' },
    owner: 'jane',
  }).result;
  cluster.states.set(name, 'running');
};
const idle = (name: string, hours: number | null, more: object = {}) =>
  cluster.syncs.set(name, {
    ...more,
    activity: { windows: 0, protocols: 0, cpus: 0, idleSeconds: hours === null ? null : hours * 3600 },
  });
/** Time goes by in steps that are counted, with a round after each. */
async function pass(hours: number, running: RunningConsole, each = () => {}): Promise<void> {
  for (let left = hours * HOUR; left > 0; left -= 10 * 60_000) {
    wall += 10 * 60_000;
    counted += 10 * 60_000;
    each();
    await running.console.rules.round();
  }
}
const isPaused = async ({ fleet }: RunningConsole, name: string) =>
  (await fleet.values(name)).values.paused === 'true';
const viewOf = async (running: RunningConsole, name: string, as = 'jane') =>
  (await (await visitor(running, as)).get(running, `/api/instances/${name}`)).json<InstanceView>();

test('what nobody uses is warned, told of, saved, and then paused, once', async () => {
  const running = await start();
  await make(running, 'mine');
  await make(running, 'used');
  idle('used', 0);
  idle('mine', 21);
  await running.console.rules.round();
  expect((await viewOf(running, 'mine')).rule).toBeUndefined();
  idle('mine', 22);
  await running.console.rules.round();
  const at = new Date(wall + 2 * HOUR).toISOString();
  expect((await viewOf(running, 'mine')).rule).toEqual({ why: 'idle', at });
  const page = `${running.origin}/instances/mine`;
  const told = { why: 'idle', instance: 'mine', owner: 'jane', page };
  expect(news).toEqual([{ event: 'will-be-paused', at, ...told }]);
  expect(headers).toEqual([`Bearer ${token}`]);
  expect(cluster.commands).toEqual([`mine: notice --json --pauses-at ${at} --why idle`]);
  const warnings = [{ code: 'pauses-soon' as const, message: '', at }];
  let hours = 22;
  await pass(1.8, running, () => {
    hours += 1 / 6;
    idle('mine', hours, { warnings });
  });
  expect(await isPaused(running, 'mine')).toBe(false);
  await pass(0.2, running, () => {
    hours += 1 / 6;
    idle('mine', hours, { warnings });
  });
  expect(await isPaused(running, 'mine')).toBe(true);
  cluster.states.set('mine', 'paused');
  expect(cluster.commands.filter((command) => command.includes('save'))).toEqual(['mine: save --json']);
  expect(news.slice(1)).toEqual([{ event: 'paused', at: expect.any(String), ...told }]);
  expect(running.project.ups.filter((name) => name === 'mine')).toHaveLength(2);
  await pass(1, running);
  expect(running.project.ups.filter((name) => name === 'mine')).toHaveLength(2);
  expect((await viewOf(running, 'mine')).rule).toEqual({ why: 'idle' });
  expect(await isPaused(running, 'used')).toBe(false);
  const deeds = running.audit().filter(({ user }) => user === 'rule:idle');
  expect(deeds.map(({ action, instance, outcome }) => [action, instance, outcome])).toEqual([
    ['pause', 'mine', 'begun'],
    ['pause', 'mine', 'done'],
  ]);
  expect(running.log.join() + JSON.stringify(deeds)).not.toContain(token);
  // Who starts it again is not told of it any more.
  await running.fleet.resume('mine').result;
  cluster.states.set('mine', 'running');
  idle('mine', 0, { warnings: [] });
  await running.console.rules.round();
  expect((await viewOf(running, 'mine')).rule).toBeUndefined();
});

test('whoever comes back in time is not warned any more, and the page of the desktop neither', async () => {
  const running = await start();
  await make(running, 'mine');
  idle('mine', 23);
  await running.console.rules.round();
  const at = new Date(wall + 2 * HOUR).toISOString();
  idle('mine', 0, { warnings: [{ code: 'pauses-soon', message: '', at }] });
  await pass(3, running);
  expect(await isPaused(running, 'mine')).toBe(false);
  expect((await viewOf(running, 'mine')).rule).toBeUndefined();
  expect(cluster.commands.at(-1)).toBe('mine: notice --json');
});

test('somebody who comes at the last moment keeps it running', async () => {
  const running = await start();
  await make(running, 'mine');
  idle('mine', 30);
  await pass(1.9, running);
  const { look } = running.console.board;
  // Seen as idle by the round, and in use when its turn comes.
  running.console.board.look = async (name) => {
    const found = await look.call(running.console.board, name);
    idle('mine', 0);
    return found;
  };
  await pass(0.4, running, () => idle('mine', 30));
  expect(await isPaused(running, 'mine')).toBe(false);
  expect(cluster.commands.filter((command) => command.includes('save'))).toEqual([]);
  expect((await viewOf(running, 'mine')).state).toBe('running');
});

test('what cannot be saved stays as it is, is told once, and tried again in an hour', async () => {
  const running = await start();
  await make(running, 'mine');
  idle('mine', 30);
  cluster.refusing.add('mine');
  await pass(2.5, running);
  expect(await isPaused(running, 'mine')).toBe(false);
  expect((await viewOf(running, 'mine')).state).toBe('running');
  expect(news.map(({ event }) => event)).toEqual(['will-be-paused', 'not-paused']);
  expect(news[1]?.message).toContain('the space is full');
  const saves = () => cluster.commands.filter((command) => command === 'mine: save --json').length;
  expect(saves()).toBe(1);
  cluster.refusing.clear();
  await pass(1.2, running);
  expect(saves()).toBe(2);
  expect(await isPaused(running, 'mine')).toBe(true);
});

test('what is not known is never idle', async () => {
  const running = await start();
  for (const name of ['silent', 'older', 'broken']) await make(running, name);
  idle('silent', null);
  cluster.syncs.set('broken', { phase: 'nonsense' as never });
  await pass(4, running);
  for (const name of ['silent', 'older', 'broken']) expect(await isPaused(running, name)).toBe(false);
  expect(news).toEqual([]);
});

test('a clock that jumps by a year pauses nothing, and a day later not what it has put right', async () => {
  const running = await start();
  const names = ['one', 'two', 'three'];
  for (const name of names) {
    await make(running, name);
    idle(name, 0);
    await running.fleet.setExpiry(name, new Date(wall + 90 * DAY)).result;
  }
  await running.console.rules.round();
  wall += 365 * DAY;
  await pass(3, running);
  for (const name of names) expect(await isPaused(running, name)).toBe(false);
  expect(news.map(({ event, instance }) => `${event} ${instance}`).sort()).toEqual(
    names.map((name) => `will-be-paused ${name}`).sort(),
  );
  wall -= 365 * DAY;
  await pass(30, running);
  for (const name of names) expect(await isPaused(running, name)).toBe(false);
  // And one that stays: the time has really come.
  wall += 365 * DAY;
  await pass(25, running);
  for (const name of names) expect(await isPaused(running, name)).toBe(true);
}, 120_000);

describe('the end of an instance', () => {
  test('is given at its creation, moved by operators alone, and refuses a start after it', async () => {
    const running = await start();
    const [jane, olga] = [await visitor(running, 'jane'), await visitor(running, 'olga')];
    const settings = { sourceSpaceId: 'raw', projectSpaceId: 'work' };
    const tokens = { sourceToken: 'source-token-0123456789', projectToken: 'project-token-0123456789' };
    expect((await jane.post(running, '/api/instances', { name: 'mine', settings, ...tokens })).status).toBe(
      202,
    );
    await running.console.operations.of('mine')?.operation.result;
    await running.console.board.refresh();
    const expiresAt = new Date(wall + 90 * DAY).toISOString();
    expect(await viewOf(running, 'mine')).toMatchObject({ expiresAt, mayExtend: false });
    const end = (one: typeof jane, date: string) => one.post(running, '/api/instances/mine/expiry', { date });
    expect((await end(jane, '2030-01-01')).status).toBe(404);
    for (const wrong of ['tomorrow', '2027-02-30', '2027-3-1'])
      expect((await end(olga, wrong)).status).toBe(400);
    expect((await end(olga, '2027-02-01')).status).toBe(202);
    await running.console.operations.of('mine')?.operation.result;
    expect(running.audit().at(-2)).toMatchObject({ user: 'olga', action: 'expiry', detail: '2027-02-01' });
    await running.fleet.pause('mine').result;
    await running.console.board.refresh();
    const resume = await jane.post(running, '/api/instances/mine/resume', {});
    expect([resume.status, resume.json()]).toEqual([422, { code: 'expired' }]);
    expect((await end(olga, '')).status).toBe(202);
    await running.console.operations.of('mine')?.operation.result;
    await running.console.board.refresh();
    expect((await viewOf(running, 'mine')).expiresAt).toBeUndefined();
    expect((await jane.post(running, '/api/instances/mine/resume', {})).status).toBe(202);
    await running.console.operations.of('mine')?.operation.result;
  });
});

test('a console that starts again goes on with what it has counted', async () => {
  const first = await start();
  await make(first, 'mine');
  idle('mine', 30);
  await pass(1.5, first);
  expect(news).toHaveLength(1);
  const { fleet } = first;
  await first.console.rules.close();
  counted = 5;
  const second = await start({}, { fleet });
  expect((await viewOf(second, 'mine')).rule?.why).toBe('idle');
  await pass(0.3, second);
  expect(await isPaused(second, 'mine')).toBe(false);
  await pass(0.4, second);
  expect(await isPaused(second, 'mine')).toBe(true);
  expect(news.map(({ event }) => event)).toEqual(['will-be-paused', 'paused']);
});

test('of two consoles one does it, and the other one when that has gone', async () => {
  const first = await start();
  await make(first, 'mine');
  const second = await start({}, { fleet: first.fleet });
  idle('mine', 30);
  for (let count = 0; count < 15; count += 1) {
    wall += 10 * 60_000;
    counted += 10 * 60_000;
    await Promise.all([first.console.rules.round(), second.console.rules.round()]);
  }
  expect(await isPaused(first, 'mine')).toBe(true);
  expect(news.map(({ event }) => event)).toEqual(['will-be-paused', 'paused']);
  expect(first.project.ups.filter((name) => name === 'mine')).toHaveLength(2);
  await first.console.rules.close();
  await make(first, 'other');
  idle('other', 23);
  await second.console.rules.round();
  expect(news.at(-1)).toMatchObject({ event: 'will-be-paused', instance: 'other' });
});

test('a webhook that fails is told later, and damaged notes begin anew', async () => {
  const running = await start();
  await make(running, 'mine');
  idle('mine', 23);
  answer = 500;
  await running.console.rules.round();
  expect(news).toEqual([]);
  expect(running.log.join()).toContain('answered 500');
  answer = 200;
  await running.console.rules.round();
  await running.console.rules.round();
  expect(news).toHaveLength(1);
  await running.console.rules.close();
  expect(readFileSync(join(folder, 'rules/notes.json'), 'utf8')).toContain('mine');
  writeFileSync(join(folder, 'rules/notes.json'), '{"mine": 3');
  const next = await start({}, { fleet: running.fleet });
  expect(next.log.join()).toContain('all warnings begin again');
  expect(await isPaused(next, 'mine')).toBe(false);
});

test('without rules nothing is looked at', async () => {
  const running = await startConsole({ openCluster: cluster.open });
  consoles.push(running);
  await make(running, 'mine');
  idle('mine', 9999);
  await running.console.rules.round();
  expect([running.console.rules.isOn, cluster.commands]).toEqual([false, []]);
  // The folder has the CPU hours, too.
  for (const name of ['notes.json', 'rules.lock'])
    expect(existsSync(join(running.folder, 'rules', name))).toBe(false);
  expect(await isPaused(running, 'mine')).toBe(false);
});
