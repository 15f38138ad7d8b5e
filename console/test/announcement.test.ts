import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Announcement } from '../src/announcement.ts';

/** What operators write in a file is said to all users, as it is now. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'announcement-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('is what the file says at the moment, and nothing where it is empty, gone or not named', async () => {
  const path = join(folder, 'text');
  const announcement = new Announcement(path);
  expect(await announcement.text()).toBe(undefined);
  writeFileSync(path, '  Údržba v pátek\n');
  expect(await announcement.text()).toBe('Údržba v pátek');
  writeFileSync(path, 'On Friday <b>all</b> is down.');
  expect(await announcement.text()).toBe('On Friday <b>all</b> is down.');
  writeFileSync(path, ' \n');
  expect(await announcement.text()).toBe(undefined);
  rmSync(path);
  expect(await announcement.text()).toBe(undefined);
  expect(await new Announcement(undefined).text()).toBe(undefined);
});

test('has an end, whatever the file is', async () => {
  const path = join(folder, 'long');
  writeFileSync(path, 'ž'.repeat(100_000));
  expect([...((await new Announcement(path).text()) ?? '')]).toHaveLength(2000);
  expect(await new Announcement(folder).text()).toBe(undefined);
  expect(await new Announcement('/dev/null').text()).toBe(undefined);
  expect((await new Announcement('/dev/zero').text())?.length).toBe(2000);
});
