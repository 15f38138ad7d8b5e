import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf, readAll, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { verifySpace } from '../../src/sync/restore/verify.ts';
import { save } from '../../src/sync/save/save.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { NewerFormatError } from '../../src/sync/sync-errors.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { Random } from './random.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

const FILES = 12;

function writeAll(data: string, content: string): void {
  mkdirSync(join(data, 'p/sub'), { recursive: true });
  for (let index = 0; index < FILES; index += 1)
    writeFileSync(join(data, `p/file-${index}`), `${content} ${index}`);
  writeFileSync(join(data, 'p/sub/inner'), content);
  symlinkSync('/mnt/vol-dataset/a', join(data, 'p/link'));
}

/** Two saves of a project; its volume then has work that is not saved, and its container is gone. */
async function world() {
  const space = new MemorySpace();
  const clock = new TestClock();
  const root = folders.make();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  writeAll(context.data, 'first');
  await save(context);
  writeFileSync(join(context.data, 'p/file-0'), 'second');
  await save(context);
  writeFileSync(join(context.data, 'p/file-1'), 'not saved yet');
  return { space, clock, root, data: context.data, context };
}

/** Each damage gets the bytes and gives others, or null: the file becomes a directory. */
const DAMAGES: [string, (bytes: Buffer, random: Random) => Buffer | null][] = [
  ['random bytes', (bytes, random) => random.bytes(bytes.length)],
  ['random bytes in the middle', (bytes, random) => spliced(bytes, bytes.length >> 1, random.bytes(16))],
  ['cut', (bytes, random) => bytes.subarray(0, 1 + random.below(bytes.length - 1))],
  ['empty', () => Buffer.alloc(0)],
  ['zeros', (bytes) => Buffer.alloc(bytes.length)],
  ['other JSON', () => Buffer.from('{"version":1,"segments":"none","path":["..","x"]}\n')],
  ['a newer version', (bytes) => Buffer.from(bytes.toString('utf8').replace(/"version":\d/, '"version":9'))],
  ['a directory', () => null],
];

function spliced(bytes: Buffer, at: number, other: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at + other.length)]);
}

async function damage(space: Space, path: string, change: (bytes: Buffer) => Buffer | null): Promise<void> {
  const changed = change(await readAll(space, { path }, 1 << 20));
  if (changed !== null) {
    await space.write(path, contentOf(changed));
    return;
  }
  await space.removeFile(path);
  await space.makeDirectory(path);
}

async function engineFiles(space: Space, folder: string): Promise<string[]> {
  const prefix = `.scipion-sync/${folder}`;
  return [...(await dumpSpace(space)).keys()].filter(
    (path) => path.startsWith(prefix) && !path.endsWith('/'),
  );
}

/** Path, mode and time, to the millisecond, of every file. */
function entriesOf(data: string): [string, number, number][] {
  return sorted(dumpFolder(data))
    .map(([path]) => path)
    .filter((path) => !path.endsWith('/') && lstatSync(join(data, path)).isFile())
    .map((path) => [path, lstatSync(join(data, path)).mode, Math.round(lstatSync(join(data, path)).mtimeMs)]);
}

/** A start and a save as the container makes them: asked again while another one seems to live. */
async function attempt(root: string, space: Space, clock: TestClock) {
  const context = await openProject(root, space, { clock, lease: false });
  try {
    await takeLease(context, true);
    await startProject(context);
    await save(context);
    return { error: null, volume: dumpFolder(context.data) };
  } catch (error) {
    return { error: error as Error, volume: dumpFolder(context.data) };
  } finally {
    context.close();
  }
}

/** A refusal tells a person what is wrong; anything else is a fault of the program. */
function isRefusal(error: Error | null): boolean {
  const { code, message } = toProblem(error, 'project', new Date(0).toISOString());
  return ['state-damaged', 'lease-held'].includes(code) && message.length > 40;
}

describe.each(DAMAGES)('%s', (name, change) => {
  test.each(['head.json', 'manifest', 'lease.json'])(
    'in %s: a refusal or a repair, never a deletion',
    async (file) => {
      const random = new Random(name.length);
      const w = await world();
      w.context.close();
      for (const path of await engineFiles(w.space, file))
        await damage(w.space, path, (bytes) => change(bytes, random));
      const before = await visible(w.space);
      const work = sorted(dumpFolder(w.data));
      const mine = await attempt(w.root, w.space, w.clock);
      expect(sorted(mine.volume), 'the volume keeps all it had').toEqual(work);
      if (mine.error === null) expect(sorted(await visible(w.space)), 'all of it is saved').toEqual(work);
      else {
        expect(isRefusal(mine.error), String(mine.error.stack)).toBe(true);
        expect(sorted(await visible(w.space)), 'a refusal changes nothing').toEqual(sorted(before));
      }
      const other = await attempt(folders.make(), w.space, w.clock);
      if (mine.error === null) {
        expect(other.error).toBe(null);
        expect(sorted(other.volume)).toEqual(work);
      } else {
        expect(isRefusal(other.error)).toBe(true);
        expect(sorted(await visible(w.space))).toEqual(sorted(before));
      }
    },
  );
});

test('a commit record of a newer version: everything waits for that version', async () => {
  // The process dies right after the save was decided.
  let w = await world();
  for (let at = 1; ; at += 1) {
    w = await world();
    w.context.close();
    const faulty = new FaultySpace(w.space, at, 'crash-after');
    await attempt(w.root, faulty.space, w.clock);
    expect(faulty.fired).toBe(true);
    if ((await engineFiles(w.space, 'commits')).some((path) => path.endsWith('.jsonl'))) break;
  }
  const [record] = await engineFiles(w.space, 'commits');
  await damage(w.space, String(record), (bytes) =>
    Buffer.from(bytes.toString('utf8').replace(/"version":\d/, '"version":9')),
  );
  const before = sorted(await dumpSpace(w.space)).filter(([path]) => !/lease|fences|claims/.test(path));
  for (const root of [w.root, folders.make()]) {
    const had = existsSync(join(root, 'data')) ? sorted(dumpFolder(join(root, 'data'))) : [];
    const { error, volume } = await attempt(root, w.space, w.clock);
    expect(isRefusal(error), String(error?.stack)).toBe(true);
    expect(error?.message).toMatch(/commits\/\d+\.jsonl/);
    expect(sorted(volume)).toEqual(had);
    const after = sorted(await dumpSpace(w.space)).filter(([path]) => !/lease|fences|claims/.test(path));
    expect(after).toEqual(before);
  }
});

// A segment says no version of its own.
describe.each(DAMAGES.filter(([name]) => name !== 'a newer version'))('%s', (name, change) => {
  test.each(['drained', 'checked, then saved'] as const)(
    'in the manifest of a volume that knows what was in it: %s, new volumes get modes and times too',
    async (how) => {
      const random = new Random(name.length);
      const w = await world();
      chmodSync(join(w.data, 'p/file-3'), 0o750);
      utimesSync(join(w.data, 'p/file-4'), 1_000_000, 1_000_000);
      await save(w.context);
      for (const path of await engineFiles(w.space, 'manifest'))
        await damage(w.space, path, (bytes) => change(bytes, random));
      if (how === 'drained') {
        const { saved, notices } = await save(w.context, { last: true });
        expect(saved).toBe(true);
        expect(notices?.join()).toMatch(/a part of the manifest .* was damaged/);
        expect((await save(w.context, { last: true })).saved, 'once').toBe(false);
      } else {
        expect((await verifySpace(w.context, 1 << 30)).found).toBeGreaterThan(0);
        writeFileSync(join(w.data, 'p/file-5'), 'more work');
        expect((await save(w.context)).saved).toBe(true);
      }
      const good = entriesOf(w.data);
      await w.context.lease.release();
      w.context.close();
      const other = folders.make();
      expect((await attempt(other, w.space, w.clock)).error).toBe(null);
      expect(entriesOf(join(other, 'data'))).toEqual(good);
    },
  );
});

const STATE_DAMAGES: [string, (file: string, random: Random) => void][] = [
  ['random bytes', (file, random) => writeFileSync(file, random.bytes(50_000))],
  ['random bytes in the middle', (file, random) => overwrite(file, 0.5, random.bytes(5_000))],
  ['random bytes at the beginning', (file, random) => overwrite(file, 0, random.bytes(300))],
  ['cut', (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2))],
  ['empty', (file) => truncateSync(file, 0)],
  ['gone', (file) => rmSync(file)],
  ['without a table', (file) => run(file, 'DROP TABLE base')],
];

function overwrite(file: string, at: number, bytes: Buffer): void {
  const all = readFileSync(file);
  writeFileSync(file, spliced(all, Math.floor(all.length * at), bytes));
}
function run(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

test.each(STATE_DAMAGES)('a state that is %s: nothing is lost on either side', async (_, change) => {
  const w = await world();
  w.context.close();
  rmSync(join(w.data, 'p/file-2'));
  change(join(w.root, 'state/sync.sqlite'), new Random(3));
  const before = await visible(w.space);
  const work = dumpFolder(w.data);
  const { error, volume } = await attempt(w.root, w.space, w.clock);
  expect(error, String(error?.stack)).toBe(null);
  const after = await visible(w.space);
  expect(sorted(volume)).toEqual(sorted(after));
  // A removal that nobody remembers is taken back; what is on the volume keeps its name.
  for (const [path, content] of work) expect(after.get(path), path).toBe(content);
  for (const path of before.keys()) expect(after.has(path), path).toBe(true);
  const kept = [...after].filter(([path]) => !work.has(path) && !before.has(path));
  for (const [path, content] of kept) {
    expect(path).toContain('changed elsewhere');
    expect([...before.values()]).toContain(content);
  }
});

test('a state of a newer version is refused with both versions, and nothing is touched', async () => {
  const w = await world();
  w.context.close();
  const file = join(w.root, 'state/sync.sqlite');
  run(file, 'PRAGMA user_version = 99');
  const look = async () => ({ space: await visible(w.space), volume: dumpFolder(w.root) });
  const before = await look();
  const error = await attempt(w.root, w.space, w.clock).then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error).toBeInstanceOf(NewerFormatError);
  expect(error?.message).toMatch(/newer version .*format 99, known here: 1\)\. Nothing was changed\./);
  const problem = toProblem(error, 'project', new Date(0).toISOString());
  expect(problem.code).toBe('state-damaged');
  expect(problem.message).toContain('Use that version, or a newer one');
  expect(await look()).toEqual(before);
  // The program that knows it goes on as if nothing had happened.
  run(file, 'PRAGMA user_version = 1');
  const after = await attempt(w.root, w.space, w.clock);
  expect(after.error, String(after.error?.stack)).toBe(null);
  expect((await visible(w.space)).get('p/file-1')).toBe('not saved yet');
});

describe('entries of another kind', () => {
  test('a file where a directory was, and a directory where a file was: work below and above is kept', async () => {
    const w = await world();
    w.context.close();
    writeFileSync(join(w.data, 'p/sub/inner'), 'changed, not saved');
    await w.space.removeTree('p/sub');
    await w.space.write('p/sub', contentOf('a file now'));
    await w.space.removeFile('p/file-1');
    await w.space.makeDirectory('p/file-1');
    await w.space.write('p/file-1/inside', contentOf('from elsewhere'));
    const { error, volume } = await attempt(w.root, w.space, w.clock);
    expect(error, String(error?.stack)).toBe(null);
    const values = [...volume.values()];
    for (const content of ['changed, not saved', 'a file now', 'not saved yet', 'from elsewhere', 'second'])
      expect(values, content).toContain(content);
    const again = await attempt(w.root, w.space, w.clock);
    expect(again.error).toBe(null);
    expect(sorted(again.volume)).toEqual(sorted(await visible(w.space)));
    for (const content of ['changed, not saved', 'a file now', 'not saved yet', 'from elsewhere'])
      expect([...again.volume.values()], content).toContain(content);
  });

  test.each([
    ['removed', async (space: Space) => space.removeTree('p')],
    [
      'replaced by a file',
      async (space: Space) => {
        await space.removeTree('p');
        await space.write('p', contentOf('a file now'));
      },
    ],
  ])('directories that were %s in the space do not hold up a save', async (what, change) => {
    for (const whileRunning of [true, false]) {
      const w = await world();
      mkdirSync(join(w.data, 'p/sub/new'));
      writeFileSync(join(w.data, 'p/sub/new/file'), 'also new');
      symlinkSync('somewhere', join(w.data, 'p/sub/new link'));
      await change(w.space);
      if (whileRunning) {
        await save(w.context);
        const after = await visible(w.space);
        expect(after.get('p/file-1')).toBe('not saved yet');
        expect(after.get('p/sub/new/file')).toBe('also new');
        expect(after.get('p/sub/new link')).toBe('→ somewhere');
      }
      w.context.close();
      const { error, volume } = await attempt(w.root, w.space, w.clock);
      expect(error, String(error?.stack)).toBe(null);
      expect(volume.get('p/file-1')).toBe('not saved yet');
      expect(volume.get('p/sub/new/file')).toBe('also new');
      const again = await attempt(w.root, w.space, w.clock);
      expect(again.error).toBe(null);
      expect(sorted(again.volume)).toEqual(sorted(await visible(w.space)));
      expect([...again.volume.values()].includes('a file now')).toBe(what !== 'removed');
    }
  });

  test('links that point outside are restored as links and never followed', async () => {
    const outside = folders.make();
    writeFileSync(join(outside, 'precious'), 'not ours');
    const w = await world();
    symlinkSync(outside, join(w.data, 'p/out'));
    symlinkSync('../../../../../../etc', join(w.data, 'p/up'));
    await save(w.context);
    expect((await visible(w.space)).get('p/out')).toBe(`→ ${outside}`);
    w.context.close();
    // Elsewhere the link became a directory with files of the same names.
    await w.space.removeFile('p/out');
    await w.space.makeDirectory('p/out');
    await w.space.write('p/out/precious', contentOf('from the space'));
    await w.space.removeFile('p/up');
    await w.space.makeDirectory('p/up');
    await w.space.write('p/up/passwd', contentOf('from the space'));
    const { error, volume } = await attempt(w.root, w.space, w.clock);
    expect(error, String(error?.stack)).toBe(null);
    expect(volume.get('p/out/precious')).toBe('from the space');
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('not ours');
    expect(readdirSync(outside)).toEqual(['precious']);
  });

  test('a volume whose directory became a link elsewhere is not followed by a removal', async () => {
    const outside = folders.make();
    const w = await world();
    w.context.close();
    renameSync(join(w.data, 'p/sub'), join(outside, 'sub'));
    symlinkSync(join(outside, 'sub'), join(w.data, 'p/sub'));
    await w.space.removeFile('p/sub/inner');
    const { error, volume } = await attempt(w.root, w.space, w.clock);
    expect(error, String(error?.stack)).toBe(null);
    expect(readFileSync(join(outside, 'sub/inner'), 'utf8')).toBe('first');
    expect(volume.get('p/sub')).toBe(`→ ${join(outside, 'sub')}`);
  });
});

test('a part of the manifest that is full of junk is read through once, and all else of it is used', async () => {
  const { space, clock, context } = await world();
  await context.lease.release();
  context.close();
  const { segments } = JSON.parse(
    (await readAll(space, { path: '.scipion-sync/head.json' }, 65_536)).toString(),
  ) as {
    segments: { name: string }[];
  };
  const path = `.scipion-sync/manifest/${segments.at(-1)?.name}`;
  await space.write(path, contentOf(Buffer.alloc(16 << 20, 'junk\n')));
  const read = space.read.bind(space);
  let bytes = 0;
  space.read = (file, options) =>
    (async function* () {
      for await (const chunk of read(file, options)) {
        for (let at = 0; at < chunk.byteLength; at += 1 << 16) {
          const piece = chunk.subarray(at, at + (1 << 16));
          if (file.path === path) bytes += piece.byteLength;
          yield piece;
        }
      }
    })();
  const next = await openProject(folders.make(), space, { clock });
  const { notices } = await startProject(next);
  expect(notices.join()).toContain('a part of the manifest in the project space is damaged');
  expect(bytes).toBeLessThan(20 << 20);
  next.close();
});
