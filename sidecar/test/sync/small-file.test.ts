import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { mayBeDatabase, withNewFile } from '../../src/sync/volume/small-file.ts';
import { SQLITE_HEADER } from '../../src/sync/volume/sqlite-names.ts';
import { Folders } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const attributes = { mode: 0o440, mtimeNs: 1_700_000_000_123_456_000n };

describe('a new small file', () => {
  test('has its content, mode and time before anything is done with it', async () => {
    const folder = folders.make();
    const [file, place] = [join(folder, 'new'), join(folder, 'place')];
    const told = await withNewFile(file, Buffer.from('content'), attributes, async () => {
      expect(statSync(file).mode & 0o777).toBe(0o440);
      renameSync(file, place);
      return 'done';
    });
    expect(told).toBe('done');
    expect(readFileSync(place, 'utf8')).toBe('content');
    expect(statSync(place, { bigint: true }).mtimeNs).toBe(attributes.mtimeNs);
  });

  test('is gone again where that failed', async () => {
    const folder = folders.make();
    const failing = withNewFile(join(folder, 'new'), Buffer.from('content'), attributes, () =>
      Promise.reject(new Error('no place')),
    );
    await expect(failing).rejects.toThrow('no place');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('never takes the place of another one', async () => {
    const file = join(folders.make(), 'new');
    writeFileSync(file, 'theirs');
    await expect(withNewFile(file, Buffer.from('mine'), attributes, async () => {})).rejects.toThrow(
      'EEXIST',
    );
    expect(readFileSync(file, 'utf8')).toBe('theirs');
  });
});

test('what is empty or begins as a database may be one', () => {
  expect(mayBeDatabase(Buffer.alloc(0))).toBe(true);
  expect(mayBeDatabase(Buffer.concat([SQLITE_HEADER, Buffer.alloc(100)]))).toBe(true);
  expect(mayBeDatabase(SQLITE_HEADER.subarray(0, 10))).toBe(false);
  expect(mayBeDatabase(Buffer.from('text, and more of it'))).toBe(false);
});
