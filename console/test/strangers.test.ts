import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningConsole, startConsole } from './helpers/start-console.ts';
import { Visitor, visitor } from './helpers/visitor.ts';

/** A thousand strangers at once: none comes in, nothing is kept of them, and whoever is signed in goes on. */

let running: RunningConsole;
beforeAll(async () => {
  running = await startConsole();
});
afterAll(() => running.stop());

const STRANGERS = 1000;

test('a thousand strangers who sign in wrongly, guess names and post forms', async () => {
  const jane = await visitor(running, 'jane');
  const ways: ((one: Visitor) => Promise<number>)[] = [
    async (one) => (await one.get(running, '/sign-in')).status,
    async (one) => (await one.get(running, '/sign-in/callback?code=x&state=y')).status,
    async (one) => (await one.get(running, '/api/instances/hers')).status,
    async (one) => (await one.post(running, '/api/instances', { name: 'x' })).status,
    async (one) => {
      one.cookies.set(running.origin, new Map([['__Host-scipion-console', 'x'.repeat(43)]]));
      return (await one.get(running, '/api/me')).status;
    },
  ];
  const before = process.memoryUsage().heapUsed;
  const asked = Array.from({ length: STRANGERS }, async (_, index) => {
    const way = ways[index % ways.length] as (typeof ways)[number];
    // Whoever is cut off for others to have a place got nothing either.
    return way(new Visitor()).catch(() => 0);
  });
  const worked: number[] = [];
  for (let count = 0; count < 10; count += 1) worked.push((await jane.get(running, '/api/instances')).status);
  const statuses = await Promise.all(asked);
  expect(worked).toEqual(Array(10).fill(200));
  // 303: to the sign-in service.
  expect(new Set(statuses.filter((status) => ![0, 303, 400, 401, 403, 503].includes(status)))).toEqual(
    new Set(),
  );
  expect(statuses.filter((status) => status === 401).length).toBeGreaterThan(10);
  expect((await jane.get(running, '/api/me')).status).toBe(200);
  expect(running.audit().filter(({ user }) => user !== 'jane')).toEqual([]);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 2 ** 20);
});
