import { lstatSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { utimesSeconds } from '../../src/sync/volume/local-tree.ts';
import { Random } from './random.ts';
import { Folders } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

test('every time is set to its very microsecond', () => {
  const file = join(folders.make(), 'file');
  writeFileSync(file, '');
  const random = new Random(7);
  for (let round = 0; round < 2_000; round += 1) {
    const wanted = BigInt(Math.floor(random.next() * 4e9)) * 1_000_000_000n + BigInt(random.below(1e9));
    const seconds = utimesSeconds(wanted);
    utimesSync(file, seconds, seconds);
    expect(lstatSync(file, { bigint: true }).mtimeNs / 1_000n).toBe(wanted / 1_000n);
  }
  expect(utimesSeconds(1_700_000_000_000_000_000n)).toBe(1_700_000_000);
});
