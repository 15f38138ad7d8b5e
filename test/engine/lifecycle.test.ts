import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { destroy, outputs, preview, reveal, up } from '../../local/engine/index.ts';
import { done, isBefore, newWorkplace, TOKEN } from './helpers.ts';

/** One stack through its life; each test goes on where the one before ended. */
const place = newWorkplace('basic');
afterAll(() => place.remove());
let password: unknown;

test('a preview plans everything and touches nothing', async () => {
  const result = await preview(place.options());
  expect(result.errors).toEqual([]);
  expect(result.counts).toMatchObject({ create: 7, update: 0, delete: 0, same: 0 });
  expect(result.outputs.url).toBe('https://site.example.org');
  expect(place.takeCommands()).toEqual([]);
});

test('up creates in the order of dependencies and waits until things are ready', async () => {
  const result = await up(place.options());
  expect(result.errors).toEqual([]);
  const order = done(result.steps);
  expect(order[0]).toBe('create namespace');
  expect(order.at(-1)).toBe('create workload');
  expect(isBefore(order, 'create site-password', 'create site-secret')).toBe(true);
  expect(Object.keys(place.objects()).filter((key) => !key.includes('drawn-name'))).toEqual(
    expect.arrayContaining([
      'Namespace//site',
      'Secret/site/site-secret',
      'ConfigMap/site/settings',
      'StatefulSet/site/workload',
    ]),
  );
  password = reveal(result.outputs.password ?? null);
  expect(place.objects()['Secret/site/site-secret']?.stringData).toEqual({ token: TOKEN, password });
});

test('no secret is in the state, in an argument or in an event', () => {
  const texts = [place.stateText(), place.takeCommands().join('\n'), JSON.stringify(place.events)];
  for (const text of texts) {
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(String(password));
  }
  for (const name of ['state.json', 'key']) {
    expect(statSync(join(place.stateDirectory, name)).mode & 0o777).toBe(0o600);
  }
});

test('a second up changes nothing and keeps what was drawn', async () => {
  const result = await up(place.options());
  expect(done(result.steps)).toEqual([]);
  expect(reveal(result.outputs.password ?? null)).toBe(password);
  expect(place.takeCommands()).toEqual([]);
  const stored = await outputs(place.options());
  expect(reveal(stored.password ?? null)).toBe(password);
  expect(JSON.stringify(stored)).not.toContain(String(password));
});

test('changes are told apart: in place, replaced under the same name, replaced under a new one', async () => {
  const before = Object.keys(place.objects()).find((key) => key.includes('drawn-name'));
  const changes = { config: { replicas: 2, greeting: 'good day' } };
  const plan = await preview(place.options(changes));
  const result = await up(place.options(changes));
  const expected = ['replace drawn-name', 'replace settings', 'update workload'];
  expect(
    done(plan.steps)
      .filter((step) => !step.startsWith('delete'))
      .sort(),
  ).toEqual(expected);
  expect(
    done(result.steps)
      .filter((step) => !step.startsWith('delete'))
      .sort(),
  ).toEqual(expected);
  expect(result.steps.find((step) => step.name === 'workload')?.changed).toEqual(['spec.replicas']);
  const writes = place.takeCommands().filter((line) => /^(apply|delete)/.test(line));
  expect(writes.filter((line) => line.startsWith('delete'))).toHaveLength(2);
  const drawn = Object.keys(place.objects()).filter((key) => key.includes('drawn-name'));
  expect(drawn).toHaveLength(1);
  expect(drawn[0]).not.toBe(before);
  expect(place.objects()['ConfigMap/site/settings']?.data).toEqual({ greeting: 'good day' });
});

test('new keepers draw anew, and what takes the value is updated in turn', async () => {
  const result = await up(
    place.options({
      config: { replicas: 2, greeting: 'good day', round: '2', 'kubernetes:enableSecretMutable': true },
    }),
  );
  expect(
    done(result.steps)
      .filter((step) => !step.startsWith('delete'))
      .sort(),
  ).toEqual(['replace site-password', 'update site-secret']);
  const fresh = reveal(result.outputs.password ?? null);
  expect(fresh).not.toBe(password);
  expect(place.objects()['Secret/site/site-secret']?.stringData).toMatchObject({ password: fresh });
});

test('a beforeDelete hook that fails leaves every object', async () => {
  const before = Object.keys(place.objects());
  const result = await destroy(place.options({ config: { failDrain: 'yes' } }));
  expect(result.ok).toBe(false);
  expect(result.errors).toEqual([
    'beforeDelete hook "drain" of workload failed: two files could not be saved',
  ]);
  expect(Object.keys(place.objects())).toEqual(before);
});

test('destroy deletes the deepest dependent first and alone, then the rest, then the state', async () => {
  place.events.length = 0;
  place.takeCommands();
  const result = await destroy(place.options());
  expect(result.errors).toEqual([]);
  expect(place.objects()).toEqual({});
  const order = done(result.steps);
  expect(isBefore(order, 'delete workload', 'delete settings')).toBe(true);
  expect(isBefore(order, 'delete workload', 'delete site-secret')).toBe(true);
  expect(order.at(-1)).toBe('delete namespace');
  const logged = place.events.flatMap((event) => (event.kind === 'log' ? [event.log.message] : []));
  expect(logged).toContain('draining workload');
  for (const line of place.takeCommands().filter((command) => command.startsWith('delete'))) {
    expect(line).toContain('--cascade=foreground --wait=true');
  }
  expect(() => place.stateText()).toThrow('ENOENT');
});
