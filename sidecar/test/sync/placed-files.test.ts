import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PlacedFiles } from '../../src/sync/restore/placed-files.ts';
import type { MetaKey } from '../../src/sync/state/meta-keys.ts';
import { StateStore } from '../../src/sync/state/state.ts';
import { syncFiles } from '../../src/sync/volume/sync-files.ts';
import { Folders } from './world.ts';

const commands: (readonly string[])[] = [];
let outcome: 'works' | 'absent' = 'works';
vi.mock('node:child_process', async (original) => {
  const real = await original<typeof import('node:child_process')>();
  const execFile = (file: string, given: readonly string[], done: (error: Error | null) => void) => {
    commands.push([file, ...given]);
    process.nextTick(
      done,
      outcome === 'works' ? null : Object.assign(new Error('no such program'), { code: 'ENOENT' }),
    );
  };
  return { ...real, execFile, default: { ...real, execFile } };
});

const folders = new Folders();
let root: string;
let state: StateStore;
beforeEach(() => {
  commands.length = 0;
  outcome = 'works';
  root = folders.make();
  state = new StateStore(join(root, 'state.sqlite'));
});
afterEach(() => state.close());
afterAll(() => folders.clear());

const files = (count: number): string[] =>
  Array.from({ length: count }, (_, number) => {
    const file = join(root, `file-${number}`);
    fs.writeFileSync(file, 'text');
    return file;
  });
const fail = (path: string): never => expect.fail(`${path} could not be brought to the disk`);
const note = (key: MetaKey) => () => state.setMeta(key, 'noted');

test('many files go to the disk with their file system, a few by themselves', async () => {
  await syncFiles(root, files(3));
  expect(commands).toEqual([]);
  await syncFiles(root, files(40));
  expect(commands).toEqual([['/bin/sync', '--file-system', root]]);
});

test('without the command each of many files goes by itself, and says what is wrong with it', async () => {
  outcome = 'absent';
  await syncFiles(root, files(40));
  await expect(syncFiles(root, [...files(40), join(root, 'gone')])).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the command is there where the tests run', () => {
  expect(fs.existsSync('/bin/sync')).toBe(true);
});

test('nothing is noted before it is on the disk', async () => {
  const failed: [string, unknown][] = [];
  const placed = new PlacedFiles(state, root, (path, error) => failed.push([path, error]));
  const [there] = files(1);
  await placed.add({ path: 'gone', file: join(root, 'gone'), note: note('selection') });
  await placed.add({ path: 'there', file: there as string, note: note('space') });
  await placed.write();
  expect(failed).toMatchObject([['gone', { code: 'ENOENT' }]]);
  expect(state.meta('selection')).toBeNull();
  expect(state.meta('space'), 'the others are noted').toBe('noted');
});

test('what waits is noted at the end, in the order it came', async () => {
  const placed = new PlacedFiles(state, root, fail);
  for (const [number, file] of files(20).entries())
    await placed.add({ path: file, file, note: () => state.setMeta('fence', String(number)) });
  expect(state.meta('fence')).toBeNull();
  await placed.write();
  expect(state.meta('fence')).toBe('19');
  expect(commands).toHaveLength(1);
});

test('so many are noted while others come', async () => {
  const placed = new PlacedFiles(state, root, fail);
  for (let number = 0; number < 5_000; number += 1)
    await placed.add({ path: 'a', file: null, note: () => state.setMeta('fence', String(number)) });
  await expect.poll(() => state.meta('fence')).toBe('3999');
  await placed.write();
  expect(state.meta('fence')).toBe('4999');
});
