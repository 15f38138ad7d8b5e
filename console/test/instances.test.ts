import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openingKeyOf, readOpeningCode } from '../../sidecar/contract/opening-code.ts';
import type { FormField, InstanceList, InstanceView, TokenAnswer } from '../src/view-types.ts';
import { type ConsoleOnedata, startConsoleOnedata } from './helpers/console-onedata.ts';
import { fakeCluster } from './helpers/fake-cluster.ts';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { type Answer, Visitor, visitor } from './helpers/visitor.ts';

/** Instances by their pages: whose they are, what may be done with them, and what is refused. */

let onedata: ConsoleOnedata;
let running: RunningConsole;
const cluster = fakeCluster();
let tokens: ConsoleOnedata['tokens'];
let [jane, joe, olga]: Visitor[] = [];
const as = (one: Visitor | undefined) => one as Visitor;

beforeAll(async () => {
  onedata = await startConsoleOnedata();
  tokens = onedata.tokens;
  running = await startConsole({ openCluster: cluster.open, ask: onedata.ask });
  [jane, joe, olga] = await Promise.all(['jane', 'joe', 'olga'].map((name) => visitor(running, name)));
});
afterAll(async () => {
  await running.stop();
  await onedata.close();
});

const spec = (name: string, settings: object = {}) => ({
  name,
  settings: { sourceSpaceId: 'raw-id', projectSpaceId: 'work-id', ...settings },
  sourceToken: tokens.source,
  projectToken: tokens.project,
});
const view = async (one: Visitor | undefined, name: string) =>
  (await as(one).get(running, `/api/instances/${name}`)).json<InstanceView>();
const names = async (one: Visitor | undefined, query = '') =>
  (await as(one).get(running, `/api/instances${query}`))
    .json<InstanceList>()
    .instances.map(({ name }) => name);
const ended = async (name: string) => {
  await running.console.operations.of(name)?.operation.result.catch(() => undefined);
  // What follows the end of an operation is of the same turn.
  await setImmediate();
};
const codeOf = (answer: Answer) => `${answer.status} ${answer.json<{ code: string }>().code}`;

async function create(one: Visitor | undefined, name: string): Promise<void> {
  const answer = await as(one).post(running, '/api/instances', spec(name));
  expect(answer.status).toBe(202);
  await ended(name);
  await running.console.board.refresh();
}

/** All of a stream that ends by itself. */
async function progress(one: Visitor, name: string, after = '') {
  const headers = after === '' ? {} : { 'last-event-id': after };
  const answer = await one.request(`${running.origin}/api/instances/${name}/events`, { headers });
  const events = answer.text.split('\n\n').flatMap((block) => {
    const [, id = ''] = /^id: (.*)$/m.exec(block) ?? [];
    const [, data] = /^data: (.*)$/m.exec(block) ?? [];
    return data === undefined ? [] : [{ id, ...(JSON.parse(data) as { event: string }) }];
  });
  return { status: answer.status, events };
}

describe('the form', () => {
  test('is made of the schema, and a token leads to spaces by name, with what is better changed', async () => {
    const { fields } = (await as(jane).get(running, '/api/form')).json<{ fields: FormField[] }>();
    expect(fields.map(({ key, preset }) => [key, preset])).toEqual([
      ['version', '3.8.3'],
      ['cpuGuaranteed', '2'],
      ['cpuLimit', '4'],
      ['memory', '8Gi'],
      ['sourceVolumeSize', '100Gi'],
      ['projectVolumeSize', '50Gi'],
    ]);
    const look = async (side: string, token: string) =>
      (await as(jane).post(running, '/api/token', { side, token })).json<TokenAnswer>();
    expect(await look('source', tokens.source)).toMatchObject({
      kind: 'spaces',
      spaces: [{ id: 'raw-id', name: 'Microscope', advice: [], usedBy: [] }],
    });
    expect(await look('source', tokens.all)).toMatchObject({
      spaces: [{ advice: [{ code: 'could-write' }] }, { advice: [{ code: 'could-write' }] }],
    });
    expect(await look('project', tokens.source)).toMatchObject({
      spaces: [{ fault: { code: 'token-not-permitted' } }],
    });
    expect(await look('project', 'no token')).toMatchObject({ kind: 'unusable', code: 'no-token' });
  });

  test('checks each answer by the rules of the schema', async () => {
    const check = async (name: string, settings: object) =>
      (await as(jane).post(running, '/api/check', { name, settings })).json();
    expect(await check('jane-1', { cpuLimit: '20', memory: '1Gi' })).toEqual({
      wrong: {
        cpuLimit: 'a number of CPUs from 0.5 to 14, not below cpuGuaranteed',
        memory: 'a size from 2Gi to 2Ti',
      },
      isName: true,
      isTaken: false,
      would: {},
    });
    for (const name of ['Jane', 'a b', '-x', '', 'kube-system', 'default', 'x'.repeat(64), 'ján'])
      expect(await check(name, {})).toMatchObject({ isName: false });
  });
});

describe('a life', () => {
  test('from the form to the removal, each step with its time, from wherever it was seen', async () => {
    await create(jane, 'mine');
    expect(await view(jane, 'mine')).toMatchObject({
      name: 'mine',
      isOwn: true,
      owner: 'jane',
      version: '3.8.3',
    });
    const { events } = await progress(as(jane), 'mine');
    expect(events.map(({ event }) => event)).toEqual(['begun', 'step', 'step', 'done']);
    const rest = await progress(as(jane), 'mine', events[1]?.id);
    expect(rest.events).toEqual(events.slice(2));
    // Of another operation: from the beginning.
    expect((await progress(as(jane), 'mine', 'other:2')).events).toEqual(events);

    const meaning = await as(jane).post(running, '/api/instances/mine/meaning', {
      settings: { memory: '16Gi' },
    });
    expect(meaning.json()).toEqual({
      meanings: [{ key: 'memory', change: 'at the next start', needsRestart: true }],
    });
    const change = { settings: { memory: '16Gi' } };
    expect((await as(jane).post(running, '/api/instances/mine/change', change)).status).toBe(202);
    await ended('mine');
    const { fields } = (await as(jane).post(running, '/api/instances/mine/form')).json<{
      fields: FormField[];
    }>();
    expect(fields.find(({ key }) => key === 'memory')?.preset).toBe('16Gi');

    for (const action of ['pause', 'resume']) {
      expect((await as(jane).post(running, `/api/instances/mine/${action}`)).status).toBe(202);
      await ended('mine');
    }
    const token = { side: 'project', token: tokens.all };
    expect((await as(jane).post(running, '/api/instances/mine/token', token)).status).toBe(202);
    await ended('mine');

    const remove = (body: object) => as(jane).post(running, '/api/instances/mine/remove', body);
    expect(codeOf(await remove({ typed: 'other' }))).toBe('422 name-not-typed');
    expect(codeOf(await remove({ typed: '' }))).toBe('422 name-not-typed');
    expect(codeOf(await remove({ typed: 'mine', typedToLose: 'min' }))).toBe('422 name-not-typed');
    expect(codeOf(await remove({ typed: 'mine', discardUnsavedChanges: true }))).toBe('400 not-understood');
    expect(running.project.destroyed).toEqual([]);
    expect((await remove({ typed: 'mine' })).status).toBe(202);
    await ended('mine');
    await running.console.board.refresh();
    expect(running.project.destroyed).toEqual(['mine']);
    expect(codeOf(await as(jane).get(running, '/api/instances/mine'))).toBe('404 not-found');
    expect(await names(jane)).toEqual([]);
    const deeds = running.audit().filter(({ instance }) => instance === 'mine');
    expect(deeds.map(({ user, action, outcome }) => `${user} ${action} ${outcome}`)).toEqual(
      ['create', 'change', 'pause', 'resume', 'token', 'remove'].flatMap((action) => [
        `jane ${action} begun`,
        `jane ${action} done`,
      ]),
    );
  });

  test('an operation that failed is explained and continued, or left', async () => {
    running.project.failures.push(new Error('quota exceeded'));
    await create(jane, 'broken');
    expect(await view(jane, 'broken')).toMatchObject({
      state: 'failed',
      operation: { kind: 'create', stage: 'engine', failure: 'quota exceeded', needsAnswers: false },
    });
    expect((await as(jane).post(running, '/api/instances/broken/continue')).status).toBe(202);
    await ended('broken');
    expect((await view(jane, 'broken')).operation).toBeUndefined();
    running.project.failures.push(new Error('quota exceeded'));
    await as(jane).post(running, '/api/instances/broken/pause');
    await ended('broken');
    expect((await as(jane).post(running, '/api/instances/broken/give-up')).status).toBe(200);
    expect((await view(jane, 'broken')).operation).toBeUndefined();
    await as(jane).post(running, '/api/instances/broken/remove', { typed: 'broken' });
    await ended('broken');
  });
});

describe('whose it is', () => {
  const ROUTES = ['pause', 'resume', 'restart', 'save', 'continue', 'give-up', 'form', 'password'];
  const BODIES: [string, object][] = [
    ...ROUTES.map((route): [string, object] => [route, {}]),
    ['meaning', { settings: {} }],
    ['change', { settings: { memory: '16Gi' } }],
    ['token', { side: 'project', token: 'x'.repeat(30) }],
    ['remove', { typed: 'hers' }],
  ];
  beforeAll(() => create(jane, 'hers'));

  test('another user finds nothing of it, by any address', async () => {
    const before = [...running.project.ups];
    expect(await names(joe)).toEqual([]);
    expect(await names(joe, '?all=1')).toEqual([]);
    const nowhere = await as(joe).get(running, '/api/instances/nowhere');
    const hers = await as(joe).get(running, '/api/instances/hers');
    expect([hers.status, hers.text]).toEqual([nowhere.status, nowhere.text]);
    expect(codeOf(await as(joe).get(running, '/api/instances/hers/events'))).toBe('404 not-found');
    for (const [route, body] of BODIES)
      expect(codeOf(await as(joe).post(running, `/api/instances/hers/${route}`, body))).toBe('404 not-found');
    expect(codeOf(await as(joe).post(running, '/api/instances', spec('hers')))).toBe('409 exists');
    expect(running.project.ups).toEqual(before);
    expect(running.project.destroyed).not.toContain('hers');
  });

  test('an operator looks after it, and does not get its password', async () => {
    expect(await names(olga)).toEqual([]);
    expect(await names(olga, '?all=1')).toContain('hers');
    expect(await view(olga, 'hers')).toMatchObject({ isOwn: false, owner: 'jane' });
    expect(codeOf(await as(olga).post(running, '/api/instances/hers/password'))).toBe('404 not-found');
    expect((await as(olga).post(running, '/api/instances/hers/pause')).status).toBe(202);
    await ended('hers');
    expect(running.audit().at(-1)).toMatchObject({
      user: 'olga',
      action: 'pause',
      instance: 'hers',
      outcome: 'done',
    });
  });

  test('one that was made without the console belongs to no user of it', async () => {
    const { settings, sourceToken, projectToken } = spec('by-hand');
    await running.fleet.create('by-hand', { settings, secrets: { sourceToken, projectToken } } as never)
      .result;
    await running.console.board.refresh();
    expect(codeOf(await as(jane).get(running, '/api/instances/by-hand'))).toBe('404 not-found');
    expect(codeOf(await as(jane).post(running, '/api/instances', spec('by-hand')))).toBe('409 exists');
    expect(await names(olga, '?all=1')).toContain('by-hand');
  });

  test('a space that another instance uses is told, and whose that is', async () => {
    const answer = await as(joe).post(running, '/api/token', { side: 'project', token: tokens.project });
    const [space] = answer.json<TokenAnswer & { kind: 'spaces' }>().spaces;
    expect(space?.usedBy).toContainEqual({ name: 'hers', owner: 'jane' });
  });

  test('its password is for its owner, and the log says that it was shown', async () => {
    const answer = await as(jane).post(running, '/api/instances/hers/password');
    expect(answer.json()).toEqual({
      url: 'https://scipion.hers.example.org/',
      password: 'drawn in any case',
    });
    expect(running.audit().at(-1)).toMatchObject({ user: 'jane', action: 'password' });
    const ask = async () => (await as(jane).post(running, '/api/instances/hers/password')).status;
    const more = await Promise.all(Array.from({ length: 12 }, ask));
    expect(more.filter((status) => status === 429).length).toBe(3);
  });
});

test('opens an instance for its owner by a code that its gateway takes, and falls back to its login', async () => {
  const open = (one: Visitor | undefined) => as(one).post(running, '/api/instances/hers/open');
  expect((await open(jane)).json()).toEqual({ url: 'https://scipion.hers.example.org/' });
  const key = randomBytes(32);
  cluster.sessionKeys.set('hers', key.toString('base64'));
  const { url } = (await open(jane)).json<{ url: string }>();
  const [address, code = ''] = url.split('#');
  expect(address).toBe('https://scipion.hers.example.org/open');
  const origin = 'https://scipion.hers.example.org';
  expect(await readOpeningCode(code, { key: openingKeyOf(key), origin })).toMatchObject({ user: 'jane' });
  for (const other of [joe, olga]) expect(codeOf(await open(other))).toBe('404 not-found');
  expect(running.audit().at(-1)).toMatchObject({ user: 'jane', action: 'open', instance: 'hers' });
  expect(running.log.join() + running.files()).not.toContain(code);
});

describe('what is refused', () => {
  test.each<[string, Record<string, string>, boolean]>([
    ['another origin', { origin: 'https://evil.example.org' }, true],
    ['another site', { 'sec-fetch-site': 'cross-site' }, true],
    ['no origin', { origin: '', 'sec-fetch-site': '' }, true],
    ['another port', { origin: 'http://localhost:1' }, true],
    ['no token', { 'x-csrf-token': '' }, true],
    ['the token of somebody else', {}, false],
  ])('a change from %s', async (_name, headers, isOwnToken) => {
    const ups = running.project.ups.length;
    const own = as(jane).csrf;
    if (!isOwnToken) as(jane).csrf = as(joe).csrf;
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
    const without = Object.keys(headers).filter((name) => headers[name] === '');
    const answer = await postWithout(as(jane), given, without);
    as(jane).csrf = own;
    expect(codeOf(answer)).toBe('403 not-from-here');
    expect(running.project.ups.length).toBe(ups);
  });

  async function postWithout(one: Visitor, given: Record<string, string>, without: string[]) {
    const all: Record<string, string> = {
      'content-type': 'application/json',
      'x-csrf-token': one.csrf,
      origin: running.origin,
      'sec-fetch-site': 'same-origin',
      ...given,
    };
    for (const name of without) delete all[name];
    const url = `${running.origin}/api/instances`;
    return one.request(url, { method: 'POST', headers: all, body: JSON.stringify(spec('forged')) });
  }

  test('whoever is not signed in, before a body is read', async () => {
    const stranger = new Visitor();
    expect(codeOf(await stranger.get(running, '/api/instances'))).toBe('401 signed-out');
    expect(codeOf(await stranger.post(running, '/api/instances', { x: 'y'.repeat(60_000) }))).toBe(
      '401 signed-out',
    );
  });

  test.each<[string, object]>([
    ['YAML', { memory: '8Gi\nscipion:domain: evil.example.org' }],
    ['a shell', { memory: '8Gi; reboot', cpuLimit: '$(reboot)' }],
    ['another script', { memory: '٨Gi' }],
    ['nothing', { memory: ' ' }],
    ['too much', { memory: '999999Ti' }],
    ['a space that is YAML', { sourceSpaceId: '{raw: id}' }],
    ['a host that is an address', { onedataHost: 'https://evil.example.org/x' }],
  ])('a field that is %s', async (_name, settings) => {
    const answer = await as(jane).post(running, '/api/instances', spec('odd', settings));
    expect(codeOf(answer)).toBe('422 answers-wrong');
    expect(await running.project.list()).not.toContainEqual(expect.objectContaining({ name: 'odd' }));
  });

  test.each<[string, unknown]>([
    ['a setting of the site', { ...({} as object), settings: { domain: 'evil.example.org' } }],
    ['a list', []],
    ['a text', 'x'],
    ['null', null],
    ['a huge value', { settings: { memory: 'x'.repeat(501) } }],
    ['a prototype', JSON.parse('{"__proto__": {"name": "x"}}')],
  ])('a form that is %s', async (_name, change) => {
    const isPlain = typeof change === 'object' && change !== null && !Array.isArray(change);
    const body = isPlain ? { ...spec('odd'), ...change } : change;
    const sent =
      isPlain && 'settings' in change
        ? { ...spec('odd'), settings: { ...spec('odd').settings, ...(change.settings as object) } }
        : body;
    const answer = await as(jane).post(running, '/api/instances', sent as object);
    expect([202, 400, 422]).toContain(answer.status);
    if (answer.status === 202) await ended('odd');
    expect(await running.fleet.values('odd').then(({ values }) => values.domain)).toBe('example.org');
  });

  test('a body that is too large, a path that is none, a name that is a path', async () => {
    expect(codeOf(await as(jane).post(running, '/api/check', { name: 'x'.repeat(70_000) }))).toBe(
      '413 too-large',
    );
    for (const path of ['/api/nothing', '/api/instances/..%2f..%2fetc', '/api/instances/%00'])
      expect((await as(jane).get(running, path)).status).toBeGreaterThanOrEqual(400);
    expect((await as(jane).get(running, '/nowhere')).text).toContain('Nothing is here');
  });
});

test('no token is in an answer, a log, an event, a record, or in the state in clear', async () => {
  running.project.failures.push(new Error('the cluster refused'));
  await create(jane, 'canary');
  const { events } = await progress(as(jane), 'canary');
  const list = (await as(jane).get(running, '/api/instances')).text;
  const seen = [JSON.stringify(events), list, running.log.join(), running.files()].join();
  expect(seen).toContain('the cluster refused');
  for (const token of Object.values(tokens)) expect(seen).not.toContain(token);
});

test('every answer has the headers that keep pages apart', async () => {
  for (const path of ['/', '/api/me', '/assets/app.js', '/nowhere', '/api/nothing', '/sign-in']) {
    const { headers } = await new Visitor().get(running, path);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  }
});
