import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserLimits } from '../src/limits.ts';
import type { CheckAnswer, InstanceList, NewForm } from '../src/view-types.ts';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { type Answer, type Visitor, visitor } from './helpers/visitor.ts';

/** How much one user may have, by the pages. */

const as = (one: Visitor | undefined) => one as Visitor;
const TOKENS = {
  sourceToken: 'source-token-0123456789',
  projectToken: 'project-token-0123456789',
};
const spec = (name: string, settings: object) => ({
  name,
  settings: { sourceSpaceId: 'raw-id', projectSpaceId: `work-${name}`, ...settings },
  ...TOKENS,
});

test('a second try for one instance that is refused gives back nothing of the first', () => {
  const limits = new UserLimits({ instances: 1 }, () => []);
  const taken = { instances: 1, cpus: 1, memory: 1, storage: 1 };
  const first = limits.reserve('jane', 'a', taken);
  limits.reserve('jane', 'a', taken)();
  expect(limits.over('jane', 'b', taken)).toEqual({ instances: { taken: 2, allowed: 1 } });
  first();
  expect(limits.over('jane', 'b', taken)).toEqual({});
});

describe('limits of a user', () => {
  const limits = { instances: 2, cpus: 5, memory: '20Gi', storage: '1Ti' };
  let limited: RunningConsole;
  let [anna, boss]: Visitor[] = [];
  const make = (name: string, settings: object = {}, one = anna) =>
    as(one).post(limited, '/api/instances', spec(name, settings));
  const settled = async (name: string) => {
    await limited.console.operations.of(name)?.operation.result.catch(() => undefined);
    await limited.console.board.refresh();
  };
  const overOf = (answer: Answer) => ({
    status: answer.status,
    ...answer.json<{ code?: string; over?: object }>(),
  });
  beforeAll(async () => {
    limited = await startConsole({ config: { limits }, milliseconds: 50 });
    [anna, boss] = await Promise.all(['jane', 'olga'].map((name) => visitor(limited, name)));
  });
  afterAll(() => limited.stop());

  test('are told in the form, and what is more is refused with numbers before anything is begun', async () => {
    const { allowances } = (await as(anna).get(limited, '/api/form')).json<NewForm>();
    expect(allowances).toMatchObject({
      instances: { taken: 0, allowed: 2 },
      memory: { taken: 0, allowed: 20 * 2 ** 30 },
    });
    const large = await make('large', { memory: '32Gi', projectVolumeSize: '2Ti' });
    expect(overOf(large)).toEqual({
      status: 422,
      code: 'over-limit',
      over: {
        memory: { taken: 32 * 2 ** 30, allowed: 20 * 2 ** 30 },
        storage: { taken: 2 * 2 ** 40 + 100 * 2 ** 30, allowed: 2 ** 40 },
      },
    });
    expect(limited.audit().filter(({ instance }) => instance === 'large')).toEqual([]);
  });

  test('tell beforehand what an instance would take, and with it', async () => {
    const check = async (settings: object, one = anna) =>
      (await as(one).post(limited, '/api/check', { name: 'next', settings })).json<CheckAnswer>();
    const GiB = 2 ** 30;
    expect((await check({ memory: '12Gi', cpuGuaranteed: '3', projectVolumeSize: '60Gi' })).would).toEqual({
      instances: { taken: 1, allowed: 2 },
      cpus: { taken: 3, allowed: 5 },
      memory: { taken: 12 * GiB, allowed: 20 * GiB },
      storage: { taken: 160 * GiB, allowed: 2 ** 40 },
    });
    expect((await check({ memory: '32Gi' })).would.memory).toEqual({ taken: 32 * GiB, allowed: 20 * GiB });
    expect(await check({ memory: 'much' })).toMatchObject({
      would: {},
      wrong: { memory: expect.any(String) },
    });
    expect((await check({}, boss)).would).toEqual({});
  });

  test('hold for many that are asked for at once, for a change and for a start after a pause', async () => {
    const answers = await Promise.all(['one', 'two', 'three', 'four'].map((name) => make(name)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 422, 422]);
    const made = ['one', 'two', 'three', 'four'].filter((_, index) => answers[index]?.status === 202);
    await Promise.all(made.map(settled));
    const [first = '', second = ''] = made;
    expect(overOf(await make('more')).over).toMatchObject({ instances: { taken: 3, allowed: 2 } });
    const list = async (one = anna, all = '') =>
      (await as(one).get(limited, `/api/instances${all}`)).json<InstanceList>();
    const { allowances, instances } = await list();
    expect(allowances).toMatchObject({ instances: { taken: 2, allowed: 2 }, cpus: { taken: 4, allowed: 5 } });
    expect(instances.map(({ takes }) => takes)).toEqual(
      [first, second].map(() => ({ cpus: 2, memory: 8 * 2 ** 30, storage: 150 * 2 ** 30 })),
    );
    expect((await list(boss, '?all=1')).allowances).toEqual({});

    const change = (name: string, settings: object) =>
      as(anna).post(limited, `/api/instances/${name}/change`, { settings });
    expect(overOf(await change(first, { memory: '16Gi' })).over).toEqual({
      memory: { taken: 24 * 2 ** 30, allowed: 20 * 2 ** 30 },
    });
    // What is paused reserves nothing but its volumes, and cannot come back beside what took its place.
    expect((await as(anna).post(limited, `/api/instances/${second}/pause`, {})).status).toBe(202);
    await settled(second);
    expect((await change(first, { memory: '16Gi' })).status).toBe(202);
    await settled(first);
    const resumed = await as(anna).post(limited, `/api/instances/${second}/resume`, {});
    expect(overOf(resumed).over).toEqual({ memory: { taken: 24 * 2 ** 30, allowed: 20 * 2 ** 30 } });
    // Operators decide themselves.
    expect((await as(boss).post(limited, `/api/instances/${second}/resume`, {})).status).toBe(202);
    await settled(second);
  });
});
