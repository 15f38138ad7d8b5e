import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, trashOf, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

async function fresh(space: MemorySpace, root = folders.make()) {
  const context = await openProject(root, space);
  const started = await startProject(context);
  return { context, started, root, data: context.data };
}

function sampleProject(data: string): void {
  mkdirSync(join(data, 'p/Runs/000002/extra'), { recursive: true });
  mkdirSync(join(data, 'p/Tmp'));
  writeFileSync(join(data, 'p/settings.txt'), 'one');
  writeFileSync(join(data, 'p/Runs/000002/out.mrc'), Buffer.from([0, 1, 2, 255]));
  writeFileSync(join(data, 'p/run.sh'), '#!/bin/sh\n');
  chmodSync(join(data, 'p/run.sh'), 0o750);
  symlinkSync('/mnt/vol-dataset/a b.mrc', join(data, 'p/Runs/000002/extra/a.mrc'));
  symlinkSync('../nowhere', join(data, 'p/dangling'));
  utimesSync(join(data, 'p/settings.txt'), 1_600_000_000.25, 1_600_000_000.25);
}

describe('save and restore', () => {
  test('a project comes back whole on a new volume', async () => {
    const space = new MemorySpace();
    const first = await fresh(space);
    sampleProject(first.data);
    linkSync(join(first.data, 'p/settings.txt'), join(first.data, 'p/settings-too.txt'));
    utimesSync(join(first.data, 'p/Runs'), 1_500_000_000, 1_500_000_000);
    const result = await save(first.context);
    expect(result).toMatchObject({ saved: true, generation: 1, skipped: 0, heldBack: null });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(first.data)));

    const second = await fresh(new Proxy(space, {}), folders.make()).catch(() => null);
    expect(second).toBeNull(); // The lease of the first one is still held.
    await first.context.lease.release();
    const third = await fresh(space);
    expect(sorted(dumpFolder(third.data))).toEqual(sorted(dumpFolder(first.data)));
    expect(third.started.generation).toBe(1);
    for (const path of ['p/settings.txt', 'p/run.sh', 'p/Runs', 'p/Tmp', 'p/dangling']) {
      const [was, is] = [first.data, third.data].map((data) => lstatSync(join(data, path)));
      expect(Math.abs((is?.mtimeMs ?? 0) - (was?.mtimeMs ?? 1)), path).toBeLessThan(0.002);
      expect(is?.mode, path).toBe(was?.mode);
    }
    expect(statSync(join(third.data, 'p/settings-too.txt')).ino).toBe(
      statSync(join(third.data, 'p/settings.txt')).ino,
    );
    expect(await save(third.context)).toMatchObject({ saved: false, generation: 1 });
  });

  test('only changes are sent, old versions go to the trash', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    sampleProject(data);
    await save(context);
    writeFileSync(join(data, 'p/settings.txt'), 'two');
    rmSync(join(data, 'p/run.sh'));
    renameSync(join(data, 'p/Runs'), join(data, 'p/Runs2'));
    unlinkSync(join(data, 'p/dangling'));
    writeFileSync(join(data, 'p/dangling'), 'now a file');
    rmSync(join(data, 'p/Tmp'), { recursive: true });
    symlinkSync('elsewhere', join(data, 'p/Tmp'));
    expect(await save(context)).toMatchObject({ saved: true, generation: 2 });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    const trash = (await trashOf(space)).map((path) => path.split('/').slice(3).join('/')).sort();
    expect(trash).toEqual(['removed/p/Runs/000002/out.mrc', 'removed/p/run.sh', 'replaced/p/settings.txt']);
    expect(await save(context)).toMatchObject({ saved: false });
  });

  test('a file becomes a directory and back again', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    writeFileSync(join(data, 'x'), 'file');
    mkdirSync(join(data, 'y/sub'), { recursive: true });
    writeFileSync(join(data, 'y/sub/f'), 'inner');
    await save(context);
    rmSync(join(data, 'x'));
    mkdirSync(join(data, 'x'));
    writeFileSync(join(data, 'x/in'), 'now below');
    rmSync(join(data, 'y'), { recursive: true });
    writeFileSync(join(data, 'y'), 'now a file');
    await save(context);
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    await context.lease.release();
    const other = await fresh(space);
    expect(sorted(dumpFolder(other.data))).toEqual(sorted(dumpFolder(data)));
  });

  test('an emptied volume folder does not empty the space', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    for (let index = 0; index < 60; index += 1) writeFileSync(join(data, `f${index}`), String(index));
    await save(context);
    const before = await visible(space);
    for (let index = 0; index < 60; index += 1) rmSync(join(data, `f${index}`));
    writeFileSync(join(data, 'new'), 'work goes on');
    const result = await save(context);
    expect(result.heldBack).toMatchObject({ removals: 60, why: expect.stringContaining('60 of 60') });
    expect(await visible(space)).toEqual(new Map([...before, ['new', 'work goes on']]));
    expect(await save(context, { confirmedDeletions: 60 })).toMatchObject({ saved: true, heldBack: null });
    expect(await visible(space)).toEqual(new Map([['new', 'work goes on']]));
    expect(await trashOf(space)).toHaveLength(60);
  });

  test('changes of others in the space are kept', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    for (const name of ['both.txt', 'theirs.txt', 'removed-here.txt', 'removed-there.txt', 'kept.txt']) {
      writeFileSync(join(data, name), 'base');
    }
    await save(context);
    await space.write('both.txt', contentOf('their version'));
    await space.write('theirs.txt', contentOf('their version'));
    await space.write('removed-here.txt', contentOf('their version'));
    await space.write('brand-new.txt', contentOf('their file'));
    await space.write('same-name.txt', contentOf('their file'));
    await space.removeFile('removed-there.txt');
    writeFileSync(join(data, 'both.txt'), 'our version');
    writeFileSync(join(data, 'same-name.txt'), 'our file');
    rmSync(join(data, 'removed-here.txt'));
    await save(context);
    const seen = await visible(space);
    expect(seen.get('both.txt')).toBe('our version');
    expect(seen.get('same-name.txt')).toBe('our file');
    expect(seen.get('removed-here.txt')).toBe('their version');
    expect(seen.get('theirs.txt')).toBe('their version');
    const conflicts = [...seen].filter(([path]) => path.includes('changed elsewhere'));
    expect(conflicts.map(([, text]) => text).sort()).toEqual(['their file', 'their version']);

    const again = await startProject(context);
    expect(again.savedFirst).toBe(0);
    expect(sorted(dumpFolder(data))).toEqual(sorted(await visible(space)));
    expect(dumpFolder(data).has('removed-there.txt')).toBe(false);
  });

  test('unsaved work on a volume is saved before a restore', async () => {
    const space = new MemorySpace();
    const { context, data, root } = await fresh(space);
    writeFileSync(join(data, 'a'), 'saved');
    await save(context);
    writeFileSync(join(data, 'a'), 'not saved');
    writeFileSync(join(data, 'b'), 'not saved either');
    context.close(); // The pod is killed.
    const next = await openProject(root, space);
    const started = await startProject(next);
    expect(started.savedFirst).toBe(2);
    expect(dumpFolder(data)).toEqual(
      new Map([
        ['a', 'not saved'],
        ['b', 'not saved either'],
      ]),
    );
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  });

  test('unsaved work on an old save stops the start when the space has gone on', async () => {
    const space = new MemorySpace();
    const { context, data, root } = await fresh(space);
    writeFileSync(join(data, 'a'), 'first');
    await save(context);
    await context.lease.release();
    writeFileSync(join(data, 'a'), 'unsaved');
    context.close();
    const elsewhere = await fresh(space);
    writeFileSync(join(elsewhere.data, 'a'), 'saved elsewhere');
    await save(elsewhere.context);
    await elsewhere.context.lease.release();
    const back = await openProject(root, space);
    await expect(startProject(back)).rejects.toThrow(
      /1 files of work that was never saved.*save 2 by lab\/alice/,
    );
    expect(dumpFolder(data)).toEqual(new Map([['a', 'unsaved']]));
    expect(await visible(space)).toEqual(new Map([['a', 'saved elsewhere']]));
    await startProject(back, { confirmedMerge: true });
    const merged = await visible(space);
    expect(merged.get('a')).toBe('unsaved');
    expect([...merged.values()].sort()).toEqual(['saved elsewhere', 'unsaved']);
    expect(sorted(dumpFolder(data))).toEqual(sorted(merged));
  });

  test('a lost or damaged state is rebuilt by comparing', async () => {
    const space = new MemorySpace();
    const { context, data, root } = await fresh(space);
    sampleProject(data);
    await save(context);
    writeFileSync(join(data, 'p/unsaved'), 'x');
    context.close();
    writeFileSync(join(root, 'state/sync.sqlite'), 'rubbish '.repeat(2000));
    for (const suffix of ['-wal', '-shm']) rmSync(join(root, `state/sync.sqlite${suffix}`), { force: true });
    await new Promise((done) => setTimeout(done, 5));
    const taken = await openProject(root, space, { lease: false });
    await taken.lease.acquire([], true);
    const before = dumpFolder(data);
    await startProject(taken);
    expect(sorted(dumpFolder(data))).toEqual(sorted(before));
    expect(sorted(await visible(space))).toEqual(sorted(before));
    expect(await trashOf(space)).toEqual([]);
  });

  test('odd names survive, also such as no space can hold', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    const names = [
      Buffer.from([0x66, 0xff, 0xfe]),
      Buffer.alloc(255, 0xe9),
      Buffer.from('new\nline'),
      Buffer.alloc(255, 0x61),
      Buffer.from('.__onedata__mine'),
      Buffer.from('.scipion-sync'),
      Buffer.from('symlink-dump'),
      Buffer.from('ünï 電子'),
      Buffer.from(' '),
    ];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${data}/`), name]), name);
    mkdirSync(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0x64, 0xf0])]));
    writeFileSync(
      Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0x64, 0xf0]), Buffer.from('/inner')]),
      'in',
    );
    symlinkSync(Buffer.from([0x74, 0xff]), join(data, 'odd-target'));
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    await context.lease.release();
    const other = await fresh(space);
    expect(
      execFileSync('find', ['.', '-printf', '%P|%s|%l\\0'], { cwd: other.data })
        .toString('latin1')
        .split('\0')
        .sort(),
    ).toEqual(
      execFileSync('find', ['.', '-printf', '%P|%s|%l\\0'], { cwd: data })
        .toString('latin1')
        .split('\0')
        .sort(),
    );
    expect(await save(other.context)).toMatchObject({ saved: false });
  });

  test('the predecessor’s links come back, its files are left alone', async () => {
    const space = new MemorySpace();
    await space.makeDirectory('proj a/Runs');
    await space.makeDirectory('scipion-docker');
    await space.write('scipion-docker/project.lock', contentOf('x'));
    await space.write('proj a/project.sqlite.txt', contentOf('db'));
    const dump =
      '/mnt/vol-dataset/mic 1.mrc proj a/Runs/mic 1.mrc\n/mnt/vol-project/x ./proj a/link\nrubbish\n/etc ../outside\n';
    await space.write('symlink-dump', contentOf(dump));
    const { context, data } = await fresh(space);
    expect(sorted(dumpFolder(data))).toEqual([
      ['proj a/', ''],
      ['proj a/Runs/', ''],
      ['proj a/Runs/mic 1.mrc', '→ /mnt/vol-dataset/mic 1.mrc'],
      ['proj a/link', '→ /mnt/vol-project/x'],
      ['proj a/project.sqlite.txt', 'db'],
    ]);
    writeFileSync(join(data, 'proj a/new'), 'x');
    await save(context);
    const seen = await visible(space);
    expect(seen.get('symlink-dump')).toBe(dump);
    expect(seen.get('scipion-docker/project.lock')).toBe('x');
    await context.lease.release();
    const other = await fresh(space);
    expect(sorted(dumpFolder(other.data))).toEqual(sorted(dumpFolder(data)));
  });

  test('the trash is emptied by age, replaced versions sooner than removed ones', async () => {
    const clock = new TestClock();
    const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    const hours = async (count: number) => {
      clock.advance(count * 3_600_000);
      await context.lease.heartbeat();
    };
    writeFileSync(join(context.data, 'removed'), 'x');
    writeFileSync(join(context.data, 'changed'), '0');
    await save(context);
    rmSync(join(context.data, 'removed'));
    for (let round = 1; round <= 15; round += 1) {
      writeFileSync(join(context.data, 'changed'), String(round));
      clock.advance(5_000);
      await save(context);
    }
    expect(await trashOf(space)).toHaveLength(16);
    await context.lease.heartbeat();
    expect((await tidyTrash(context)).removed).toBe(0);
    await hours(25);
    await tidyTrash(context);
    const left = await trashOf(space);
    expect(left).toHaveLength(11); // Ten saves keep their versions; the removed file is still there.
    expect(left.filter((path) => path.endsWith('/removed/removed'))).toHaveLength(1);
    await hours(15 * 24);
    await tidyTrash(context);
    expect(await trashOf(space)).toEqual([]);
  });

  test('a damaged manifest costs times and modes, never content, and is repaired', async () => {
    const space = new MemorySpace();
    const first = await fresh(space);
    sampleProject(first.data);
    await save(first.context);
    await first.context.lease.release();
    for await (const entry of space.list({ path: '.scipion-sync/manifest' })) {
      await space.write(entry.path, contentOf('{"p":"../../etc/passwd","k":"f"'));
    }
    const second = await fresh(space);
    expect(sorted(dumpFolder(second.data))).toEqual(sorted(dumpFolder(first.data)));
    expect(second.started.warnings[0]).toContain('damaged');
    writeFileSync(join(second.data, 'p/new'), 'x');
    await save(second.context);
    await second.context.lease.release();
    const third = await fresh(space);
    expect(third.started.warnings).toEqual([]);
    expect(sorted(dumpFolder(third.data))).toEqual(sorted(dumpFolder(second.data)));
  });

  test('a space from a newer version is left alone', async () => {
    const space = new MemorySpace();
    await space.makeDirectory('.scipion-sync');
    await space.write('.scipion-sync/head.json', contentOf('{"version":2,"generation":9}'));
    await space.write('a', contentOf('x'));
    const context = await openProject(folders.make(), space);
    await expect(startProject(context)).rejects.toThrow('newer version');
    expect(dumpFolder(context.data).size).toBe(0);
  });

  test('a save with nothing changed makes no request', async () => {
    const space = new MemorySpace();
    const root = folders.make();
    const { context, data } = await fresh(space, root);
    sampleProject(data);
    await new Promise((done) => setTimeout(done, 150)); // Else the files are too fresh for their times to be trusted.
    await save(context);
    context.close();
    const faulty = new FaultySpace(space, 0, 'before');
    const next = await openProject(root, faulty.space, { lease: false });
    expect(await save(next)).toMatchObject({ saved: false });
    expect(faulty.calls).toBe(0);
  });

  test('a changed mode or time alone sends no content', async () => {
    const space = new MemorySpace();
    const { context, data } = await fresh(space);
    writeFileSync(join(data, 'a'), 'x');
    await save(context);
    const before = await space.stat({ path: 'a' });
    chmodSync(join(data, 'a'), 0o755);
    utimesSync(join(data, 'a'), 1_500_000_000, 1_500_000_000);
    expect(await save(context)).toMatchObject({ saved: true, changes: 1 });
    expect(await space.stat({ path: 'a' })).toEqual(before);
    await context.lease.release();
    const other = await fresh(space);
    expect(statSync(join(other.data, 'a'))).toMatchObject({ mtimeMs: 1_500_000_000_000 });
    expect(statSync(join(other.data, 'a')).mode & 0o777).toBe(0o755);
  });
});
