import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { unpack } from '../fixtures/unpack.ts';
import { dumpFolder, Folders, openProject, sorted, visible } from './world.ts';

/** What releases before this one left, written by their own code. */
const RELEASES = ['format-1.json'];

const folders = new Folders();
let place: string;
beforeEach(() => {
  place = join(folders.make(), 'space');
  mkdirSync(place);
});
afterEach(() => folders.clear());

function expectWhole(data: string): void {
  const look = (name: string) => lstatSync(join(data, 'P', name));
  expect(readFileSync(join(data, 'P/plain'), 'utf8')).toBe('second');
  expect(look('plain').mtimeMs).toBe(1_600_000_002_250);
  expect(look('run.sh').mode & 0o777).toBe(0o750);
  expect(look('run.sh').mtimeMs).toBe(1_600_000_001_500);
  expect(look('run.sh').ino).toBe(look('again.sh').ino);
  expect(look('empty').mode & 0o777).toBe(0o700);
  expect(readlinkSync(join(data, 'P/link'))).toBe('/mnt/vol-dataset/movies');
  const odd = Buffer.concat([Buffer.from(join(data, 'P/odd-')), Buffer.from([0xff])]);
  expect(readFileSync(odd, 'utf8')).toBe('a name that is no UTF-8');
}

describe.each(RELEASES)('%s', (release) => {
  test('a space is restored to a new volume, and saved to', async () => {
    unpack(release, 'space', place);
    const context = await openProject(folders.make(), new DirectorySpace(place));
    expect(await startProject(context)).toMatchObject({ generation: 2, warnings: [] });
    expectWhole(context.data);
    expect(await save(context)).toMatchObject({ saved: false });
    writeFileSync(join(context.data, 'P/new'), 'x');
    expect(await save(context)).toMatchObject({ saved: true, generation: 3 });
    context.close();
  });

  test.each([
    ['empty', (file: string) => writeFileSync(file, '')],
    ['cut', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 100))],
    ['missing', (file: string) => rmSync(file)],
  ])('a space whose head is %s is restored with modes, times, links and odd names', async (_, damage) => {
    unpack(release, 'space', place);
    damage(join(place, '.scipion-sync/head.json'));
    const context = await openProject(folders.make(), new DirectorySpace(place));
    const result = await startProject(context);
    expect(result.generation).toBe(2);
    expect(result.warnings.join()).toContain('head.json');
    expectWhole(context.data);
    writeFileSync(join(context.data, 'P/new'), 'x');
    expect(await save(context)).toMatchObject({ saved: true, generation: 3 });
    context.close();
  });

  test('a volume goes on with its space as if nothing had happened', async () => {
    const root = folders.make();
    unpack(release, 'space', place);
    unpack(release, 'volume', root);
    const space = new DirectorySpace(place);
    // The space is known by its place, which is another one here.
    const context = await openProject(root, Object.assign(space, { identity: 'x' }), { lease: false });
    context.state.setMeta('space', 'x');
    await context.lease.acquire([]);
    // Times of folders differ by less than a microsecond here, which is a change that is noted.
    expect(await startProject(context)).toMatchObject({ restored: 0, removed: 0, warnings: [] });
    expectWhole(context.data);
    writeFileSync(join(context.data, 'P/new'), 'x');
    expect(await save(context)).toMatchObject({ saved: true, changes: 2 });
    expect(sorted(await visible(space)).map(([path]) => path)).toContain('P/new');
    expect(existsSync(join(place, '.scipion-sync/heads'))).toBe(true);
    context.close();
  });

  test('a volume whose space went another way keeps all it has', async () => {
    const root = folders.make();
    unpack(release, 'volume', root);
    const space = Object.assign(new DirectorySpace(place), { identity: 'x' });
    const other = await openProject(folders.make(), space);
    await startProject(other);
    for (const name of ['one', 'two']) {
      writeFileSync(join(other.data, name), name);
      await save(other);
    }
    await other.lease.release();
    other.close();
    const before = dumpFolder(join(root, 'data'));
    const context = await openProject(root, space);
    context.state.setMeta('space', 'x');
    const result = await startProject(context);
    expect(result.warnings.join()).toContain('does not know save 2 of this volume');
    const after = dumpFolder(context.data);
    for (const [path, content] of before) expect(after.get(path), path).toBe(content);
    context.close();
  });
});
