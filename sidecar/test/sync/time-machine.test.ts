import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { restoreFromTrash } from '../../src/sync/restore/trash-content.ts';
import { knownSaves } from '../../src/sync/save/history.ts';
import { keptSaves } from '../../src/sync/save/retention.ts';
import { save } from '../../src/sync/save/save.ts';
import { listSaves } from '../../src/sync/save/saves-list.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { fromEnvironment, SEEDS, seeded } from './random.ts';
import { dumpFolder, Folders, openProject, TestClock } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const RUNS = fromEnvironment('SYNC_HISTORIES', 30);

/** Everything that a save keeps, in a form that can be compared: content, kind, mode, time, names of one file. */
function everything(folder: string): Map<string, string> {
  const names = [...dumpFolder(folder)];
  const inodes = new Map<bigint, string>();
  return new Map(
    names.sort().map(([name, content]) => {
      const found = lstatSync(Buffer.from(`${folder}/${name.replace(/\/$/, '')}`, 'latin1'), {
        bigint: true,
      });
      const mode = found.isSymbolicLink() ? 'link' : (found.mode & 0o777n).toString(8);
      const first = inodes.get(found.ino) ?? name;
      inodes.set(found.ino, first);
      return [name, `${mode} ${found.mtimeNs / 1_000n} ${found.isFile() ? first : ''} ${content}`];
    }),
  );
}

function fill(data: string): void {
  mkdirSync(join(data, 'p/Runs/empty'), { recursive: true });
  mkdirSync(join(data, 'p/Runs/sub'));
  writeFileSync(join(data, 'p/Runs/a'), 'one', { mode: 0o640 });
  writeFileSync(join(data, 'p/Runs/sub/b'), 'two');
  linkSync(join(data, 'p/Runs/a'), join(data, 'p/Runs/sub/same as a'));
  symlinkSync('/mnt/vol-dataset/movies', join(data, 'p/Runs/imported'));
  symlinkSync('nowhere', join(data, 'p/Runs/sub/dangling'));
  writeFileSync(Buffer.from(`${data}/p/Runs/odd\xff`, 'latin1'), 'odd');
  utimesSync(join(data, 'p/Runs/a'), 1_500_000_000, 1_500_000_000.25);
  lutimesSync(join(data, 'p/Runs/imported'), 1_400_000_000, 1_400_000_000);
  chmodSync(join(data, 'p/Runs/empty'), 0o711);
  for (const name of ['p/Runs/empty', 'p/Runs/sub', 'p/Runs'])
    utimesSync(join(data, name), 1_300_000_000, 1_300_000_000);
}

async function opened() {
  const clock = new TestClock();
  const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
  const context = await openProject(folders.make(), space, { clock });
  await startProject(context);
  return { space, clock, context, data: context.data };
}

async function asOf(context: Awaited<ReturnType<typeof opened>>['context'], of: string | null, path = '') {
  const to = `copy-${Math.random()}`;
  const result = await restoreToFolder(context, await planFolderRestore(context, { path, to, of }, 0));
  const found = everything(join(context.data, to));
  rmSync(join(context.data, to), { recursive: true });
  return { result, found };
}

async function tidyAgain(
  context: Awaited<ReturnType<typeof opened>>['context'],
  retention: Parameters<typeof tidyTrash>[2],
): Promise<void> {
  context.state.setMeta('trash-tidied', null);
  await tidyTrash(context, undefined, retention);
}

describe('the undo of a folder', () => {
  test('brings back links, empty folders, modes, times and hard links', async () => {
    const { clock, context, data } = await opened();
    fill(data);
    await save(context);
    const before = everything(data);
    rmSync(join(data, 'p/Runs'), { recursive: true });
    clock.advance(60_000);
    await save(context);
    const { restored, missing } = await restoreFromTrash(context, 'p/Runs', null);
    expect(missing).toEqual([]);
    expect(restored.length).toBe(6);
    const after = everything(data);
    for (const [name, facts] of before) if (name !== 'p/') expect(after.get(name), name).toBe(facts);
    expect(after.size).toBe(before.size);
    context.close();
  });

  test('replaces nothing: what is there keeps its name', async () => {
    const { context, data } = await opened();
    fill(data);
    await save(context);
    rmSync(join(data, 'p/Runs'), { recursive: true });
    await save(context);
    mkdirSync(join(data, 'p/Runs'));
    writeFileSync(join(data, 'p/Runs/a'), 'new');
    symlinkSync('other', join(data, 'p/Runs/imported'));
    writeFileSync(join(data, 'p/Runs/sub'), 'a file');
    chmodSync(join(data, 'p/Runs'), 0o700);
    const { restored } = await restoreFromTrash(context, 'p/Runs', null);
    const files = dumpFolder(data);
    expect(files.get('p/Runs/a')).toBe('new');
    expect(files.get('p/Runs/imported')).toBe('→ other');
    expect(files.get('p/Runs/sub')).toBe('a file');
    expect(lstatSync(join(data, 'p/Runs')).mode & 0o777).toBe(0o700);
    const contents = restored.map((name) => files.get(Buffer.from(name).toString('latin1')) ?? '');
    expect(contents).toEqual(
      expect.arrayContaining(['one', 'two', '→ /mnt/vol-dataset/movies', '→ nowhere']),
    );
    context.close();
  });

  test.each([
    ['a file', 'p/Runs', (at: string) => writeFileSync(at, 'in the way')],
    ['a link to a folder', 'p/Runs', (at: string) => symlinkSync('.', at)],
    ['a file', 'p', (at: string) => writeFileSync(at, 'in the way')],
  ] as const)('goes beside %s that is where %s was', async (_what, taken, take) => {
    for (const asked of ['p/Runs', 'p/Runs/sub/b']) {
      const { context, data } = await opened();
      fill(data);
      await save(context);
      const wanted = [...dumpFolder(data)].filter(([name]) => name === asked || name.startsWith(`${asked}/`));
      rmSync(join(data, taken), { recursive: true });
      await save(context);
      take(join(data, taken));
      const obstacle = lstatSync(join(data, taken)).ino;
      const { restored, missing } = await restoreFromTrash(context, asked, null);
      expect(missing).toEqual([]);
      expect(
        restored.every((name) => name.startsWith(`${taken} (restored `)),
        String(restored),
      ).toBe(true);
      expect(lstatSync(join(data, taken)).ino).toBe(obstacle);
      const files = dumpFolder(data);
      const beside = String(restored[0]).slice(0, String(restored[0]).indexOf(')') + 1);
      for (const [name, content] of wanted)
        expect(files.get(beside + name.slice(taken.length)), name).toBe(content);
      context.close();
    }
  });

  test('brings back a link that was removed or replaced alone, and an empty folder', async () => {
    const { context, data } = await opened();
    fill(data);
    await save(context);
    unlinkSync(join(data, 'p/Runs/imported'));
    unlinkSync(join(data, 'p/Runs/sub/dangling'));
    symlinkSync('elsewhere', join(data, 'p/Runs/sub/dangling'));
    rmSync(join(data, 'p/Runs/empty'), { recursive: true });
    await save(context);
    expect(await restoreFromTrash(context, 'p/Runs/imported', null)).toMatchObject({
      restored: ['p/Runs/imported'],
    });
    const { restored } = await restoreFromTrash(context, 'p/Runs/sub/dangling', null);
    expect(dumpFolder(data).get(String(restored[0]))).toBe('→ nowhere');
    expect(await restoreFromTrash(context, 'p/Runs/empty', null)).toEqual({
      restored: ['p/Runs/empty'],
      missing: [],
    });
    expect(lstatSync(join(data, 'p/Runs/empty')).mode & 0o777).toBe(0o711);
    context.close();
  });

  test('still works with the trash that a program without history left', async () => {
    const { space, context, data } = await opened();
    fill(data);
    await save(context);
    rmSync(join(data, 'p/Runs'), { recursive: true });
    await save(context);
    await space.removeTree('.scipion-sync/history');
    const { restored } = await restoreFromTrash(context, 'p/Runs', null);
    expect(restored.length).toBe(4);
    expect(dumpFolder(data).get('p/Runs/a')).toBe('one');
    context.close();
  });
});

describe('the time machine', () => {
  test('lists saves, and gives each of them, a folder or a file of it as it was then', async () => {
    const { clock, context, data } = await opened();
    fill(data);
    const then: Map<string, string>[] = [];
    const keep = async () => {
      await save(context);
      then.push(everything(data));
      clock.advance(3_600_000);
    };
    await keep();
    writeFileSync(join(data, 'p/Runs/a'), 'changed');
    chmodSync(join(data, 'p/Runs/sub/b'), 0o600);
    unlinkSync(join(data, 'p/Runs/imported'));
    await keep();
    rmSync(join(data, 'p/Runs/sub'), { recursive: true });
    writeFileSync(join(data, 'p/Runs/sub'), 'a file now');
    writeFileSync(join(data, 'p/new'), 'new');
    await keep();
    renameSync(join(data, 'p/Runs'), join(data, 'p/Moved'));
    mkdirSync(join(data, 'p/Runs'));
    await keep();
    rmSync(join(data, 'p'), { recursive: true });
    writeFileSync(join(data, 'q'), 'q');
    await keep();
    const saves = await knownSaves(context);
    expect(saves.map(({ generation }) => generation)).toEqual([5, 4, 3, 2, 1]);
    for (const [index, expected] of then.entries()) {
      const { result, found } = await asOf(context, String(index + 1));
      expect(result, `save ${index + 1}`).toMatchObject({ generation: index + 1, skipped: 0 });
      expect(found, `save ${index + 1}`).toEqual(expected);
    }
    const { found } = await asOf(context, String(saves[4]?.saveId).slice(0, 8), 'p/Runs/sub');
    expect([...found.keys()].sort()).toEqual(['sub/', 'sub/b', 'sub/dangling', 'sub/same as a']);
    expect((await asOf(context, '2', 'p/Runs/a')).found.get('a')).toContain('changed');
    await expect(asOf(context, '9')).rejects.toThrow('no save that is kept. Which there are: sync saves');
    await expect(asOf(context, '5', 'p')).rejects.toThrow('save 5 has nothing at p');
    expect(everything(data)).toEqual(then[4]);
    context.close();
  });

  test('says what each save costs: the versions that no other one needs', async () => {
    const { clock, context, data } = await opened();
    const write = async (files: Record<string, number>) => {
      for (const [name, size] of Object.entries(files)) writeFileSync(join(data, name), 'x'.repeat(size));
      await save(context);
      clock.advance(60_000);
    };
    await write({ a: 1_000, b: 10 });
    await write({ a: 2_000 });
    await write({ c: 5 });
    await write({ a: 3_000, b: 20 });
    const { saves, olderBytes } = await listSaves(context);
    expect(saves.map(({ generation, changes, onlyBytes }) => [generation, changes, onlyBytes])).toEqual([
      [4, 2, 0],
      // It shares `a` with save 2, and `b` with both before.
      [3, 1, 0],
      [2, 1, 0],
      [1, 2, 1_000],
    ]);
    expect(olderBytes).toBe(1_000 + 2_000 + 10);
    context.close();
  });

  test('keeps saves by age and number, each as it was, and gives up what no other needs', async () => {
    const { space, clock, context, data } = await opened();
    const then = new Map<number, Map<string, string>>();
    const small = { last: 3, hourly: 4, daily: 2, weekly: 0, maxBytes: null };
    for (let round = 1; round <= 24; round += 1) {
      writeFileSync(join(data, 'database'), `version ${round} `.repeat(10));
      if (round % 5 === 0) writeFileSync(join(data, 'seldom'), `seldom ${round}`);
      if (round === 7) writeFileSync(join(data, 'short'), 'lived for one save');
      if (round === 8) rmSync(join(data, 'short'));
      clock.advance(1_200_000);
      const { generation } = await save(context);
      then.set(generation, everything(data));
    }
    // No save is just as old as a limit: the engine goes by the clock of the space, which has whole seconds.
    clock.advance(60_000);
    await context.lease.heartbeat();
    context.state.setMeta('trash-tidied', null);
    const before = await knownSaves(context);
    const expected = keptSaves(before, small, clock.now()).map(({ generation }) => generation);
    await tidyTrash(context, { removedMs: 14 * 86_400_000, replacedMs: 0, replacedSaves: 0 }, small);
    const kept = await knownSaves(context);
    expect(kept.map(({ generation }) => generation)).toEqual(expected);
    expect(expected.length).toBeLessThan(9);
    expect(expected.slice(0, 3)).toEqual([24, 23, 22]);
    for (const generation of expected)
      expect((await asOf(context, String(generation))).found, `save ${generation}`).toEqual(
        then.get(generation),
      );
    const files = [...(await dumpSpace(space)).keys()];
    expect(files.filter((path) => path.includes('/history/') && path.endsWith('.jsonl')).length).toBe(
      expected.length,
    );
    expect(files.filter((path) => path.endsWith('/replaced/database')).length).toBe(expected.length - 1);
    // Nobody can go back to it, and it was removed by hand: it stays for its time.
    expect(files.filter((path) => path.endsWith('/removed/short')).length).toBe(1);
    const { restored } = await restoreFromTrash(context, 'short', null);
    expect(restored).toEqual(['short']);
    const { olderBytes } = await listSaves(context);
    await tidyAgain(context, { ...small, maxBytes: Math.floor(olderBytes / 2) });
    expect((await knownSaves(context)).length).toBeLessThan(expected.length);
    expect((await listSaves(context)).olderBytes).toBeLessThanOrEqual(olderBytes / 2);
    context.close();
  });

  test('tells what somebody else has changed since, and gives the rest', async () => {
    const { space, clock, context, data } = await opened();
    for (const name of ['a', 'b']) writeFileSync(join(data, name), `${name} of then`);
    await save(context);
    clock.advance(10_000);
    await space.write('b', contentOf('of somebody else'));
    writeFileSync(join(data, 'c'), 'c');
    await save(context);
    const { result, found } = await asOf(context, '1');
    expect([...found.keys()]).toEqual(['a']);
    expect(result.skipped).toBe(0);
    context.close();
  });

  test.each(SEEDS)(
    'gives every save of a random history as it was: seed %i',
    async (seed) => {
      const name = fc.constantFrom('a', 'b', 'd/a', 'd/e/b', 'd', 'd/e');
      const step = fc.oneof(
        fc.record({ do: fc.constant('write' as const), name, size: fc.nat(40) }),
        fc.record({ do: fc.constant('remove' as const), name }),
        fc.record({ do: fc.constant('mkdir' as const), name }),
        fc.record({ do: fc.constant('link' as const), name }),
        fc.record({ do: fc.constant('hard link' as const), name }),
        fc.record({ do: fc.constant('mode' as const), name }),
        fc.record({ do: fc.constant('save' as const), name }),
        fc.record({ do: fc.constant('restart' as const), name }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const clock = new TestClock();
          const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
          const root = folders.make();
          const limits = { share: 1, count: 1_000 };
          let context = await openProject(root, space, { clock, limits });
          await startProject(context);
          const then = new Map<number, Map<string, string>>();
          let count = 0;
          for (const each of steps) {
            const at = join(context.data, each.name);
            clock.advance(2_000);
            count += 1;
            try {
              switch (each.do) {
                case 'write':
                  writeFileSync(at, `${count} ${'x'.repeat(each.size)}`);
                  break;
                case 'remove':
                  rmSync(at, { recursive: true, force: true });
                  break;
                case 'mkdir':
                  mkdirSync(at, { recursive: true });
                  break;
                case 'link':
                  symlinkSync(`target ${count}`, at);
                  break;
                case 'hard link':
                  linkSync(join(context.data, 'a'), at);
                  break;
                case 'mode':
                  if (!lstatSync(at).isSymbolicLink()) chmodSync(at, 0o700 + (count % 8));
                  break;
                case 'save': {
                  const { saved, generation } = await save(context);
                  if (saved) then.set(generation, everything(context.data));
                  break;
                }
                case 'restart':
                  await context.lease.release();
                  context.close();
                  context = await openProject(root, space, { clock, limits, lease: 'patient' });
                  await startProject(context);
                  break;
              }
            } catch (error) {
              if (!('syscall' in (error as object))) throw error;
            }
          }
          for (const [generation, expected] of then) {
            if (expected.size === 0) continue;
            const { found } = await asOf(context, String(generation));
            expect(found, `save ${generation}`).toEqual(expected);
          }
          context.close();
          folders.clear();
        }),
        seeded(seed, RUNS),
      );
    },
    60_000 + RUNS * 2_000,
  );
});
