import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type Space, SpaceError } from '../../src/spaces/space.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, trashOf, visible } from './world.ts';

const folders = new Folders();
let given: GivenEmulator | undefined;
afterEach(() => folders.clear());
afterAll(async () => {
  await given?.dispose();
});

/** Bytes of files that were sent, without what the engine writes for itself, and copies that were made in the space. */
interface Traffic {
  sent: number;
  copies: number;
}

function watched(space: Space, traffic: Traffic, copy?: Space['copy']): Space {
  const isContent = (path: string) => /^\.scipion-sync\/staging\/[^/]+\/[^/]+-\d+$/.test(path);
  return {
    ...space,
    ...Object.fromEntries(
      ['stat', 'list', 'read', 'move', 'makeDirectory', 'makeSymlink', 'readSymlink', 'check', 'close']
        .concat(['removeFile', 'removeEmptyDirectory', 'removeTree', 'writePart'])
        .map((name) => [name, (space[name as keyof Space] as (...args: unknown[]) => unknown)?.bind(space)]),
    ),
    write: (path, content, options) => {
      if (isContent(path)) traffic.sent += content.size;
      return space.write(path, content, options);
    },
    copy: async (...args) => {
      traffic.copies += 1;
      await (copy ?? space.copy?.bind(space))?.(...args);
    },
    get capabilities() {
      return space.capabilities;
    },
  };
}

async function begun(make: (data: string) => void, copy?: Space['copy'], space: Space = new MemorySpace()) {
  const traffic: Traffic = { sent: 0, copies: 0 };
  const clock = new TestClock();
  const context = await openProject(folders.make(), watched(space, traffic, copy), { clock });
  await startProject(context);
  make(context.data);
  // Nothing of it is young any more.
  clock.advance(60_000);
  await save(context);
  traffic.sent = 0;
  return { context, data: context.data, space, traffic };
}

async function restored(space: Space): Promise<[string, string][]> {
  const context = await openProject(folders.make(), space, { lease: false });
  await context.lease.acquire([], true);
  await startProject(context);
  context.close();
  return sorted(dumpFolder(context.data));
}

const movies = (data: string): void => {
  mkdirSync(join(data, 'movies/raw'), { recursive: true });
  for (const name of ['a', 'b', 'c']) writeFileSync(join(data, `movies/raw/${name}.mrc`), `movie ${name}`);
  linkSync(join(data, 'movies/raw/a.mrc'), join(data, 'movies/same.mrc'));
  symlinkSync('raw/a.mrc', join(data, 'movies/link'));
};

test('a renamed folder is copied in the space and not sent, and the save before can still be brought back', async () => {
  const { context, data, space, traffic } = await begun(movies);
  const before = sorted(dumpFolder(join(data, 'movies')));
  renameSync(join(data, 'movies'), join(data, 'films'));
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  expect(traffic).toEqual({ sent: 0, copies: 4 });
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  expect(await restored(space)).toEqual(sorted(dumpFolder(data)));
  expect(await trashOf(space)).toHaveLength(4);
  await context.lease.acquire([], true);
  expect(await save(context)).toMatchObject({ saved: false });

  const plan = await planFolderRestore(context, { of: '1', path: 'movies', to: 'then' }, 2);
  await restoreToFolder(context, plan);
  expect(sorted(dumpFolder(join(data, 'then/movies')))).toEqual(before);
});

test('two files that change places, and one that goes round three', async () => {
  const { context, data, space, traffic } = await begun(movies);
  const at = (name: string) => join(data, `movies/raw/${name}.mrc`);
  renameSync(at('a'), at('t'));
  renameSync(at('b'), at('a'));
  renameSync(at('c'), at('b'));
  renameSync(at('t'), at('c'));
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  expect(traffic).toEqual({ sent: 0, copies: 3 });
  expect((await visible(space)).get('movies/raw/a.mrc')).toBe('movie b');
  expect(await restored(space)).toEqual(sorted(dumpFolder(data)));
});

test.each([
  ['longer', (file: string) => appendFileSync(file, '!')],
  [
    'as long, with its time set back',
    (file: string) => {
      const { atime, mtime } = statSync(file);
      writeFileSync(file, 'MOVIE a');
      utimesSync(file, atime, mtime);
    },
  ],
])('a file that was moved and is %s is sent', async (_, change) => {
  const { context, data, space, traffic } = await begun((data) =>
    writeFileSync(join(data, 'a.mrc'), 'movie a'),
  );
  utimesSync(join(data, 'a.mrc'), 1_700_000_000, 1_700_000_000);
  await save(context);
  traffic.sent = 0;
  renameSync(join(data, 'a.mrc'), join(data, 'b.mrc'));
  change(join(data, 'b.mrc'));
  await save(context);
  expect(traffic.sent).toBe(statSync(join(data, 'b.mrc')).size);
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
});

test('somebody else has another version at the old place: it stays, and the file is sent', async () => {
  const { context, data, space, traffic } = await begun(movies);
  await space.write('movies/raw/b.mrc', contentOf('of somebody else'));
  renameSync(join(data, 'movies/raw'), join(data, 'films'));
  await save(context);
  expect(traffic).toEqual({ sent: 'movie b'.length, copies: 2 });
  const there = await visible(space);
  expect(there.get('films/b.mrc')).toBe('movie b');
  expect(there.get('movies/raw/b.mrc')).toBe('of somebody else');
});

test('a version that comes to the old place while it is copied is not taken for the file', async () => {
  const space = new MemorySpace();
  const { context, data } = await begun(
    movies,
    async (from, to) => {
      await space.write('movies/raw/b.mrc', contentOf('of somebody else'));
      await space.copy(from, to);
    },
    space,
  );
  renameSync(join(data, 'movies/raw/b.mrc'), join(data, 'b.mrc'));
  await save(context);
  expect((await visible(space)).get('b.mrc')).toBe('movie b');
  expect((await visible(space)).get('movies/raw/b.mrc')).toBe('of somebody else');
});

test.each([
  ['unsupported', 1],
  ['unavailable', 3],
  ['space-full', 3],
  ['stalled', 1],
] as const)(
  'where the space cannot copy (%s), it is asked %i times and everything is sent',
  async (code, asked) => {
    const { context, data, space, traffic } = await begun(movies, async () => {
      throw new SpaceError(code, 'it cannot');
    });
    renameSync(join(data, 'movies'), join(data, 'films'));
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect(traffic.sent).toBe(4 * 'movie a'.length);
    // Those that were asked at one time all were.
    expect(traffic.copies).toBeGreaterThanOrEqual(asked);
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  },
);

test('a copy that comes short is sent', async () => {
  const space = new MemorySpace();
  const short: Space['copy'] = async (_, to) => void (await space.write(to, contentOf('mov')));
  const { context, data } = await begun(movies, short, space);
  renameSync(join(data, 'movies'), join(data, 'films'));
  await save(context);
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
});

test('a folder that is renamed again while it is copied: nothing is lost, and the next save has it', async () => {
  const space = new MemorySpace();
  let data = '';
  const world = await begun(
    movies,
    async (from, to) => {
      await space.copy(from, to);
      try {
        renameSync(join(data, 'films'), join(data, 'again'));
      } catch {
        // It was already.
      }
    },
    space,
  );
  data = world.data;
  renameSync(join(data, 'movies'), join(data, 'films'));
  await save(world.context);
  await save(world.context);
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  expect((await visible(space)).get('again/raw/c.mrc')).toBe('movie c');
});

test('over REST a renamed folder makes a handful of requests a file, and sends none of its bytes', async () => {
  given ??= await givenEmulator();
  const space = withRetry(given.open(await given.addSpace()));
  const size = 300_000;
  const make = (data: string) => {
    mkdirSync(join(data, 'movies'));
    for (let n = 0; n < 10; n += 1) writeFileSync(join(data, `movies/${n}.mrc`), `${n}`.repeat(size));
    writeFileSync(join(data, 'movies/small.star'), 'small');
  };
  const { context, data, traffic } = await begun(make, undefined, space);
  renameSync(join(data, 'movies'), join(data, 'films'));
  const { faults } = given.emulator.context;
  faults.clear();
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  // A small file costs less to send than to ask for.
  expect(traffic).toEqual({ sent: 'small'.length, copies: 10 });
  expect(faults.requests / 11).toBeLessThan(25);
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  expect((await visible(space)).get('films/7.mrc')).toBe('7'.repeat(size));
  await space.close();
});
