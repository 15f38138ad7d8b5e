import { expect, test } from 'vitest';
import type { InstanceList } from '../src/view-types.ts';
import { consoleProcess } from './helpers/console-process.ts';

/** A console that is killed with SIGKILL in the middle of ten operations: the next one finds them all. */

test('ten operations are found again, explained, and finished or left', async () => {
  await using console = await consoleProcess({ 'x-forwarded-user': 'jane' });
  const { get, post } = console;
  const tokens = {
    sourceToken: `source-token-${'x'.repeat(20)}`,
    projectToken: `project-token-${'x'.repeat(20)}`,
  };
  await console.start(60_000);
  const names = Array.from({ length: 10 }, (_, index) => `of-jane-${index}`);
  for (const name of names) {
    const settings = { sourceSpaceId: 'raw', projectSpaceId: `work-${name}` };
    expect((await post('/api/instances', { name, settings, ...tokens })).status).toBe(202);
  }
  const stages = async () => {
    const { instances } = await get<InstanceList>('/api/instances');
    return instances.map(({ operation }) => operation?.stage).toSorted();
  };
  // Four are with the engine, the others wait for their turn.
  const expected = [...Array(4).fill('engine'), ...Array(6).fill('waiting')];
  await expect.poll(stages).toEqual(expected);
  await console.kill();
  await console.start(50);
  const { instances } = await get<InstanceList>('/api/instances');
  expect(instances.map(({ name }) => name).toSorted()).toEqual(names);
  for (const { state, owner, operation } of instances) {
    expect([state, owner, operation?.kind, operation?.isHere]).toEqual(['killed', 'jane', 'create', false]);
    // What waited has begun nothing, so its answers are asked for again.
    expect(operation?.needsAnswers).toBe(operation?.stage === 'waiting');
    if (operation?.stage === 'engine') expect(operation.underWay).toEqual(['create StatefulSet scipion']);
  }
  const waited = instances.filter(({ operation }) => operation?.needsAnswers).map(({ name }) => name);
  for (const name of waited) expect((await post(`/api/instances/${name}/give-up`, {})).status).toBe(200);
  const left = (await get<InstanceList>('/api/instances')).instances.map(({ name }) => name);
  expect(left.toSorted()).toEqual(names.filter((name) => !waited.includes(name)));
  for (const name of left) expect((await post(`/api/instances/${name}/continue`, {})).status).toBe(202);
  const undone = async () => {
    const all = (await get<InstanceList>('/api/instances')).instances;
    return all.filter(({ operation, changedAt }) => operation !== undefined || changedAt === undefined)
      .length;
  };
  await expect.poll(undone).toBe(0);
  expect((await get<InstanceList>('/api/instances')).instances.length).toBe(left.length);
});
