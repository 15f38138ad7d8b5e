import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InterruptedError } from '../../engine/index.ts';
import { isLockOf } from '../engine-run.ts';
import { Fleet } from '../fleet.ts';
import type { FleetEvent, Operation } from '../operation.ts';
import { OperationRecords } from '../records.ts';
import { type FakeProject, fakeProject } from './fake-project.ts';

/** What the fleet promises, on a project of which nothing is deployed. */

const TOKENS = {
  sourceToken: 'canary-source-token-0123456789',
  projectToken: 'canary-project-token-0123456789',
};
const SPEC = { settings: { sourceSpaceId: 'raw', projectSpaceId: 'work' }, secrets: TOKENS };

let place: string;
let project: FakeProject;
let records: OperationRecords;
let fleet: Fleet;
const noCluster = () => {
  throw new Error('no cluster here');
};
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'fleet-'));
  project = fakeProject(place);
  records = new OperationRecords(join(place, 'operations'));
  fleet = new Fleet({ project, directory: place, records, openCluster: noCluster });
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

async function eventsOf(operation: Operation): Promise<FleetEvent[]> {
  const events: FleetEvent[] = [];
  for await (const event of operation) events.push(event);
  return events;
}

const messageOf = (operation: Operation): Promise<string> =>
  operation.result.then(
    () => 'done',
    (error: Error) => error.message,
  );

test('the door of an instance has a password only where one opens it', async () => {
  const url = 'https://scipion.jane.example.org/';
  await fleet.create('jane', SPEC).result;
  expect(await fleet.door('jane')).toEqual({ url, password: 'drawn in any case' });
  const signIn = {
    signInIssuer: 'https://id.example.org',
    signInClientId: 'scipion',
    signInUsers: '["jane"]',
  };
  await fleet.change('jane', { settings: { ...signIn, passwordLogin: 'false' } }).result;
  expect(await fleet.door('jane')).toEqual({ url });
  await expect(fleet.door('joe')).rejects.toThrow('joe');
});

test('what is on by itself is turned off, and what is off by itself is no change', async () => {
  await fleet.create('jane', SPEC).result;
  const file = () => readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8');
  await fleet.change('jane', { settings: { checkTokens: 'false', paused: 'false' } }).result;
  expect(file()).toContain('scipion:checkTokens: "false"');
  expect(file()).not.toContain('paused');
});

describe('a life', () => {
  test('from creation to removal, each step seen by whoever listens, however late', async () => {
    const creation = fleet.create('jane', SPEC);
    const { url } = await creation.result;
    expect(url).toBe('https://scipion.jane.example.org/');
    const events = await eventsOf(creation);
    expect(events.map(({ event }) => event)).toEqual(['begun', 'step', 'step', 'done']);
    expect((await fleet.list()).map(({ name, version }) => [name, version])).toEqual([['jane', '3.8.3']]);

    const { keys } = await fleet.change('jane', { settings: { memory: '16Gi' } }).result;
    expect(keys).toMatchObject([{ key: 'memory', needsRestart: true }]);
    await fleet.pause('jane').result;
    expect(readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8')).toContain('scipion:paused: "true"');
    await fleet.resume('jane').result;
    expect(readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8')).toContain('scipion:paused: "false"');
    await fleet.remove('jane').result;
    expect(project.destroyed).toEqual(['jane']);
    expect(await fleet.list()).toEqual([]);
  });

  test('the list sees what is changed in a file by hand, of one stack and of all, and forgets what is gone', async () => {
    await fleet.create('jane', { ...SPEC, owner: 'u-1' }).result;
    const listed = async () => (await fleet.list()).map(({ name, owner, url }) => [name, owner, url]);
    expect(await listed()).toEqual([['jane', 'u-1', 'https://scipion.jane.example.org/']]);
    const change = (file: string, from: string, to: string) =>
      writeFileSync(join(place, file), readFileSync(join(place, file), 'utf8').replace(from, to));
    // As long as before: the length alone does not tell.
    change('Pulumi.jane.yaml', 'u-1', 'u-2');
    expect(await listed()).toEqual([['jane', 'u-2', 'https://scipion.jane.example.org/']]);
    change('Pulumi.yaml', 'domain: example.org', 'domain: example.net');
    expect(await listed()).toEqual([['jane', 'u-2', 'https://scipion.jane.example.net/']]);
    change('Pulumi.jane.yaml', 'config:', 'config: [');
    expect(await fleet.list()).toMatchObject([
      { name: 'jane', problem: expect.stringContaining('not valid YAML') },
    ]);
    await project.forget('jane');
    expect(await listed()).toEqual([]);
  });

  test('an instance of somebody is not taken over by the creation of somebody else', async () => {
    project.failures.push(new Error('quota exceeded'));
    await messageOf(fleet.create('jane', { ...SPEC, owner: 'u-1' }));
    const taken = await messageOf(fleet.create('jane', { ...SPEC, owner: 'u-2' }));
    expect(taken).toContain('There is an instance jane already');
    expect((await fleet.list()).map(({ owner }) => owner)).toEqual(['u-1']);
    expect(await messageOf(fleet.create('jane', { ...SPEC, owner: 'u-1' }))).toBe('done');
  });

  test('what was left undone is taken up as what it was', async () => {
    await fleet.create('jane', SPEC).result;
    project.failures.push(new Error('the save failed'));
    await messageOf(fleet.pause('jane'));
    const again = fleet.takeUp('jane');
    expect(again?.kind).toBe('pause');
    await again?.result;
    expect(fleet.takeUp('jane')).toBeUndefined();
    expect(fleet.takeUp('joe')).toBeUndefined();
  });

  test('a token is in no event, record or error', async () => {
    project.failures.push(new Error('the cluster refused'));
    const creation = fleet.create('jane', SPEC);
    const seen = JSON.stringify(await eventsOf(creation));
    const files = readdirSync(join(place, 'operations')).map((file) =>
      readFileSync(join(place, 'operations', file), 'utf8'),
    );
    expect(files.join()).toContain('the cluster refused');
    for (const token of Object.values(TOKENS)) expect(seen + files.join()).not.toContain(token);
  });
});

describe('many at once', () => {
  test('50 creations: bounded, all done, none twice', async () => {
    project = fakeProject(place, 20);
    fleet = new Fleet({ project, directory: place, records, openCluster: noCluster });
    const names = Array.from({ length: 50 }, (_, index) => `user-${index}`);
    const asked = [...names, ...names].map((name) => fleet.create(name, SPEC));
    const outcomes = await Promise.allSettled(asked.map(({ result }) => result));
    expect(outcomes.slice(0, 50).filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(outcomes.slice(50).every(({ status }) => status === 'rejected')).toBe(true);
    expect(project.ups.toSorted()).toEqual(names.toSorted());
    // A busy machine may not have the fourth begun before the first ends.
    expect([2, 3, 4]).toContain(project.most());
    expect(records.stacks()).toEqual([]);
  });

  test('a second operation on an instance is refused at once, and says what runs', async () => {
    const first = fleet.create('jane', SPEC);
    expect(await messageOf(fleet.remove('jane'))).toMatch(
      /^"create" \(since .* process \d+ on .*\) still runs on jane; nothing was begun\./,
    );
    await first.result;
    expect(project.destroyed).toEqual([]);
  });
});

describe('refusals', () => {
  test('all problems of a creation at once, and nothing is made', async () => {
    const settings = { memory: '1Gi', cpuLimit: '20', sourceSpaceId: 'raw', projectSpaceId: 'raw' };
    const message = await messageOf(fleet.create('jane', { settings, secrets: TOKENS }));
    for (const key of ['memory', 'cpuLimit', 'projectSpaceId']) expect(message).toContain(`scipion:${key}:`);
    expect(await project.list()).toEqual([]);
    expect(await fleet.list()).toEqual([]);
    expect(await messageOf(fleet.create('jane', SPEC))).toBe('done');
  });

  test.each(['Jane', 'a b', '../x', '-x', '', `${'x'.repeat(64)}`, 'x;reboot', 'jan\u00e9'])(
    'the name %j',
    async (name) => {
      expect(await messageOf(fleet.create(name, SPEC))).toContain('expected the name of an instance');
      expect(readdirSync(join(place, 'operations'))).toEqual([]);
    },
  );

  test('what exists already, what does not exist, and what never changes', async () => {
    await fleet.create('jane', SPEC).result;
    expect(await messageOf(fleet.create('jane', SPEC))).toContain('There is an instance jane already');
    expect(await messageOf(fleet.pause('joe'))).toContain('There is no instance joe');
    const other = { settings: { projectSpaceId: 'other' } };
    const before = readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8');
    expect(await messageOf(fleet.change('jane', other))).toMatch(
      /found work, asked for other.*Nothing was changed/,
    );
    expect(readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8')).toBe(before);
    expect(project.ups).toEqual(['jane']);
  });
});

describe('what did not end well', () => {
  test('is told by status, and resume does the rest', async () => {
    project.failures.push(new Error('quota exceeded'));
    expect(await messageOf(fleet.create('jane', SPEC))).toBe('quota exceeded');
    const { operation } = await fleet.status('jane');
    expect(operation).toMatchObject({
      state: 'failed',
      record: {
        kind: 'create',
        stage: 'engine',
        failure: 'quota exceeded',
        underWay: ['create StatefulSet scipion'],
      },
    });
    await fleet.resume('jane').result;
    expect((await fleet.status('jane')).operation).toBeUndefined();
  });

  test('a creation is done again with its answers', async () => {
    project.failures.push(new Error('quota exceeded'));
    await messageOf(fleet.create('jane', SPEC));
    await fleet.create('jane', SPEC).result;
    expect(project.ups).toEqual(['jane', 'jane']);
  });

  test('a run that its user stopped says how to go on', async () => {
    project.failures.push(new InterruptedError('up of stack jane was stopped.'));
    expect(await messageOf(fleet.create('jane', SPEC))).toContain(
      'To continue: npm run instance -- resume jane',
    );
  });

  test('is given up, and the instance stays as it is', async () => {
    project.failures.push(new Error('quota exceeded'));
    await messageOf(fleet.create('jane', SPEC));
    expect(await fleet.giveUp('jane')).toMatchObject({ record: { kind: 'create' } });
    expect((await fleet.list()).map(({ name, operation }) => [name, operation])).toEqual([
      ['jane', undefined],
    ]);
  });

  test('work that was given up once is not given up by the next removal', async () => {
    await fleet.create('jane', SPEC).result;
    project.failures.push(new Error('the save failed'));
    await messageOf(fleet.remove('jane', { discardUnsavedChanges: true }));
    project.failures.push(new Error('the save failed'));
    await messageOf(fleet.remove('jane'));
    expect(readFileSync(join(place, 'Pulumi.jane.yaml'), 'utf8')).toContain(
      'scipion:discardUnsavedChanges: "false"',
    );
  });
});

test.each([
  ['stack is currently locked by 1 lock(s).\n  file:x: created by a@b (pid 7) at now', 7, true],
  ['stack is currently locked by 1 lock(s).\n  file:x: created by a@b (pid 8) at now', 7, false],
  ['stack is currently locked by 2 lock(s).\n (pid 7) at now\n (pid 8) at now', 7, false],
  ['stack is currently locked by 1 lock(s).', 7, false],
  ['something else (pid 7)', 7, false],
  ['stack is currently locked by 1 lock(s).\n (pid 7)', undefined, false],
])(
  'a lock is taken away only where it is of the engine whose end was seen: %j, %s',
  (message, pid, isOwn) => {
    expect(isLockOf(message, pid)).toBe(isOwn);
  },
);
