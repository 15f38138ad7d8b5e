import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import type { Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Random } from './random.ts';
import { SmallVolumes } from './small-volumes.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
const volumes = new SmallVolumes(folders);
afterEach(() => {
  volumes.unmountAll();
  folders.clear();
});

const codeOf = (error: unknown): string => toProblem(error, 'project', new Date(0).toISOString()).code;

describe('a full volume', () => {
  async function projectOf(space: Space, clock: TestClock): Promise<[string, string][]> {
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    mkdirSync(join(context.data, 'p'));
    const random = new Random(1);
    for (let index = 0; index < 12; index += 1)
      writeFileSync(join(context.data, `p/file-${index}`), random.bytes(400_000));
    await save(context);
    await context.lease.release();
    context.close();
    return sorted(dumpFolder(context.data));
  }

  test.skipIf(!volumes.canMount)(
    'a restore stops with a clear word, keeps the space, and goes on with more room',
    async () => {
      const [space, clock] = [new MemorySpace(), new TestClock()];
      const project = await projectOf(space, clock);
      const root = folders.make();
      volumes.mount(root, 3 << 20);
      const context = await openProject(root, space, { clock });
      const refused = await startProject(context).catch((error: unknown) => error);
      expect(codeOf(refused)).toBe('volume-full');
      expect((refused as Error).message).toMatch(/4.58 MiB are needed and .* are free/);
      // The number of free bytes is a promise that others break meanwhile: the disk itself says no.
      context.tree.freeBytes = async () => Number.MAX_SAFE_INTEGER;
      const full = await startProject(context).catch((error: unknown) => error);
      expect(codeOf(full)).toBe('volume-full');
      expect(readdirSync(context.data)).toEqual(['p']);
      expect(sorted(await visible(space))).toEqual(project);
      expect(spawnSync('mount', ['-o', 'remount,size=64m', root]).status).toBe(0);
      expect((await startProject(context)).savedFirst).toBe(0);
      expect(sorted(dumpFolder(context.data))).toEqual(project);
      expect(sorted(await visible(space))).toEqual(project);
      context.close();
    },
  );

  test.skipIf(!volumes.canMount)(
    'a save on a volume without a free byte loses nothing, on either side',
    async () => {
      const [space, clock] = [new MemorySpace(), new TestClock()];
      const root = folders.make();
      volumes.mount(root, 16 << 20);
      let context = await openProject(root, space, { clock });
      await startProject(context);
      mkdirSync(join(context.data, 'p'));
      for (let index = 0; index < 40; index += 1)
        writeFileSync(join(context.data, `p/file-${index}`), `one ${index}`);
      await save(context);
      const before = sorted(await visible(space));
      for (let index = 0; index < 40; index += 1)
        writeFileSync(join(context.data, `p/file-${index}`), `two ${index}`);
      try {
        for (;;) writeFileSync(join(context.data, 'filler'), Buffer.alloc(4096), { flag: 'a' });
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
      const work = sorted(dumpFolder(context.data));
      const error = await save(context).then(
        () => null,
        (failure: unknown) => failure,
      );
      expect([before, work].map(String)).toContain(String(sorted(await visible(space))));
      if (error !== null) expect(codeOf(error)).toBe('volume-full');
      context.close();
      rmSync(join(root, 'data/filler'));
      context = await openProject(root, space, { clock });
      await startProject(context);
      await save(context);
      const wanted = work.filter(([path]) => path !== 'filler');
      expect(sorted(dumpFolder(context.data))).toEqual(wanted);
      expect(sorted(await visible(space))).toEqual(wanted);
      context.close();
    },
  );
});

describe('a full space', () => {
  let given: GivenEmulator;
  beforeAll(async () => {
    given = await givenEmulator();
  });
  afterAll(async () => {
    await given.dispose();
  });

  test('a save stops with a clear word, the last save stays whole, and with more room it goes on', async () => {
    const id = await given.addSpace();
    const space = withRetry(given.open(id), { firstWaitMs: 1, maxWaitMs: 5, retries: 2 });
    const context = await openProject(folders.make(), space);
    await startProject(context);
    mkdirSync(join(context.data, 'p'));
    writeFileSync(join(context.data, 'p/a'), 'one');
    await save(context);
    const before = sorted(await visible(space));
    given.emulator.context.spaces.setQuota(id, 1_000_000);
    const random = new Random(2);
    for (let index = 0; index < 8; index += 1)
      writeFileSync(join(context.data, `p/new-${index}`), random.bytes(300_000));
    rmSync(join(context.data, 'p/a'));
    for (let round = 0; round < 2; round += 1) {
      const full = await save(context).catch((error: unknown) => error);
      expect(codeOf(full), String(full)).toBe('space-full');
      expect(sorted(await visible(space))).toEqual(before);
    }
    given.emulator.context.spaces.setQuota(id, null);
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(context.data)));
    context.close();
    await space.close();
  });
});

/** A space whose listings leave out what `drops` says, without a word; every other call knows all of it. */
function dropping(inner: MemorySpace, drops: (path: string) => boolean): Space {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      if (key !== 'list') return value.bind(target);
      return async function* (...args: Parameters<MemorySpace['list']>) {
        for await (const entry of target.list(...args)) if (!drops(entry.path)) yield entry;
      };
    },
  }) as Space;
}

describe('a listing that drops entries', () => {
  test.each([
    ['some files', (path: string, random: Random) => !path.startsWith('.scipion') && random.chance(0.3)],
    ['a folder with all below', (path: string) => path === 'p/sub'],
    ['everything', (path: string) => !path.startsWith('.scipion')],
  ])('%s: a new volume gets them all the same, an old one keeps them', async (_, drops) => {
    const [inner, clock, random] = [new MemorySpace(), new TestClock(), new Random(5)];
    const first = await openProject(folders.make(), inner, { clock });
    await startProject(first);
    mkdirSync(join(first.data, 'p/sub/deep'), { recursive: true });
    for (let index = 0; index < 30; index += 1) {
      writeFileSync(join(first.data, `p/file-${index}`), `content ${index}`);
      writeFileSync(join(first.data, `p/sub/deep/file-${index}`), `deep ${index}`);
    }
    await save(first);
    await first.lease.release();
    first.close();
    const project = sorted(dumpFolder(first.data));
    const space = dropping(inner, (path) => drops(path, random));
    for (const root of [folders.make(), join(first.data, '..')]) {
      const context = await openProject(root, space, { clock, lease: 'patient' });
      await startProject(context);
      expect(sorted(dumpFolder(context.data))).toEqual(project);
      await save(context);
      await context.lease.release();
      context.close();
      expect(sorted(await visible(inner))).toEqual(project);
    }
  });
});

test('a clock that jumps by years and back empties no trash, loses no save and no work', async () => {
  const clock = new TestClock();
  const [space, root] = [new MemorySpace(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  const { tidyTrash } = await import('../../src/sync/save/trash.ts');
  const year = 365 * 24 * 3_600_000;
  for (const [round, jump] of [0, 3 * year, -5 * year, 2 * year, -year / 365].entries()) {
    clock.advance(jump);
    writeFileSync(join(context.data, 'changed'), `version ${round}`);
    writeFileSync(join(context.data, `new-${round}`), 'x');
    rmSync(join(context.data, `new-${round - 1}`), { force: true });
    expect(await save(context), `jump by ${jump}`).toMatchObject({ saved: true, generation: round + 1 });
    await context.lease.heartbeat();
    expect((await tidyTrash(context)).removed).toBe(0);
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(context.data)));
  }
  context.close();
  const next = await openProject(root, space, { clock });
  expect(await startProject(next)).toMatchObject({ savedFirst: 0, restored: 0, removed: 0 });
  next.close();
});
