import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Entry } from '../store/entry.ts';
import { FileTree, rootUuid } from '../store/file-tree.ts';

let directory: string;
let tree: FileTree;
let root: Entry;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onedata-turns-'));
  tree = new FileTree(join(directory, 'tree.sqlite'));
  tree.makeRoots('sp1', 'lab');
  root = tree.byUuid(rootUuid('sp1')) as Entry;
  await tree.settled();
});
afterEach(async () => {
  tree.close();
  await rm(directory, { recursive: true, force: true });
});

const file = { type: 'REG', mode: 0o664 } as const;
const names = () => tree.children(root.uuid, '', 10).map(({ name }) => name);

/** Fails after it has written, as where the disk is sick. */
const failHalfway = () =>
  tree.atomically(() => {
    tree.create(root, 'half', file);
    throw new Error('sick disk');
  });

test('what is refused disturbs nothing else of its turn', async () => {
  tree.create(root, 'a', file);
  expect(() => tree.create(root, 'a', file)).toThrow('eexist');
  tree.create(root, 'b', file);
  await tree.settled();
  expect(names()).toEqual(['a', 'b']);
});

test('what fails halfway undoes its turn, and all who wait for that turn are told', async () => {
  tree.create(root, 'before', file);
  const first = tree.settled();
  expect(failHalfway).toThrow('sick disk');
  expect(() => tree.create(root, 'after', file)).toThrow('sick disk');
  await expect(first).rejects.toThrow('sick disk');
  await expect(tree.settled()).resolves.toBeUndefined();
  tree.create(root, 'next', file);
  await tree.settled();
  expect(names()).toEqual(['next']);
});

test('the way to a directory that was undone is forgotten', async () => {
  const made = tree.create(root, 'gone', { type: 'DIR', mode: 0o775 });
  expect(tree.ancestors({ parent: made.uuid })).toHaveLength(2);
  expect(failHalfway).toThrow('sick disk');
  expect(tree.ancestors({ parent: made.uuid })).toEqual([]);
});

test('what was not settled yet is there after a close', () => {
  tree.create(root, 'last', file);
  tree.close();
  tree = new FileTree(join(directory, 'tree.sqlite'));
  expect(names()).toEqual(['last']);
});
