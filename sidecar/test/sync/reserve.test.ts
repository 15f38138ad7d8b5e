import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import type { Space } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { Reserve } from '../../src/sync/volume/reserve.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { SmallVolumes } from './small-volumes.ts';
import { dumpFolder, Folders, quiet, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
const volumes = new SmallVolumes(folders);
afterEach(() => {
  volumes.unmountAll();
  folders.clear();
});

/** More than the log of the state, which SQLite lets grow to 4 MiB. */
const RESERVE = 12 << 20;

/** A volume of 300 MiB; null where this user may not mount one. */
function smallVolume(): string | null {
  const folder = folders.make();
  return volumes.mount(folder, 300 << 20) ? folder : null;
}

async function open(root: string, space: Space, clock = new TestClock()): Promise<ProjectSession> {
  const session = await ProjectSession.open({
    root,
    space,
    instance: 'lab/alice',
    clock,
    log: quiet,
    progress: new Progress(clock),
    limits: DEFAULT_LIMITS,
    signal: new AbortController().signal,
    reserveBytes: RESERVE,
  });
  await session.acquireLease();
  await session.start({});
  return session;
}

/** Writes until nothing more goes, as a protocol does that nobody watches. */
function fill(file: string): void {
  for (const bytes of [1 << 20, 4096, 1]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }
}

describe.skipIf(!volumes.canMount)('a volume that is filled to its last byte', () => {
  test('is saved all the same, and the room for that is kept again once there is some', async () => {
    const [root, space] = [String(smallVolume()), new MemorySpace()];
    await prepareVolume(root);
    const session = await open(root, space);
    const reserve = join(root, 'state/reserve');
    expect(statSync(reserve).size).toBe(RESERVE);
    const data = (name: string) => join(root, 'data', name);
    mkdirSync(data('p'));
    const database = new DatabaseSync(data('p/project.sqlite'));
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES (1)');
    for (let n = 0; n < 300; n += 1) writeFileSync(data(`p/file-${n}`), `work ${n}`);
    fill(join(root, 'filler'));
    expect(await session.save({ scope: 'changed' })).toMatchObject({ saved: true, skipped: 0 });
    database.close();
    expect(existsSync(reserve)).toBe(false);
    const saved = await visible(space);
    for (let n = 0; n < 300; n += 1) expect(saved.get(`p/file-${n}`)).toBe(`work ${n}`);
    rmSync(join(root, 'filler'));
    expect(await session.save({})).toMatchObject({ saved: true, skipped: 0 });
    expect(statSync(reserve).size).toBe(RESERVE);
    // The log of the database could not be brought into it where there was no room.
    const project = sorted(dumpFolder(join(root, 'data'))).filter(
      ([path]) => !/sqlite-(wal|shm)$/.test(path),
    );
    expect(sorted(await visible(space)).map(([path]) => path)).toEqual(project.map(([path]) => path));
    session.close();
  });

  test('opens, so that its user can remove something', async () => {
    const [root, space, clock] = [String(smallVolume()), new MemorySpace(), new TestClock()];
    await prepareVolume(root);
    const session = await open(root, space, clock);
    writeFileSync(join(root, 'data/work'), 'work');
    fill(join(root, 'filler'));
    session.close();
    const next = await open(root, space, clock);
    expect((await visible(space)).get('work')).toBe('work');
    expect(await next.save({})).toMatchObject({ skipped: 0 });
    next.close();
  });
});

test('a volume with little room keeps none', async () => {
  const folder = folders.make();
  const reserve = new Reserve(folder, quiet, RESERVE);
  await reserve.refill(async () => RESERVE * 10);
  expect(existsSync(join(folder, 'reserve'))).toBe(false);
  const full = Object.assign(new Error('no room'), { code: 'ENOSPC' });
  let calls = 0;
  const work = async () => {
    calls += 1;
    throw full;
  };
  await expect(reserve.with(work)).rejects.toBe(full);
  expect(calls).toBe(1);
  await reserve.refill(async () => RESERVE * 100);
  await expect(reserve.with(work)).rejects.toBe(full);
  expect(calls).toBe(3);
});
