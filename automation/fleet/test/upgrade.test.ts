import { expect, test } from 'vitest';
import type { OperationKind } from '../kinds.ts';
import { Operation } from '../operation.ts';
import type { FoundRecord } from '../records.ts';
import { type UpgradeNews, upgrade } from '../upgrade.ts';

/** Waves of an upgrade, on a fleet of which every step is written down. */

interface World {
  readonly broken?: string;
  readonly at?: 'save' | 'change' | 'restart';
  /** What was begun and did not end. */
  readonly killed?: Readonly<Record<string, OperationKind>>;
}

function fleetOf({ broken, at = 'save', killed = {} }: World) {
  const steps: string[] = [];
  let [running, most] = [0, 0];
  const step = (name: string, kind: OperationKind, what: string = kind) =>
    new Operation<never>(name, kind, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      steps.push(`${name} ${what}`);
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
      operation: (name: string) =>
        killed[name] && ({ record: { kind: killed[name] }, state: 'killed' } as FoundRecord),
      takeUp: (name: string) => killed[name] && step(name, killed[name], `${killed[name]} again`),
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

test('what was interrupted is taken up where it was, and nothing that somebody else has begun since', async () => {
  const given = [
    { name: 'saves', interruptedAt: 'saves' },
    { name: 'changes', interruptedAt: 'changes' },
    { name: 'restarts', interruptedAt: 'restarts' },
    { name: 'between', interruptedAt: 'changes' },
    { name: 'asleep', interruptedAt: 'changes', isPaused: true },
  ] as const;
  const killed = { saves: 'save', changes: 'change', restarts: 'restart', asleep: 'change' } as const;
  const { fleet, steps } = fleetOf({ killed });
  const result = await upgrade(fleet, given, { version: '3.8.3' });
  expect(result).toMatchObject({ failed: [], left: [] });
  const of = (name: string) =>
    steps.filter((step) => step.startsWith(`${name} `)).map((step) => step.split(' ').slice(1).join(' '));
  const all = ['save', 'change', 'restart'];
  expect(of('saves')).toEqual(['save again', ...all]);
  expect(of('changes')).toEqual(['change again', ...all]);
  // It has what was changed.
  expect(of('restarts')).toEqual(['restart again']);
  expect(of('between')).toEqual(all);
  expect(of('asleep')).toEqual(['change again', 'change']);

  const removed = fleetOf({ killed: { gone: 'remove' } });
  const left = await upgrade(removed.fleet, [{ name: 'gone', interruptedAt: 'saves' }, { name: 'next' }], {
    version: '3.8.3',
  });
  expect(left).toMatchObject({ done: [], left: ['next'] });
  expect(left.failed[0]?.message).toMatch(/"remove" was begun on gone besides/);
  expect(removed.steps).toEqual([]);
});
