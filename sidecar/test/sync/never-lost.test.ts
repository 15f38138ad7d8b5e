import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { Lease, LeaseHeldError } from '../../src/sync/save/lease.ts';
import { save } from '../../src/sync/save/save.ts';
import type { ProjectContext } from '../../src/sync/service/project-context.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

async function begun(space = new MemorySpace(), root = folders.make()) {
  const context = await openProject(root, space);
  await startProject(context);
  return { context, space, root, data: context.data };
}

/** What a new volume gets from the space. */
async function restored(space: MemorySpace): Promise<string> {
  const root = folders.make();
  const context = await openProject(root, space, { lease: false });
  await context.lease.acquire([], true);
  await startProject(context);
  context.close();
  return context.data;
}

/** The tree with one directory that the kernel does not let this process read; root, who runs tests, reads all. */
function lockedAway(context: ProjectContext, directory: string): ProjectContext {
  const tree = Object.create(context.tree) as typeof context.tree;
  tree.children = (path) => {
    if (path !== directory) return context.tree.children(path);
    throw Object.assign(new Error('EACCES: permission denied, scandir'), { code: 'EACCES' });
  };
  tree.unchanged = (path, looks) => (path === directory ? null : context.tree.unchanged(path, looks));
  tree.look = (path) => context.tree.look(path);
  tree.open = (path) => context.tree.open(path);
  tree.at = (path) => context.tree.at(path);
  tree.freeBytes = () => context.tree.freeBytes();
  return { ...context, tree };
}

describe('names that look like those of a database', () => {
  test('are saved where they are not', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'run'));
    mkdirSync(join(data, 'run-journal/deep'), { recursive: true });
    writeFileSync(join(data, 'run-journal/deep/notes'), 'a month of work');
    writeFileSync(join(data, 'tides'), 'high');
    writeFileSync(join(data, 'tides-wal'), 'low');
    writeFileSync(join(data, 'empty'), '');
    writeFileSync(join(data, 'empty-shm'), 'not of SQLite');
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    expect((await visible(space)).get('run-journal/deep/notes')).toBe('a month of work');
    expect((await visible(space)).get('tides-wal')).toBe('low');
  });

  test('a damaged database or a text with such a name is saved as it is, and holds up nothing', async () => {
    const { context, space, data } = await begun();
    writeFileSync(join(data, 'notes.db'), 'just text');
    writeFileSync(join(data, 'long-notes.sqlite'), 'just text, longer than a header of SQLite is');
    const damaged = `SQLite format 3\0${'\x07'.repeat(3000)}`;
    writeFileSync(join(data, 'damaged'), damaged, 'latin1');
    writeFileSync(join(data, 'other'), 'work');
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    expect((await visible(space)).get('damaged')).toBe(damaged);
  });

  test('a database whose newest rows are only in its write-ahead log is saved again', async () => {
    const { context, space, data } = await begun();
    const database = new DatabaseSync(join(data, 'live.db'));
    database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (v)');
    database.exec("INSERT INTO t VALUES ('first')");
    // By its times the database file does not change from here on.
    (context.clock as TestClock).advance(5_000);
    await save(context);
    database.exec("INSERT INTO t VALUES ('second')");
    expect(await save(context)).toMatchObject({ saved: true });
    expect(await save(context)).toMatchObject({ saved: false });
    database.close();
    const copy = new DatabaseSync(join(await restored(space), 'live.db'));
    expect(copy.prepare('SELECT v FROM t').all()).toEqual([{ v: 'first' }, { v: 'second' }]);
    copy.close();
  });

  test('lost+found of a user is a folder like others', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'lost+found'));
    writeFileSync(join(data, 'lost+found/work'), 'x');
    mkdirSync(join(data, '.scipion-sync'));
    writeFileSync(join(data, '.scipion-sync/head.json'), 'a user wrote this');
    await save(context);
    expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
  });
});

describe('what cannot be read', () => {
  test('a directory that nobody may read holds up nothing, is told, and removes nothing', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'locked'));
    writeFileSync(join(data, 'locked/kept'), 'saved before');
    await save(context);
    writeFileSync(join(data, 'locked/new'), 'not readable');
    writeFileSync(join(data, 'other'), 'work');
    const result = await save(lockedAway(context, 'locked'));
    expect(result).toMatchObject({ saved: true, skipped: 1 });
    expect((await visible(space)).get('other')).toBe('work');
    expect((await visible(space)).get('locked/kept')).toBe('saved before');
    // Also where nothing else has changed.
    expect(await save(lockedAway(context, 'locked'))).toMatchObject({ saved: false, skipped: 1 });
  });

  test('a start says how much of the volume it could not save', async () => {
    const { context, data } = await begun();
    mkdirSync(join(data, 'locked'));
    writeFileSync(join(data, 'locked/new'), 'not readable');
    const started = await startProject(lockedAway(context, 'locked'));
    expect(started.unsaved).toBe(1);
    expect((await startProject(context)).unsaved).toBe(0);
  });
});

describe('a space that lost what was saved in it', () => {
  async function saved(files: number) {
    const world = await begun();
    for (let n = 0; n < files; n += 1) writeFileSync(join(world.data, `file-${n}`), `work ${n}`);
    await save(world.context);
    return world;
  }
  async function empty(space: MemorySpace) {
    const names: string[] = [];
    for await (const entry of space.list({ path: '' })) names.push(entry.path);
    for (const name of names) await space.removeTree(name);
  }

  test.each([3, 60])('an emptied space does not empty the volume: %i files', async (files) => {
    const { context, space, root, data } = await saved(files);
    const before = sorted(dumpFolder(data));
    context.close();
    await empty(space);
    const next = await openProject(root, space);
    await startProject(next);
    expect(sorted(dumpFolder(data))).toEqual(before);
    expect(sorted(await visible(space))).toEqual(before);
    next.close();
  });

  test('a space whose files are gone but not its hidden folder does not empty the volume', async () => {
    const { context, space, root, data } = await saved(4);
    context.close();
    for (let n = 0; n < 4; n += 1) await space.removeFile(`file-${n}`);
    const next = await openProject(root, space);
    const { warnings } = await startProject(next);
    expect(warnings[0]).toContain('all 4 files would be removed');
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    expect(readdirSync(data)).toHaveLength(4);
    next.close();
  });

  test('a save under way sends all of it again', async () => {
    const { context, space, data } = await saved(5);
    await empty(space);
    await takeLease({ ...context, lease: context.lease });
    writeFileSync(join(data, 'more'), 'work');
    await save(context);
    expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
  });

  test('the last save asks the space also where nothing has changed', async () => {
    const { context, space, data } = await saved(5);
    await empty(space);
    await takeLease({ ...context, lease: context.lease });
    expect(await save(context, { last: true })).toMatchObject({ saved: true });
    expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
    expect(await save(context, { last: true })).toMatchObject({ saved: false });
  });

  test.each([
    ['all files', 5, 5],
    ['most files', 50, 40],
  ])(
    'the last save sends again what only the volume has: %s gone below a head that is whole',
    async (_, files, gone) => {
      const { context, space, data } = await saved(files);
      for (let n = 0; n < gone; n += 1) await space.removeFile(`file-${n}`);
      writeFileSync(join(data, 'newest'), 'work');
      expect(await save(context, { last: true })).toMatchObject({ saved: true, skipped: 0 });
      expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
      expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
      await context.lease.acquire([], true);
      expect(await save(context, { last: true })).toMatchObject({ saved: false });
    },
  );

  test('the last save keeps removed what others removed file by file', async () => {
    const { context, space, data } = await saved(50);
    for (const name of ['file-3', 'file-7']) await space.removeFile(name);
    expect(await save(context, { last: true })).toMatchObject({ saved: false });
    expect((await visible(space)).size).toBe(48);
    expect(readdirSync(data)).toHaveLength(50);
  });

  test('the rounds of a drain read each segment of the manifest once', async () => {
    const { context, space, data } = await saved(5);
    const read = space.read.bind(space);
    const segments: string[] = [];
    space.read = (file: Parameters<typeof read>[0], options?: Parameters<typeof read>[1]) => {
      if (file.path.startsWith('.scipion-sync/manifest/')) segments.push(file.path);
      return read(file, options);
    };
    const round = { last: true, readSegments: new Set<string>() };
    await save(context, round);
    const first = segments.splice(0);
    expect(first).toHaveLength(1);
    writeFileSync(join(data, 'newest'), 'work');
    expect(await save(context, round)).toMatchObject({ saved: true });
    expect(segments).toEqual([]);
    expect(await save(context, round)).toMatchObject({ saved: false });
    expect(segments).toHaveLength(1);
    expect(segments).not.toEqual(first);
    await save(context, { last: true });
    expect(segments).toHaveLength(3);
  });

  test('the last save is not taken in by a listing that drops entries', async () => {
    const { context, space } = await saved(50);
    const list = space.list.bind(space);
    let dropped = 0;
    space.list = async function* (directory: Parameters<typeof list>[0]) {
      for await (const entry of list(directory)) {
        if (entry.path.startsWith('file-') && ++dropped % 5 !== 0) continue;
        yield entry;
      }
    };
    expect(await save(context, { last: true })).toMatchObject({ saved: false });
    expect(dropped).toBeGreaterThan(0);
  });

  test('a space that was set back to an older save takes nothing from the volume', async () => {
    const { context, space, root, data } = await saved(3);
    const old = new Map<string, Buffer>();
    const oldHead = await bytesOf(space, '.scipion-sync/head.json');
    for (const name of ['file-0', 'file-1', 'file-2']) old.set(name, await bytesOf(space, name));
    context.clock.sleep(5_000);
    writeFileSync(join(data, 'file-0'), 'newer work, saved');
    writeFileSync(join(data, 'added'), 'later work, saved');
    await save(context);
    context.close();
    // A backup of the storage behind the space came back.
    for (const [name, bytes] of old) await put(space, name, bytes);
    await space.removeFile('added');
    await put(space, '.scipion-sync/head.json', oldHead);
    const next = await openProject(root, space);
    await startProject(next);
    expect(readFileSync(join(data, 'file-0'), 'utf8')).toBe('newer work, saved');
    expect(readFileSync(join(data, 'added'), 'utf8')).toBe('later work, saved');
    expect((await visible(space)).get('file-0')).toBe('newer work, saved');
    next.close();
  });
});

async function bytesOf(space: MemorySpace, path: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of space.read({ path })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function put(space: MemorySpace, path: string, bytes: Buffer): Promise<void> {
  await space.write(path, {
    size: bytes.length,
    async *open() {
      if (bytes.length > 0) yield bytes;
    },
  });
}

describe('an interrupted save whose uploads are gone', () => {
  const LOSSES: [string, (space: MemorySpace) => Promise<void>][] = [
    ['all', (space) => space.removeTree('.scipion-sync/staging')],
    [
      'one',
      async (space) => {
        const uploads: string[] = [];
        const folders: string[] = [];
        for await (const each of space.list({ path: '.scipion-sync/staging' })) folders.push(each.path);
        for (const folder of folders) {
          for await (const each of space.list({ path: folder })) {
            if (/^\d+(-\d+)?$/.test(each.name)) uploads.push(each.path);
          }
        }
        if (uploads[0] !== undefined) await space.removeFile(uploads[0]);
      },
    ],
  ];
  test.each(LOSSES)('does not count as done, and holds up no start: %s', async (_what, lose) => {
    for (let at = 1; ; at += 1) {
      const trial = new MemorySpace();
      const trialRoot = folders.make();
      const first = await begun(trial, trialRoot);
      writeFileSync(join(first.data, 'a'), 'one');
      await save(first.context);
      writeFileSync(join(first.data, 'a'), 'two, longer');
      writeFileSync(join(first.data, 'b'), 'new');
      first.context.close();
      const faulty = new FaultySpace(trial, at, 'crash-after');
      const cut = await openProject(trialRoot, faulty.space, { lease: false }).catch(() => null);
      if (cut === null) continue;
      await takeLease(cut)
        .then(() => save(cut))
        .catch(() => undefined);
      cut.close();
      // Somebody tidies the hidden folder up.
      await lose(trial);
      const next = await openProject(trialRoot, trial, { lease: 'patient' });
      await startProject(next);
      await save(next);
      expect((await visible(trial)).get('a'), `crash at call ${at}`).toBe('two, longer');
      expect((await visible(trial)).get('b'), `crash at call ${at}`).toBe('new');
      expect(readFileSync(join(next.data, 'a'), 'utf8')).toBe('two, longer');
      next.close();
      if (!faulty.fired) break;
    }
  });
});

describe('clocks that jump', () => {
  test('a contender whose clock is ahead does not take a lease whose heartbeats come late', async () => {
    const space = new MemorySpace();
    const [alice, bob] = [new TestClock(), new TestClock()];
    bob.advance(3_600_000);
    const holder = new Lease(space, { holder: 'lab/alice', clock: alice });
    await holder.acquire([]);
    const contender = new Lease(space, { holder: 'lab/bob', clock: bob });
    for (let round = 0; round < 12; round += 1) {
      await expect(contender.acquire([])).rejects.toThrow(LeaseHeldError);
      for (const clock of [alice, bob]) clock.advance(12_000);
      // Every 48 s, where 30 s are meant: the interval and a slow answer.
      if (round % 4 === 3) await holder.heartbeat();
    }
  });

  test('a holder whose clock was set back asks who may write', async () => {
    const space = new MemorySpace();
    const clock = new TestClock();
    const holder = new Lease(space, { holder: 'lab/alice', clock });
    await holder.acquire([]);
    const other = new Lease(space, { holder: 'lab/bob', clock: new TestClock() });
    await other.acquire([], true);
    clock.advance(-7_200_000);
    await expect(holder.assertFresh()).rejects.toThrow('was lost');
  });
});

describe('while things move', () => {
  test('a file renamed over a directory and back during saves leaves what the volume has', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'x'));
    writeFileSync(join(data, 'x/in'), 'inside');
    await save(context);
    renameSync(join(data, 'x'), join(data, 'y'));
    writeFileSync(join(data, 'x'), 'now a file');
    await save(context);
    rmSync(join(data, 'x'));
    renameSync(join(data, 'y'), join(data, 'x'));
    appendFileSync(join(data, 'x/in'), ' and more');
    await save(context);
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    expect(readdirSync(data)).toEqual(['x']);
  });
});
