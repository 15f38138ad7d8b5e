import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { decidingSave } from '../../src/sync/save/pending-commit.ts';
import { save } from '../../src/sync/save/save.ts';
import { unpack } from '../fixtures/unpack.ts';
import { dumpFolder, Folders, openProject, sorted, visible } from './world.ts';

/** What releases before this one left, written by their own code. */
const RELEASES = [
  // The first one that saved: commit records without a checksum.
  '2026-11-22-first-engine.json',
  // Before copies of the head.
  'format-1.json',
  // Before the history of saves.
  '2026-11-29-heads.json',
  // Before saves were kept by number and age.
  '2026-11-29-history.json',
  // Before the engine lay in a folder of its own.
  '2026-11-30-before-folders.json',
];
/** Those with a save that was decided, and then the process was killed. */
const WITH_DECIDED = RELEASES.filter((release) => release !== 'format-1.json');

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

describe.each(WITH_DECIDED)('%s, killed once a save was decided', (release) => {
  function expectThird(data: string): void {
    expect(readFileSync(join(data, 'P/plain'), 'utf8')).toBe('third');
    expect(lstatSync(join(data, 'P/plain')).mtimeMs).toBe(1_600_000_003_500);
    expect(readFileSync(join(data, 'Q/new'), 'utf8')).toBe('of the third save');
    expect(existsSync(join(data, 'P/link'))).toBe(false);
    expect(lstatSync(join(data, 'P/run.sh')).ino).toBe(lstatSync(join(data, 'P/again.sh')).ino);
  }

  test('the save is finished and restored to a new volume, and saved to', async () => {
    unpack(release, 'decidedSpace', place);
    const context = await openProject(folders.make(), new DirectorySpace(place), { lease: false });
    await context.lease.acquire([], true);
    expect(await startProject(context)).toMatchObject({ generation: 3, warnings: [] });
    expectThird(context.data);
    writeFileSync(join(context.data, 'P/new'), 'x');
    expect(await save(context)).toMatchObject({ saved: true, generation: 4 });
    context.close();
  });

  test('its volume learns that the save is complete, and goes on', async () => {
    const root = folders.make();
    unpack(release, 'decidedSpace', place);
    unpack(release, 'decidedVolume', root);
    const space = Object.assign(new DirectorySpace(place), { identity: 'x' });
    const context = await openProject(root, space, { lease: false });
    context.state.setMeta('space', 'x');
    await context.lease.acquire([], true);
    // Files that were laid out here have other inodes than it has noted, so it saves what it knows of them first.
    expect(await startProject(context)).toMatchObject({ restored: 0, removed: 0, warnings: [] });
    expect(decidingSave(context.state)).toBeNull();
    expectThird(context.data);
    writeFileSync(join(context.data, 'P/new'), 'x');
    expect(await save(context)).toMatchObject({ saved: true });
    expect([...(await visible(space)).keys()].filter((path) => path.includes('changed elsewhere'))).toEqual(
      [],
    );
    expect((await visible(space)).get('P/plain')).toBe('third');
    context.close();
  });
});
