import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { VOLUME_FOLDERS } from '../../contract/paths.ts';
import { RequestError } from '../../src/sync/sync-errors.ts';
import { placeUpload } from '../../src/sync/volume/place-upload.ts';
import { Folders } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const name = (number: number) => `${number}`.padStart(32, '0');

function given() {
  const volume = folders.make();
  const [data, uploads] = [join(volume, VOLUME_FOLDERS.data), join(volume, VOLUME_FOLDERS.uploads)];
  for (const folder of [data, uploads]) mkdirSync(folder);
  let count = 0;
  return {
    data,
    uploads,
    place(path: string) {
      count += 1;
      writeFileSync(join(uploads, name(count)), `upload ${count}`);
      const placement = { upload: name(count), path, attempt: name(1000 + count) };
      return placeUpload(volume, placement, () => undefined);
    },
    gone: (path: string) =>
      placeUpload(volume, { upload: name(999), path, attempt: name(2000) }, () => undefined),
  };
}

test.each([
  ['of one letter', 'a', 'a (2)'],
  ['with an ending', 'a.mrc', 'a (2).mrc'],
  ['of 255 bytes', 'x'.repeat(255), `${'x'.repeat(251)} (2)`],
  ['of 255 bytes with an ending', `${'x'.repeat(251)}.mrc`, `${'x'.repeat(247)} (2).mrc`],
  ['of 255 bytes in letters of two', `${'ž'.repeat(127)}x`, `${'ž'.repeat(125)} (2)`],
])('a taken name %s gets a number and still fits', async (_what, path, second) => {
  const { data, place } = given();
  expect(await place(path)).toBe(path);
  expect(await place(path)).toBe(second);
  expect(readdirSync(data).sort()).toEqual([path, second].sort());
  expect(readFileSync(join(data, second), 'utf8')).toBe('upload 2');
});

test('an upload that is not there is refused in words, and no paths of this program', async () => {
  const refusal = await given()
    .gone('p/a')
    .catch((error: unknown) => error as Error);
  expect(refusal).toBeInstanceOf(RequestError);
  expect((refusal as Error).message).toMatch(/no such upload/);
  expect((refusal as Error).message).not.toContain('/');
});

test.each(['\ud800', 'a/\udfff', '..', '/a', 'a//b', '', 'x'.repeat(256)])('%j is no path', async (path) => {
  await expect(given().place(path)).rejects.toBeInstanceOf(RequestError);
});
