import { chmod, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { treeKey } from '../tree-key.ts';

describe('tree key', () => {
  let directory: string;
  let key: string;
  const file = (name: string) => join(directory, name);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tree-key-'));
    await mkdir(file('bin'));
    await writeFile(file('bin/program'), 'text', { mode: 0o644 });
    await symlink('program', file('bin/link'));
    key = await treeKey(directory);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('does not change with times', async () => {
    await utimes(file('bin/program'), 1, 1);
    expect(await treeKey(directory)).toBe(key);
  });

  test('does not change with what is not counted', async () => {
    await mkdir(file('ignored'));
    await writeFile(file('ignored/file'), '');
    expect(await treeKey(directory, (path) => path !== 'ignored')).toBe(key);
    expect(await treeKey(directory)).not.toBe(key);
  });

  test.each<[string, () => Promise<void>]>([
    ['bytes', () => writeFile(file('bin/program'), 'other')],
    ['the executable bit', () => chmod(file('bin/program'), 0o755)],
    ['a name', () => rename(file('bin/program'), file('bin/other'))],
    ['a new file', () => writeFile(file('new'), '')],
    ['a link', () => rm(file('bin/link')).then(() => symlink('elsewhere', file('bin/link')))],
  ])('changes with %s', async (_what, change) => {
    await change();
    expect(await treeKey(directory)).not.toBe(key);
  });
});
