import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isEngineAlive, OperationRecords, startOf } from '../records.ts';

/** The lock of a stack, in processes of its own that are killed. */

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'records-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** A process that has begun an operation and never ends it. */
async function holder(stack: string): Promise<ChildProcess> {
  const module = JSON.stringify(new URL('../records.ts', import.meta.url).href);
  const code = `const { OperationRecords } = await import(${module});
    const held = new OperationRecords(${JSON.stringify(place)}).begin(${JSON.stringify(stack)}, 'create');
    held.update({ stage: 'engine', underWay: ['create StatefulSet scipion'] });
    console.log('begun'); setInterval(() => {}, 1000);`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
  return child;
}

test('another process is kept out while one lives, and let in when it was killed', async () => {
  const records = new OperationRecords(place);
  const child = await holder('jane');
  expect(records.find('jane')?.state).toBe('running');
  expect(() => records.begin('jane', 'remove')).toThrow(/"create" .* still runs on jane; nothing was begun/);
  records.begin('joe', 'create').end();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const found = records.find('jane');
  expect(found).toMatchObject({ state: 'killed', record: { stage: 'engine', pid: child.pid } });
  const held = records.begin('jane', 'resume');
  expect(held.previous).toEqual(found);
  expect(() => records.begin('jane', 'resume')).toThrow(/still runs/);
  held.end();
  expect(records.find('jane')).toBeUndefined();
});

test('what was killed stays known to the one after it that is killed before it does anything', () => {
  const records = new OperationRecords(place);
  const record = { kind: 'create', since: '2026-11-30T00:00:00Z', host: 'h', pid: 1, stage: 'engine' };
  writeFileSync(join(place, 'jane.json'), JSON.stringify(record));
  records.begin('jane', 'resume').end('the cluster is away');
  expect(records.find('jane')).toMatchObject({
    state: 'killed',
    record: { kind: 'create', stage: 'engine' },
  });
});

test('a failure is kept with its words, a refusal before anything was begun is not', () => {
  const records = new OperationRecords(place);
  records.begin('jane', 'create').end('wrong settings');
  expect(records.stacks()).toEqual([]);
  const held = records.begin('jane', 'create');
  held.update({ stage: 'engine' });
  held.end('quota exceeded');
  expect(records.find('jane')).toMatchObject({ state: 'failed', record: { failure: 'quota exceeded' } });
  expect(records.stacks()).toEqual(['jane']);
});

test('a record that cannot be read is told with what to do', () => {
  writeFileSync(join(place, 'jane.json'), '{"kind":');
  const records = new OperationRecords(place);
  expect(() => records.find('jane')).toThrow(/jane\.json cannot be read: found 8 characters .* Remove it/);
});

test('the engine of a record is the same process, not another one with its number', () => {
  const [host, since] = [new OperationRecords(place).begin('x', 'create'), '2026-11-30T00:00:00Z'];
  host.update({ engine: { pid: process.pid, started: startOf(process.pid) ?? null } });
  const found = new OperationRecords(place);
  const record = found.find('x')?.record;
  host.end();
  expect(record && isEngineAlive(record)).toBe(true);
  expect(record && isEngineAlive({ ...record, engine: { pid: process.pid, started: '1' } })).toBe(false);
  expect(record && isEngineAlive({ ...record, host: 'another', since })).toBe(false);
});
