import { expect, test } from 'vitest';
import { knownVersions } from '../../stacks/versions.ts';
import type { AuditView, InstanceList, SiteView } from '../src/view-types.ts';
import { consoleProcess } from './helpers/console-process.ts';

/** An upgrade whose console is killed: the next one finds it, and an operator continues or leaves it. */

const [NEW = '', OLD = ''] = knownVersions();
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const BEFORE = '2026-11-01T08:00:00Z';
const PATIENCE = { timeout: 60_000 };

test('its plan and progress are found again, continued up to the end, or left as they are', async () => {
  await using console = await consoleProcess({
    'x-forwarded-user': 'olga',
    'x-forwarded-groups': 'operators',
  });
  const { get, post } = console;
  const site = () => get<SiteView>('/api/site');
  const states = async () => (await site()).upgrade?.instances.map(({ state }) => state);
  const versions = async () => (await site()).rows.map(({ version }) => version);
  /** Made, with nothing under way, and paused or not. */
  const isAt = async (name: string, isPaused: boolean) => {
    const { instances } = await get<InstanceList>('/api/instances');
    const found = instances.find((one) => one.name === name);
    const row = (await site()).rows.find((one) => one.name === name);
    return (
      found?.changedAt !== undefined && found.operation === undefined && (row?.isPaused === true) === isPaused
    );
  };
  const order = () => post('/api/site/upgrade', { version: NEW, wave: 2, names: NAMES });

  await console.start(1);
  const tokens = {
    sourceToken: `source-token-${'x'.repeat(20)}`,
    projectToken: `project-token-${'x'.repeat(20)}`,
  };
  for (const name of NAMES) {
    const settings = { sourceSpaceId: 'raw', projectSpaceId: `work-${name}`, version: OLD };
    expect((await post('/api/instances', { name, settings, ...tokens })).status).toBe(202);
    await expect.poll(() => isAt(name, false), PATIENCE).toBe(true);
    expect((await post(`/api/instances/${name}/pause`, {})).status).toBe(202);
    await expect.poll(() => isAt(name, true), PATIENCE).toBe(true);
  }
  await console.kill();

  // The first one never comes to its end.
  await console.start(600_000, BEFORE);
  expect((await post('/api/site/upgrade/continue', {})).status).toBe(409);
  expect((await order()).status).toBe(202);
  await expect.poll(states, PATIENCE).toEqual(['changes', 'left', 'left', 'left', 'left']);
  expect((await site()).upgrade).toMatchObject({ isOver: false, isInterrupted: false });
  await console.kill();

  await console.start(600_000, BEFORE);
  expect((await site()).upgrade).toMatchObject({
    ...{ isOver: false, isInterrupted: true, version: NEW, by: 'olga' },
    instances: [{ name: 'a', state: 'changes' }, ...NAMES.slice(1).map((name) => ({ name, state: 'left' }))],
  });
  // Nothing goes on by itself, and no second run begins beside it.
  expect((await order()).status).toBe(409);
  expect((await post('/api/site/upgrade/continue', {})).status).toBe(202);
  await expect.poll(async () => (await site()).upgrade?.isInterrupted, PATIENCE).toBe(false);
  await console.kill();

  await console.start(1, BEFORE);
  expect((await site()).upgrade?.isInterrupted).toBe(true);
  expect((await post('/api/site/upgrade/continue', {})).status).toBe(202);
  await expect.poll(states, PATIENCE).toEqual(Array(5).fill('done'));
  await expect.poll(async () => (await site()).upgrade?.isOver, PATIENCE).toBe(true);
  await expect.poll(versions, PATIENCE).toEqual(Array(5).fill(NEW));
  const { deeds } = await get<AuditView>('/api/site/audit?find=upgrade');
  expect(deeds.map(({ action }) => action)).toEqual(['upgrade-continue', 'upgrade-continue', 'upgrade']);
  await console.kill();

  // Another run, which is left.
  await console.start(600_000, BEFORE);
  expect((await site()).upgrade).toMatchObject({ isOver: true, isInterrupted: false });
  const back = { version: OLD, wave: 2, names: NAMES };
  expect((await post('/api/site/upgrade', back)).status).toBe(202);
  await expect.poll(states, PATIENCE).toEqual(['changes', 'left', 'left', 'left', 'left']);
  await console.kill();
  await console.start(1, BEFORE);
  expect((await post('/api/site/upgrade/stop', {})).status).toBe(200);
  const { upgrade } = await site();
  expect(upgrade).toMatchObject({ isOver: true, isInterrupted: false });
  expect(upgrade?.instances[0]).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('interrupted'),
  });
  expect(upgrade?.instances.slice(1).every(({ state }) => state === 'left')).toBe(true);
  expect((await versions()).slice(1)).toEqual(Array(4).fill(NEW));
}, 300_000);
