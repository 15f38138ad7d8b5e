import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { partialFile } from '../../src/sync/volume/partials.ts';
import { Reserve } from '../../src/sync/volume/reserve.ts';
import { assertMounted, prepareVolume } from '../../src/sync/volume/volume.ts';

let root: string;
const state = (name = '') => join(root, 'state', name);
const work = () => join(root, 'data', 'work');
/** Put aside, not removed. */
const aside = (name: string) => readdirSync(state()).filter((each) => each.startsWith(`${name}.damaged-`));

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'state-folder-'));
  await prepareVolume(root);
  writeFileSync(work(), 'work of weeks');
});
afterEach(() => rmSync(root, { recursive: true }));

test('a start changes nothing in a folder that is as it should be', async () => {
  for (const name of ['reserve', 'sync.sqlite', 'saved']) writeFileSync(state(name), name);
  mkdirSync(state('trash/20260101T000000Z-start/p'), { recursive: true });
  symlinkSync('/mnt/vol-dataset', state('trash/20260101T000000Z-start/p/link'));
  const before = readdirSync(state(), { recursive: true });
  await prepareVolume(root);
  expect(readdirSync(state(), { recursive: true })).toEqual(before);
});

test('a link in the place of the reserve does not lead it over work', async () => {
  symlinkSync(join('..', 'data', 'work'), state('reserve'));
  await prepareVolume(root);
  await new Reserve(state(), pino({ level: 'silent' }), 1 << 20).refill(async () => 1 << 30);
  expect(readFileSync(work(), 'utf8')).toBe('work of weeks');
  expect(lstatSync(state('reserve')).isFile()).toBe(true);
  expect(aside('reserve')).toHaveLength(1);
});

test.each(['volume.json', 'saved', 'whole', 'sync.sqlite', 'mounted-space.json', 'partial', 'trash'])(
  'a link in the place of %s goes aside',
  async (name) => {
    rmSync(state(name), { force: true });
    symlinkSync('/nowhere', state(name));
    await prepareVolume(root);
    expect(aside(name)).toHaveLength(1);
    await assertMounted(root, 'project');
  },
);

test('folders in the place of files, files in the place of folders', async () => {
  for (const name of ['saved', 'whole']) mkdirSync(state(join(name, 'something')), { recursive: true });
  for (const name of ['partial', 'trash', 'scratch']) writeFileSync(state(name), 'no folder');
  await prepareVolume(root);
  for (const name of ['saved', 'whole', 'partial', 'trash', 'scratch']) expect(aside(name)).toHaveLength(1);
});

test('what has lost its rights gets them back', async () => {
  writeFileSync(state('sync.sqlite'), 'all that is known');
  mkdirSync(state('partial/a'), { recursive: true });
  chmodSync(state('sync.sqlite'), 0);
  chmodSync(state('partial/a'), 0);
  chmodSync(state('volume.json'), 0o400);
  await prepareVolume(root);
  expect(lstatSync(state('sync.sqlite')).mode & 0o777).toBe(0o600);
  expect(lstatSync(state('partial/a')).mode & 0o777).toBe(0o700);
  expect(lstatSync(state('volume.json')).mode & 0o777).toBe(0o600);
  expect(readFileSync(state('sync.sqlite'), 'utf8')).toBe('all that is known');
});

test('partial downloads are files in folders: links there would lead a download away', async () => {
  mkdirSync(state('partial/a'), { recursive: true });
  const file = partialFile(state('partial'), 'ab12');
  symlinkSync(work(), file);
  symlinkSync('/etc', state('partial/b'));
  writeFileSync(partialFile(state('partial'), 'a7'), 'half of a movie');
  await prepareVolume(root);
  expect(readdirSync(state('partial/a'))).toEqual(['7']);
  expect(existsSync(state('partial/b'))).toBe(false);
});

test.each(['state', 'uploads'])(
  'a link in the place of the folder %s goes aside as a whole',
  async (name) => {
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    rmSync(join(root, name), { recursive: true });
    symlinkSync(elsewhere, join(root, name));
    await prepareVolume(root);
    expect(lstatSync(join(root, name)).isDirectory()).toBe(true);
    expect(readdirSync(elsewhere)).toEqual([]);
  },
);
