import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Engine, openProject } from '../../automation/engine/index.ts';

/** One lists the stacks while an engine writes a state. */

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'half-written-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** A Pulumi that reads half of a state so many times. */
function project(times: number, said = 'error: EOF') {
  const command = join(place, 'pulumi');
  const calls = join(place, 'calls');
  const lines = [
    '#!/bin/sh',
    `echo call >> "${calls}"`,
    `if [ "$(wc -l < "${calls}")" -le ${times} ]; then echo "${said}" >&2; exit 255; fi`,
    `echo '[{"name":"alice"}]'`,
  ];
  writeFileSync(command, lines.join('\n'));
  chmodSync(command, 0o755);
  const engine = { command, version: '3.260.0', source: 'on PATH' } as unknown as Engine;
  return {
    project: openProject(engine, { directory: place, environment: {}, cli: 'npm run pulumi --' }),
    calls: () => readFileSync(calls, 'utf8').trim().split('\n').length,
  };
}

test('it is read again, a few times', async () => {
  const { project: given, calls } = project(2);
  expect(await given.list()).toEqual([{ name: 'alice' }]);
  expect(calls()).toBe(3);
});

test('one that stays so is told', async () => {
  await expect(project(100).project.list()).rejects.toThrow(/EOF/);
});

test('another failure is told at once', async () => {
  const { project: given, calls } = project(100, 'error: no such backend');
  await expect(given.list()).rejects.toThrow(/no such backend/);
  expect(calls()).toBe(1);
});
