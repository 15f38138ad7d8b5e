import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Selection } from '../../src/sync/plan/selection.ts';
import { Progress } from '../../src/sync/progress.ts';
import { SourceSession } from '../../src/sync/service/source-session.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, quiet, TestClock } from './world.ts';

const root = mkdtempSync(join(tmpdir(), 'sync-selection-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

test.each([
  [{ include: [], exclude: [] }, 'any/thing', true],
  [{ include: ['raw'], exclude: [] }, 'raw/deep/mic.mrc', true],
  [{ include: ['raw'], exclude: [] }, 'rawer/mic.mrc', false],
  [{ include: ['/raw/'], exclude: [] }, 'raw/mic.mrc', true],
  [{ include: ['**/*.mrc'], exclude: [] }, 'raw/.hidden/mic.mrc', true],
  [{ include: ['**/*.mrc'], exclude: [] }, 'raw/mic.tif', false],
  [{ include: ['raw/*.mrc'], exclude: ['raw/bad*'] }, 'raw/bad1.mrc', false],
  [{ include: ['raw'], exclude: ['**/thumbnails'] }, 'raw/a/thumbnails/x.png', false],
  [{ include: [], exclude: ['*.tmp'] }, 'deep/a.tmp', true],
  [{ include: [], exclude: ['{a,b}[0-9]'] }, 'b7/file', false],
  [{ include: ['raw(1)/**'], exclude: [] }, 'raw(1)/mic.mrc', true],
  [{ include: ['raw(1)/**'], exclude: [] }, 'raw1/mic.mrc', false],
  [{ include: ['raw+x/a.b'], exclude: [] }, 'raw+x/a.b', true],
  [{ include: ['+(aaa)b'], exclude: [] }, '+(aaa)b', true],
  [{ include: ['raw[1]'], exclude: [] }, 'raw[1]/mic.mrc', true],
  [{ include: ['raw[1]'], exclude: [] }, 'raw1/mic.mrc', true],
  [{ include: ['[^a-c]*'], exclude: [] }, 'b/mic.mrc', false],
  [{ include: ['[^a-c]*'], exclude: [] }, 'd/mic.mrc', true],
  [{ include: ['run{1..3}'], exclude: [] }, 'run2/mic.mrc', true],
  [{ include: ['{raw,old/{a,b}}/*.mrc'], exclude: [] }, 'old/b/mic.mrc', true],
  [{ include: ['{raw}/x'], exclude: [] }, '{raw}/x', true],
  [{ include: ['a/**/b'], exclude: [] }, 'a/b', true],
  [{ include: ['a/**/b'], exclude: [] }, 'a/c/d/b', true],
  [{ include: ['raw/**'], exclude: [] }, 'raw', true],
  [{ include: ['raw-*/**'], exclude: [] }, 'raw-1', false],
  [{ include: ['**.mrc'], exclude: [] }, 'raw/mic.mrc', true],
  [{ include: ['raw/**.mrc'], exclude: [] }, 'raw/a/mic.mrc', false],
  [{ include: ['?/mic'], exclude: [] }, '\u{1f52c}/mic', true],
  [{ include: ['raw\\*'], exclude: [] }, 'raw*/mic', true],
  [{ include: ['raw\\*'], exclude: [] }, 'rawer/mic', false],
  [{ include: ['*a*b*c'], exclude: [] }, 'xaxbxbxcxc', true],
])('%j: %s %s', (patterns, path, expected) => {
  expect(new Selection(patterns).has(path, false)).toBe(expected);
});

test('no pattern and no name makes matching slow', () => {
  const deep = Array.from({ length: 300 }, () => 'a').join('/');
  const patterns = [
    `${'*a'.repeat(60)}*b`,
    `${'**/a/'.repeat(60)}**/b`,
    `${'{a,*a}'.repeat(8)}*b`,
    `${'?*'.repeat(60)}b`,
  ];
  const selection = new Selection({ include: patterns, exclude: [] });
  const start = performance.now();
  for (const name of ['a'.repeat(255), deep]) expect(selection.has(name, false)).toBe(false);
  // Going back over every star took 89 s of one name.
  expect(performance.now() - start).toBeLessThan(20_000);
});

test('a pattern that could match nothing is refused with what to do', () => {
  expect(() => new Selection({ include: ['[z-a]'], exclude: [] })).toThrow(
    'The pattern "[z-a]" cannot be used: expected *',
  );
});

test('directories on the way to a pattern are looked into, others are not', () => {
  const selection = new Selection({ include: ['raw/2024/*.mrc'], exclude: [] });
  const looked = ['raw', 'raw/2024', 'raw/2025', 'other'].map((path) => selection.has(path, true));
  expect(looked).toEqual([true, true, false, false]);
});

test('the source is copied in part, at each refresh as well; what is not wanted any more goes', async () => {
  const space = new MemorySpace({});
  await space.makeDirectory('raw/thumbnails');
  await space.makeDirectory('other');
  for (const path of ['raw/a.mrc', 'raw/a.tif', 'raw/thumbnails/t.mrc', 'other/o.mrc'])
    await space.write(path, contentOf(path));
  const listed: string[] = [];
  const list = space.list.bind(space);
  space.list = (at) => {
    listed.push(at.path);
    return list(at);
  };
  await prepareVolume(root);
  const clock = new TestClock();
  const open = (include: string[], exclude: string[]) =>
    SourceSession.open({
      root,
      space,
      clock,
      log: quiet,
      progress: new Progress(clock),
      limits: DEFAULT_LIMITS,
      signal: new AbortController().signal,
      selection: new Selection({ include, exclude }),
    });
  const names = () => [...dumpFolder(join(root, 'data')).keys()].filter((name) => !name.endsWith('/')).sort();

  const first = await open(['raw/**/*.mrc'], ['raw/thumbnails']);
  expect(await first.stageIn()).toMatchObject({ files: 1, copied: 1 });
  expect(names()).toEqual(['raw/a.mrc']);
  expect(listed).toEqual(['', 'raw']);
  await space.write('raw/b.mrc', contentOf('b'));
  await space.write('raw/b.tif', contentOf('b'));
  await first.stageIn();
  expect(names()).toEqual(['raw/a.mrc', 'raw/b.mrc']);
  first.close();

  const second = await open(['other'], []);
  // Two files and the directory they were in.
  expect(await second.stageIn()).toMatchObject({ copied: 1, removed: 3, warnings: [] });
  expect(names()).toEqual(['other/o.mrc']);
  second.close();
});
