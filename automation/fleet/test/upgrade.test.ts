import { expect, test } from 'vitest';
import { Operation } from '../operation.ts';
import { type UpgradeNews, upgrade } from '../upgrade.ts';

/** Waves of an upgrade, on a fleet of which every step is written down. */

interface World {
  readonly broken?: string;
  readonly at?: 'save' | 'change' | 'restart';
}

function fleetOf({ broken, at = 'save' }: World) {
  const steps: string[] = [];
  let [running, most] = [0, 0];
  const step = (name: string, kind: 'save' | 'change' | 'restart') =>
    new Operation<never>(name, kind, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      steps.push(`${name} ${kind}`);
      if (name === broken && kind === at) throw new Error('the space is full');
      return undefined as never;
    });
  return {
    steps,
    most: () => most,
    fleet: {
      saveNow: (name: string) => step(name, 'save'),
      change: (name: string) => step(name, 'change'),
      restart: (name: string) => step(name, 'restart'),
    },
  };
}
const names = Array.from({ length: 20 }, (_, number) => `i${String(number).padStart(2, '0')}`);
const all = names.map((name) => ({ name }));

test('one goes first, then as many at a time as a wave has; each is saved before it is changed', async () => {
  const { fleet, steps, most } = fleetOf({});
  const result = await upgrade(fleet, all, { version: '3.8.3', wave: 4 });
  expect(result).toMatchObject({ failed: [], left: [] });
  expect(result.done.toSorted()).toEqual(names);
  expect(steps.slice(0, 3)).toEqual(['i00 save', 'i00 change', 'i00 restart']);
  expect(most()).toBe(4);
});

test('one of twenty that cannot be saved stops it there: it is not changed, and the rest are as they were', async () => {
  const { fleet, steps } = fleetOf({ broken: 'i07' });
  const news: UpgradeNews[] = [];
  const result = await upgrade(fleet, all, { version: '3.8.3', wave: 5, onNews: (one) => news.push(one) });
  expect(result.failed).toEqual([{ name: 'i07', message: 'the space is full' }]);
  expect(result.done.toSorted()).toEqual(names.slice(0, 11).filter((name) => name !== 'i07'));
  expect(result.left).toEqual(names.slice(11));
  expect(steps.filter((step) => step.startsWith('i07'))).toEqual(['i07 save']);
  expect(steps.some((step) => step.startsWith('i11'))).toBe(false);
  expect(news.filter(({ name }) => name === 'i07').map(({ state }) => state)).toEqual(['saves', 'failed']);
});

test.each(['change', 'restart'] as const)(
  'the first one that fails at its %s is the only one',
  async (at) => {
    const { fleet } = fleetOf({ broken: 'i00', at });
    expect(await upgrade(fleet, all, { version: '3.8.3' })).toMatchObject({
      done: [],
      failed: [{ name: 'i00' }],
      left: names.slice(1),
    });
  },
);

test('what is paused takes the release without a start, and no wave begins after an interrupt', async () => {
  const { fleet, steps } = fleetOf({});
  const interrupt = new AbortController();
  const given = [{ name: 'paused', isPaused: true }, ...all];
  const result = await upgrade(fleet, given, {
    version: '3.8.3',
    wave: 3,
    signal: interrupt.signal,
    onNews: ({ name, state }) => {
      if (name === 'i02' && state === 'saves') interrupt.abort();
    },
  });
  expect(steps.filter((step) => step.startsWith('paused'))).toEqual(['paused change']);
  expect(result).toMatchObject({ done: expect.arrayContaining(['paused', 'i00', 'i01', 'i02']), failed: [] });
  expect(result.left).toEqual(names.slice(3));
});
