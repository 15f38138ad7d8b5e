import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { InstanceSummary } from '../../automation/fleet/index.ts';
import { Usage } from '../src/usage/usage.ts';

/** CPU hours over looks, gaps, restarts and clocks that jump, by hand. */

const HOUR = 3_600_000;
const MINUTE = 60_000;
let folder: string;
let clock: { wall: number; steady: number };
let problems: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'usage-'));
  clock = { wall: Date.parse('2026-12-01T08:00:00Z'), steady: 0 };
  problems = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Phase = NonNullable<InstanceSummary['live']>['phase'];
const instance = (name: string, owner: string, cpus: number, phase: Phase): InstanceSummary => ({
  ...{ name, owner, live: { phase, warnings: [] } },
  size: { cpuMillis: cpus * 1000, memoryBytes: 0, storageBytes: 0 },
});

function counter() {
  let listener = () => {};
  let at: number | undefined;
  let seen: readonly InstanceSummary[] = [];
  const usage = new Usage({
    board: {
      get at() {
        return at;
      },
      seen: () => seen,
      listen: (given) => {
        listener = given;
        return () => {
          listener = () => {};
        };
      },
    },
    folder,
    onProblem: (message) => problems.push(message),
    now: () => clock.wall,
    monotonic: () => clock.steady,
  });
  usage.start();
  let looks = 0;
  return {
    usage,
    look(...instances: InstanceSummary[]) {
      seen = instances;
      looks += 1;
      at = looks;
      listener();
    },
    /** News that is no look. */
    news: () => listener(),
  };
}
const pass = (ms: number, wall = ms) => {
  clock.steady += ms;
  clock.wall += wall;
};
type Counter = ReturnType<typeof counter>;
function run(one: Counter, minutes: number, ...instances: InstanceSummary[]) {
  for (let minute = 0; minute < minutes; minute += 1) {
    pass(MINUTE);
    one.look(...instances);
    one.news();
  }
}
const lab = instance('lab', 'jane', 4, 'running');

test('what runs is counted from look to look, for its instance and its user, also after it is gone', () => {
  const one = counter();
  const paused = instance('asleep', 'jane', 8, 'paused');
  const other = instance('other', 'joe', 2, 'starting');
  one.look(lab, paused, other);
  expect(one.usage.of('lab')).toEqual({ hours: 0, notSeenHours: 0 });
  run(one, 90, lab, paused, other);
  expect(one.usage.of('lab')).toEqual({ hours: 6, notSeenHours: 0 });
  expect(one.usage.of('asleep')).toEqual({ hours: 0, notSeenHours: 0 });
  expect(one.usage.users()).toEqual([
    { user: 'jane', hours: 6, notSeenHours: 0 },
    { user: 'joe', hours: 3, notSeenHours: 0 },
  ]);
  run(one, 60, other);
  expect(one.usage.of('lab')).toBeUndefined();
  expect(one.usage.ofUser('jane')).toEqual({ hours: 6, notSeenHours: 0 });
  // One of the same name begins anew, its user does not.
  one.look(lab, other);
  run(one, 60, lab, other);
  expect(one.usage.of('lab')).toEqual({ hours: 4, notSeenHours: 0 });
  expect(one.usage.ofUser('jane')).toEqual({ hours: 10, notSeenHours: 0 });
  one.usage.close();
});

test('a restart goes on from what was counted, and tells the time between as not seen', () => {
  const one = counter();
  one.look(lab);
  run(one, 60, lab);
  one.usage.close();
  pass(5 * HOUR);
  const two = counter();
  two.look(lab, instance('new', 'joe', 1, 'running'));
  expect(two.usage.of('lab')).toEqual({ hours: 4, notSeenHours: 5 });
  // Nobody has ever seen it run.
  expect(two.usage.ofUser('joe')).toBeUndefined();
  run(two, 60, lab);
  expect(two.usage.of('lab')).toEqual({ hours: 8, notSeenHours: 5 });
  expect(two.usage.since).toBe('2026-12-01T08:00:00.000Z');
  two.usage.close();
});

test('one that is killed loses what it had not written, and that is told as not seen', () => {
  const one = counter();
  one.look(lab);
  run(one, 60, lab);
  const written = readFileSync(join(folder, 'usage.json'), 'utf8');
  one.usage.close();
  writeFileSync(join(folder, 'usage.json'), written);
  pass(HOUR);
  const two = counter();
  two.look(lab);
  const found = two.usage.of('lab');
  expect(found?.hours).toBeGreaterThan(3.8);
  expect((found?.hours ?? 0) / 4 + (found?.notSeenHours ?? 0)).toBeCloseTo(2, 1);
  two.usage.close();
});

test('a backend or cluster that does not answer, and a machine that slept, are gaps; a clock that jumps is none', () => {
  const one = counter();
  one.look(lab);
  run(one, 60, lab);
  pass(2 * HOUR);
  one.look(lab);
  expect(one.usage.of('lab')).toEqual({ hours: 4, notSeenHours: 2 });
  run(one, 60, instance('lab', 'jane', 4, 'unknown'));
  expect(one.usage.of('lab')).toEqual({ hours: 4, notSeenHours: 3 });
  for (const jump of [100 * 24 * HOUR, -200 * 24 * HOUR]) {
    pass(MINUTE, jump);
    one.look(lab);
  }
  run(one, 58, lab);
  // The first of these minutes was seen at its end alone.
  expect(one.usage.of('lab')?.hours).toBeCloseTo(8, 0);
  expect(one.usage.of('lab')?.notSeenHours).toBeLessThan(3.1);
  one.usage.close();
  // A clock that was put back between two consoles takes nothing away.
  clock.wall -= 400 * 24 * HOUR;
  const two = counter();
  two.look(lab);
  expect(two.usage.of('lab')?.notSeenHours).toBeLessThan(3.1);
  two.usage.close();
});

test('a file that is damaged is kept, told, and counted from now', () => {
  writeFileSync(join(folder, 'usage.json'), '{"since":');
  const one = counter();
  expect(problems.join('\n')).toMatch(/holds no CPU hours \(9 characters\); it is kept/);
  expect(readFileSync(join(folder, 'usage.damaged.json'), 'utf8')).toBe('{"since":');
  one.look(lab);
  run(one, 60, lab);
  expect(one.usage.of('lab')?.hours).toBe(4);
  one.usage.close();
});
