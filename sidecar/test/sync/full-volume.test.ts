import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, pathsBelow, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { SmallVolumes } from './small-volumes.ts';
import { dumpFolder, Folders, quiet, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
const volumes = new SmallVolumes(folders);
const containers = new Containers();
afterEach(async () => {
  await containers.stopAll();
  volumes.unmountAll();
  folders.clear();
});

function fill(file: string): void {
  for (const bytes of [1 << 20, 4096, 1]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }
}

function database(file: string, mebibytes: number, value: number): void {
  const opened = new DatabaseSync(file);
  opened.exec('CREATE TABLE IF NOT EXISTS t (v, b)');
  opened.prepare('INSERT INTO t VALUES (?, zeroblob(?))').run(value, mebibytes << 20);
  opened.close();
}

describe.skipIf(!volumes.canMount)('a full volume', () => {
  test('a database that is larger than the reserve is named, all else is saved, also after a restart', async () => {
    const [root, space] = [folders.make(), new MemorySpace()];
    volumes.mount(root, 300 << 20);
    await prepareVolume(root);
    const open = async () => {
      const clock = new TestClock();
      const session = await ProjectSession.open({
        root,
        space,
        instance: 'lab/alice',
        clock,
        log: quiet,
        progress: new Progress(clock),
        limits: DEFAULT_LIMITS,
        signal: new AbortController().signal,
        reserveBytes: 12 << 20,
      });
      await session.acquireLease();
      return { session, started: await session.start({}) };
    };
    const data = (name: string) => join(root, 'data', name);
    const first = await open();
    first.session.setOpen(true);
    mkdirSync(data('p'));
    database(data('p/large.sqlite'), 20, 1);
    writeFileSync(data('p/file-0'), 'work 0');
    await first.session.save({});
    const saved = (await visible(space)).get('p/large.sqlite');
    database(data('p/large.sqlite'), 1, 2);
    for (let n = 0; n < 100; n += 1) writeFileSync(data(`p/file-${n}`), `new work ${n}`);
    fill(data('filler'));
    const left = {
      total: 1,
      items: [{ path: 'p/large.sqlite', code: 'no-room', during: 'save' }],
    };
    expect(await first.session.save({})).toMatchObject({ saved: true, skipped: 1, fileProblems: left });
    const all = dumpFolder(data(''));
    const others = sorted(all).filter(([path]) => path !== 'p/large.sqlite');
    expect(sorted(await visible(space)).filter(([path]) => path !== 'p/large.sqlite')).toEqual(others);
    expect((await visible(space)).get('p/large.sqlite'), 'the saved version stays').toBe(saved);
    first.session.close();

    const second = await open();
    expect(second.started).toMatchObject({ unsaved: 1, notSaved: left, missing: { total: 0 } });
    expect(second.session.mayHoldUnsavedWork).toBe(true);
    expect(sorted(dumpFolder(data('')))).toEqual(sorted(all));
    rmSync(data('filler'));
    expect(await second.session.save({})).toMatchObject({ saved: true, skipped: 0 });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data(''))));
    second.session.close();
  }, 120_000);

  test('without a free byte, not even for the state, the desktop opens so that room can be made', async () => {
    const root = folders.make();
    const paths = pathsBelow(root);
    for (const volume of [paths.sourceVolume, paths.projectVolume]) mkdirSync(volume);
    volumes.mount(paths.projectVolume, 48 << 20);
    for (const volume of [paths.sourceVolume, paths.projectVolume]) await prepareVolume(volume);
    const project = new MemorySpace({ identity: 'memory://project' });
    const start = () =>
      containers.start({
        config: { ...QUIET_CONFIG, autosaveIntervalSeconds: 1 },
        paths,
        spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => project },
        desktopWaitMs: 300,
        leaseTimes: { heartbeatMs: 50 },
      });
    const until = (what: string, check: Parameters<typeof untilStatus>[2]) =>
      untilStatus(paths.syncSocket, what, check, 20);
    const data = (name: string) => join(paths.projectVolume, 'data', name);
    const first = await start();
    await until('the desktop', ({ ready }) => ready);
    writeFileSync(data('a'), 'saved');
    first.stop();
    await first.done;
    containers.forgetAll();
    // More than the end of the run left for the log of the state.
    writeFileSync(data('b'), 'not saved yet');
    fill(data('filler'));

    const second = await start();
    const open = await until('the desktop', ({ ready }) => ready);
    expect(open.problems).toMatchObject([{ code: 'volume-full', space: 'project' }]);
    expect(open.phase).toBe('running');
    rmSync(data('filler'));
    await until('a save', ({ save, problems }) => save.unsavedChanges === false && problems.length === 0);
    expect(sorted(await visible(project))).toEqual([
      ['a', 'saved'],
      ['b', 'not saved yet'],
    ]);
    second.stop();
    await second.done;
    containers.forgetAll();
    await start();
    expect((await until('the desktop', ({ ready }) => ready)).problems).toEqual([]);
  }, 120_000);
});
