import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MRC_HEADER_BYTES } from '../mrc.ts';
import { SAMPLE_PIXEL_SIZE, writeSampleData } from '../sample-data.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sample-data-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const MIB = 1024 ** 2;
const BYTES_PER_VALUE: Readonly<Record<number, number>> = { 0: 1, 2: 4 };

async function digests(folder: string, files: readonly string[]): Promise<string[]> {
  const contents = await Promise.all(files.map((file) => readFile(join(folder, file))));
  return contents.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
}

test('the same seed writes the same bytes, another seed other noise', async () => {
  const names = ['first', 'second', 'other'].map((name) => join(directory, name)) as [string, string, string];
  const largeFiles = { count: 1, sizeBytes: 2 * MIB };
  const files = await writeSampleData(names[0], { largeFiles });
  expect(await writeSampleData(names[1], { largeFiles })).toEqual(files);
  await writeSampleData(names[2], { largeFiles, seed: 2 });
  const first = await digests(names[0], files);
  expect(await digests(names[1], files)).toEqual(first);
  const other = await digests(names[2], files);
  // The volume is the particle itself, without noise.
  const same = files.filter((_, index) => other[index] === first[index]);
  expect(same).toEqual(['volume.mrc']);
});

test('every file is as long as its header says and has the sample pixel size', async () => {
  const folder = join(directory, 'lengths');
  const files = await writeSampleData(folder, { largeFiles: { count: 1, sizeBytes: 3 * MIB + 5 } });
  expect(files.filter((file) => file.startsWith('micrographs/'))).toHaveLength(6);
  for (const file of files) {
    const bytes = await readFile(join(folder, file));
    const [columns = 0, rows = 0, sections = 0, mode = -1] = [0, 4, 8, 12].map((at) => bytes.readInt32LE(at));
    expect(bytes.length, file).toBe(
      MRC_HEADER_BYTES + columns * rows * sections * (BYTES_PER_VALUE[mode] ?? 0),
    );
    expect(bytes.readFloatLE(40) / columns, file).toBeCloseTo(SAMPLE_PIXEL_SIZE, 5);
  }
  expect(files.at(-1)).toBe('movies/large_001.mrcs');
});
