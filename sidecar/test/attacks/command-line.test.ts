import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { program } from '../../src/sync/main.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from '../sync/given-container.ts';
import { Folders } from '../sync/world.ts';

/** Arguments that nobody means well. Each is answered with one sentence and an exit code, and touches nothing. */

const CONTROL = '\u001b[31mred\n\u0007\u009b2J\u202e';
const LONG = 'x'.repeat(100_000);
const NUMBERS = ['0', '-1', '1.5', '1e9', '0x10', ' 7', 'NaN', 'Infinity', '', '٣', '9'.repeat(400), CONTROL];
const OUTSIDE = [
  '../../etc',
  '/etc/passwd',
  '.',
  '..',
  'p/../../x',
  'a//b',
  'a/',
  'a\0b',
  LONG,
  'y'.repeat(256),
];

const USAGE: readonly (readonly string[])[] = [
  ...['nonsense', CONTROL, LONG, '__proto__', 'constructor', '--version', `--${CONTROL}`, `--${LONG}`].map(
    (each) => [each],
  ),
  ...['extra', CONTROL, LONG, '--nope', '--jsn', '--json=5', `--${CONTROL}`].map((each) => ['save', each]),
  ['--', 'save', CONTROL],
  ['run', 'x'],
  ['prepare', '../x'],
  ['drain', '--timeout'],
  ...['0', '-1', 'NaN', '', LONG, CONTROL].map((each) => ['drain', '--timeout', each]),
  ...NUMBERS.map((each) => ['verify', '--rate', each]),
  ...NUMBERS.map((each) => ['confirm', 'deletions', each]),
  ['confirm'],
  ...['nonsense', CONTROL, LONG, '__proto__', 'takeOver'].map((each) => ['confirm', each, '1']),
  ['confirm', 'deletions'],
  ['confirm', 'merge', '3'],
  ['confirm', 'unsaved', '3', '4'],
  ['trash', '--of', '5'],
];
/** What only the running `sync` can judge. */
const REFUSED: readonly (readonly string[])[] = [
  ['verify', '--rate', '5'],
  ['confirm', 'deletions', '999999999999999'],
  ...OUTSIDE.map((each) => ['restore', '--path', each]),
  ...[CONTROL, '.scipion-sync', '-'].map((each) => ['restore', '--path', each]),
  ...[...OUTSIDE, '', 'p', '.scipion-sync', 'symlink-dump'].map((each) => ['restore', '--to', each]),
  ...['-1', '0', '9'.repeat(20), CONTROL, LONG, '', '1e0', '../..'].map((each) => ['restore', '--of', each]),
  ...[...OUTSIDE, '', CONTROL, 'nothing'].map((each) => ['trash', '--restore', each]),
  ...[CONTROL, LONG, '../..', ''].map((each) => ['trash', '--restore', 'p/file', '--of', each]),
];

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
beforeAll(async () => {
  paths = await containerPaths(folders.make());
  const spaces = { source: () => new MemorySpace(), project: () => new MemorySpace() };
  await containers.start({ config: QUIET_CONFIG, paths, spaces, desktopWaitMs: 0, tokenWaitMs: 0 });
  await untilStatus(paths.syncSocket, 'the desktop', ({ ready }) => ready, 60);
  mkdirSync(join(paths.projectVolume, 'data/p'));
  writeFileSync(join(paths.projectVolume, 'data/p/file'), 'content');
  expect(await ask(paths.syncSocket, 'POST', '/v1/save')).toMatchObject({ saved: true });
});
afterAll(async () => {
  await containers.stopAll();
  folders.clear();
});

const real = { out: process.stdout.write, err: process.stderr.write };
let [out, err] = ['', ''];
beforeEach(() => {
  [out, err] = ['', ''];
});
const restoreOutput = () =>
  Object.assign(process.stdout, { write: real.out }) && Object.assign(process.stderr, { write: real.err });
afterEach(restoreOutput);

/** The end of the process. */
class Ended extends Error {}

/** In this process: each of its own costs a second. The first call that would end it counts. */
async function sync(...given: readonly string[]): Promise<number> {
  const ends: number[] = [];
  process.stdout.write = (text) => {
    if (ends.length === 0) out += String(text);
    return true;
  };
  process.stderr.write = (text) => {
    if (ends.length === 0) err += String(text);
    return true;
  };
  const finish = (code: number) => {
    ends.push(code);
    throw new Ended();
  };
  try {
    await program(paths, finish, null).parseAsync([...given], { from: 'user' });
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
  } finally {
    restoreOutput();
  }
  return ends[0] ?? -1;
}

const short = (given: readonly string[]) => given.map((each) => JSON.stringify(each.slice(0, 40))).join(' ');

function expectSentence(): void {
  const [first = '', ...more] = err.split('\n');
  expect(first.length, err.slice(0, 300)).toBeGreaterThan(15);
  expect(first.length).toBeLessThan(2_200);
  expect(first, 'nothing that steers a terminal').not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Cs}]/u);
  expect(first, 'no stack, no path of the container').not.toMatch(
    / at .*:\d+:\d+|node_modules|\/dev\/shm|ENAMETOOLONG/,
  );
  expect(more.filter((line) => line !== '')).toEqual([]);
  expect(out).toBe('');
}

test('a usage that is wrong', async () => {
  for (const given of USAGE) {
    [out, err] = ['', ''];
    expect(await sync(...given), `${short(given)}: ${err.slice(0, 200)}`).toBe(EXIT_CODES.usage);
    expectSentence();
  }
});

test('values that the running sync refuses', async () => {
  for (const given of REFUSED) {
    [out, err] = ['', ''];
    expect(await sync(...given), `${short(given)}: ${out} ${err.slice(0, 200)}`).toBe(EXIT_CODES.failed);
    expectSentence();
  }
}, 120_000);

test('names of files that would steer a terminal', async () => {
  writeFileSync(join(paths.projectVolume, `data/p/${CONTROL}`), 'content');
  for (const given of [['plan'], ['plan', '--json']]) {
    [out, err] = ['', ''];
    expect(await sync(...given)).toBe(0);
    expect(out.replaceAll('\n', ''), given.join(' ')).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  }
  expect(JSON.parse(out)).toMatchObject({
    items: expect.arrayContaining([expect.objectContaining({ path: `p/${CONTROL}` })]),
  });
});

test('nobody listens', async () => {
  const socket = paths.syncSocket;
  paths = { ...paths, syncSocket: join(folders.make(), LONG.slice(0, 90)) };
  expect(await sync('status')).toBe(EXIT_CODES.unreachable);
  paths = { ...paths, syncSocket: socket };
});
