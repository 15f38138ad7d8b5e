import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { goBuild } from '../../../automation/tools/go.ts';

let folder: string;
const path = process.env.PATH;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'go-build-'));
  // In the place of go: says when it begins and ends.
  const go =
    '#!/bin/sh\nfor last; do :; done\necho "begin $last" >> log\nsleep 0.2\necho "end $last" >> log\n';
  writeFileSync(join(folder, 'go'), `${go}test "$last" != broken\n`);
  chmodSync(join(folder, 'go'), 0o755);
  process.env.PATH = `${folder}${delimiter}${path}`;
  // What is built on this machine meanwhile is not waited for.
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
});
afterEach(() => {
  process.env.PATH = path;
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const BUILDS = new URL('../../../automation/tools/go.ts', import.meta.url).href;

const build = (what: string, priority: number, signal?: AbortSignal) =>
  goBuild([what], { directory: folder, what, ...(signal ? { signal } : {}) }, priority);
const log = () => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');

test('one build at a time, those that wait by their priority', async () => {
  await Promise.all([build('first', 1), build('low', 1), build('high', 2)]);
  expect(log()).toEqual(['begin first', 'end first', 'begin high', 'end high', 'begin low', 'end low']);
});

test('a build that fails, or that nobody waits for any more, keeps no other from its turn', async () => {
  const given = new AbortController();
  const failing = build('broken', 1);
  const waiting = build('unwanted', 1, given.signal);
  const last = build('last', 1);
  given.abort();
  const outcomes = await Promise.allSettled([failing, waiting, last]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  expect(log()).toEqual(['begin broken', 'end broken', 'begin last', 'end last']);
});

test('one build at a time in all processes, and who waits goes on where the other one is killed', async () => {
  const run = JSON.stringify({ directory: folder, what: 'of another process' });
  const script = `import { goBuild } from '${BUILDS}'; await goBuild(['other'], ${run}, 1)`;
  // Ends when its input does.
  writeFileSync(join(folder, 'go'), '#!/bin/sh\necho begin >> log\nexec cat');
  const other = execa(process.execPath, ['--input-type=module', '--eval', script], { reject: false });
  await vi.waitFor(() => expect(log()).toEqual(['begin']), { timeout: 30_000 });
  writeFileSync(join(folder, 'go'), '#!/bin/sh\necho next >> log\n');
  const given = new AbortController();
  const unwanted = build('unwanted', 1, given.signal);
  const next = build('next', 1);
  await setTimeout(1_000);
  given.abort();
  await expect(unwanted).rejects.toThrow(/abort/);
  expect(log()).toEqual(['begin']);
  other.kill('SIGKILL');
  await next;
  expect(log()).toEqual(['begin', 'next']);
});
