import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, trashOf, visible } from './world.ts';

const folders = new Folders();
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
  folders.clear();
});

async function begun(space: Space = new MemorySpace(), root = folders.make()) {
  const context = await openProject(root, space);
  await startProject(context);
  return { context, space, root, data: context.data };
}

/** What a new volume gets from the space. */
async function restored(space: Space, root = folders.make()): Promise<string> {
  const context = await openProject(root, space, { lease: false });
  await context.lease.acquire([], true);
  await startProject(context);
  context.close();
  return context.data;
}

/** Times of files can be relied on again. */
function settle(context: { clock: unknown }): void {
  (context.clock as TestClock).advance(60_000);
}

async function addSocket(path: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((done) => server.listen(path, done));
}
const addPipe = (path: string) => expect(spawnSync('mkfifo', [path]).status).toBe(0);

describe('pipes, sockets and devices', () => {
  test('are told once', async () => {
    const root = folders.make();
    await prepareVolume(root);
    const said: string[] = [];
    const clock = new TestClock();
    const session = await ProjectSession.open({
      root,
      space: new MemorySpace(),
      instance: 'lab/alice',
      clock,
      log: pino({ level: 'info' }, { write: (line) => void said.push(line) }),
      progress: new Progress(clock),
      limits: DEFAULT_LIMITS,
      signal: new AbortController().signal,
    });
    await session.acquireLease();
    await session.start({});
    for (const name of ['a', 'b']) addPipe(join(root, 'data', name));
    for (let round = 1; round <= 3; round += 1) await session.save({});
    session.close();
    expect(said.filter((line) => line.includes('are not saved'))).toHaveLength(1);
  });

  test('are neither saved nor read, and hold up nothing', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'p'));
    addPipe(join(data, 'p/pipe'));
    await addSocket(join(data, 'p/socket'));
    // Only root may make a device.
    spawnSync('mknod', [join(data, 'p/null'), 'c', '1', '3']);
    writeFileSync(join(data, 'p/work'), 'work');
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    const all: [string, string][] = [
      ['p/', ''],
      ['p/work', 'work'],
    ];
    expect(sorted(await visible(space))).toEqual(all);
    settle(context);
    expect(await save(context, { last: true })).toMatchObject({ saved: false, skipped: 0 });
    expect(sorted(dumpFolder(await restored(space)))).toEqual(all);
  });

  test('in the place of a file and of a folder: those go to the trash, as if they were removed', async () => {
    const { context, space, data } = await begun();
    mkdirSync(join(data, 'folder'));
    for (const name of ['folder/inner', 'file', 'other']) writeFileSync(join(data, name), name);
    await save(context);
    rmSync(join(data, 'folder'), { recursive: true });
    unlinkSync(join(data, 'file'));
    addPipe(join(data, 'folder'));
    addPipe(join(data, 'file'));
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0, heldBack: null });
    expect(sorted(await visible(space))).toEqual([['other', 'other']]);
    expect((await trashOf(space)).map((path) => path.replace(/.*removed\//, '')).sort()).toEqual([
      'file',
      'folder/inner',
    ]);
  });

  test('a file that becomes a pipe while it is about to be read is left for the next round', async () => {
    const { context, space, data } = await begun();
    writeFileSync(join(data, 'file'), 'work');
    writeFileSync(join(data, 'other'), 'work');
    const open = context.tree.open.bind(context.tree);
    context.tree.open = (path) => {
      if (path === 'file') {
        rmSync(join(data, 'file'));
        addPipe(join(data, 'file'));
      }
      return open(path);
    };
    expect(await save(context)).toMatchObject({ saved: true, skipped: 1 });
    expect(sorted(await visible(space))).toEqual([['other', 'work']]);
  });

  test('where a folder was removed elsewhere, or a file came: the start goes on and what is there stays', async () => {
    const { context, space, root, data } = await begun();
    mkdirSync(join(data, 'gone'));
    for (const name of ['gone/a', 'kept']) writeFileSync(join(data, name), name);
    await save(context);
    context.close();
    addPipe(join(data, 'gone/pipe'));
    addPipe(join(data, 'new'));
    await space.removeTree('gone');
    await space.write('new', contentOf('from elsewhere'));
    const next = await openProject(root, space);
    const result = await startProject(next);
    expect(result.unsaved).toBe(0);
    expect(await save(next)).toMatchObject({ skipped: 0 });
    expect(lstatSync(join(data, 'gone/pipe')).isFIFO()).toBe(true);
    expect((await visible(space)).get('new')).toBe('from elsewhere');
    expect((await visible(space)).get('kept')).toBe('kept');
    next.close();
  });
});

test('links in circles are links', async () => {
  const { context, space, data } = await begun();
  mkdirSync(join(data, 'a/b'), { recursive: true });
  symlinkSync('.', join(data, 'itself'));
  symlinkSync('me', join(data, 'me'));
  symlinkSync('second', join(data, 'first'));
  symlinkSync('first', join(data, 'second'));
  symlinkSync('../..', join(data, 'a/b/up'));
  symlinkSync(data, join(data, 'a/root'));
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
  expect(await save(context)).toMatchObject({ saved: false });
});

test('a sparse file comes back with its content, in little memory', async () => {
  // On a disk: memory is what is looked at.
  const root = (name: string) => {
    const folder = join(tmpdir(), `sparse-${process.pid}-${name}`);
    mkdirSync(folder);
    return folder;
  };
  const roots = ['space', 'one', 'two'].map(root);
  try {
    const [spaceRoot, one, two] = roots as [string, string, string];
    const space = new DirectorySpace(spaceRoot);
    const { context, data } = await begun(space, one);
    const size = 300 << 20;
    const file = openSync(join(data, 'volume.mrc'), 'w');
    const at = [0, 1 << 27, size - 9];
    for (const position of at) writeSync(file, `at ${position}`.slice(0, 9).padEnd(9), position);
    closeSync(file);
    expect(statSync(join(data, 'volume.mrc')).blocks * 512).toBeLessThan(1 << 20);
    let most = 0;
    const before = process.memoryUsage().rss;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 5);
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    context.close();
    const copy = join(await restored(space, two), 'volume.mrc');
    clearInterval(timer);
    expect(spawnSync('cmp', [join(data, 'volume.mrc'), copy]).status).toBe(0);
    expect(statSync(copy).size).toBe(size);
    expect(most).toBeLessThan(size / 2);
  } finally {
    for (const each of roots) rmSync(each, { recursive: true, force: true });
  }
});

test('hard links become copies, and copies hard links', async () => {
  const { context, space, data } = await begun();
  const [one, two, three] = ['one', 'two', 'three'].map((name) => join(data, name)) as [
    string,
    string,
    string,
  ];
  const inodes = (folder: string) => ['one', 'two', 'three'].map((name) => lstatSync(join(folder, name)).ino);
  const kinds = async (): Promise<string> => {
    settle(context);
    expect((await save(context)).skipped).toBe(0);
    expect(await save(context)).toMatchObject({ saved: false });
    const copy = await restored(space);
    await context.lease.acquire([], true);
    expect(sorted(dumpFolder(copy))).toEqual(sorted(dumpFolder(data)));
    const same = (of: number[]) => of.map((inode) => of.indexOf(inode)).join('');
    expect(same(inodes(copy))).toBe(same(inodes(data)));
    return same(inodes(copy));
  };
  writeFileSync(one, 'same');
  linkSync(one, two);
  linkSync(one, three);
  expect(await kinds()).toBe('000');
  copyFileSync(one, `${two}.new`);
  renameSync(`${two}.new`, two);
  expect(await kinds()).toBe('010');
  writeFileSync(two, 'another');
  expect(await kinds()).toBe('010');
  unlinkSync(three);
  linkSync(two, three);
  expect(await kinds()).toBe('011');
  unlinkSync(one);
  linkSync(two, one);
  expect(await kinds()).toBe('000');
  for (const each of [one, two]) {
    const text = readFileSync(each);
    unlinkSync(each);
    writeFileSync(each, text);
  }
  expect(await kinds()).toBe('012');
});

test('a file that changes in every round is told, never half, and holds up nothing else', async () => {
  const inner = new MemorySpace();
  const log: { file: string | null } = { file: null };
  const grow = (): void => {
    if (log.file !== null) appendFileSync(log.file, 'one more line\n');
  };
  const space = new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        // Opened, not yet read; in each of the attempts of a round.
        if (key === 'write' && /staging\/(?!.*head)/.test(String(args[0]))) grow();
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const { context, data } = await begun(space);
  writeFileSync(join(data, 'log'), 'first line\n');
  await save(context);
  log.file = join(data, 'log');
  for (let round = 1; round <= 3; round += 1) {
    grow();
    writeFileSync(join(data, `result-${round}`), 'done');
    expect(await save(context), `round ${round}`).toMatchObject({ saved: true, skipped: 1 });
    const now = await visible(inner);
    expect(now.get('log')).toBe('first line\n');
    expect(now.get(`result-${round}`)).toBe('done');
  }
  log.file = null;
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  expect((await visible(inner)).get('log')).toBe(readFileSync(join(data, 'log'), 'utf8'));
});

describe.each([
  ['in memory', () => new MemorySpace()],
  ['in a mounted directory', () => new DirectorySpace(folders.make())],
] as [string, () => Space][])('names as long as names can be, %s', (_, make) => {
  const NAMES = [
    Buffer.alloc(255, 'x'),
    Buffer.concat([Buffer.alloc(251, 'y'), Buffer.from('.mrc')]),
    Buffer.concat([Buffer.from('z'), Buffer.alloc(254, 0xc3)]),
    Buffer.from(`${'電'.repeat(85)}`),
    Buffer.from(`${'é'.repeat(125)}.star`),
  ];

  test('are saved, replaced, removed, kept beside a change of others, and restored', async () => {
    const space = make();
    const { context, root, data } = await begun(space);
    const at = (name: Buffer) => Buffer.concat([Buffer.from(`${data}/deep/`), name]);
    mkdirSync(join(data, 'deep'));
    for (const name of NAMES) writeFileSync(at(name), 'one');
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    settle(context);
    for (const name of NAMES) writeFileSync(at(name), 'the second');
    expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
    expect(await trashOf(space)).toHaveLength(NAMES.length);
    expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
    await context.lease.acquire([], true);
    // Somebody changes each of them, and so does the user.
    const names = [...(await visible(space)).keys()].filter((path) => path !== 'deep/');
    for (const name of names) await space.write(name, contentOf('from elsewhere, longer'));
    for (const name of NAMES) writeFileSync(at(name), 'the third one');
    await save(context);
    context.close();
    const next = await openProject(root, space);
    await startProject(next);
    await save(next);
    const contents = [...dumpFolder(data).values()];
    for (const text of ['the third one', 'from elsewhere, longer'])
      expect(
        contents.filter((each) => each === text),
        text,
      ).toHaveLength(NAMES.length);
    expect(sorted(dumpFolder(await restored(space)))).toEqual(sorted(dumpFolder(data)));
    await next.lease.acquire([], true);
    for (const name of NAMES) unlinkSync(at(name));
    expect(await save(next)).toMatchObject({ saved: true, skipped: 0, heldBack: null });
    expect((await visible(space)).size).toBe(NAMES.length + 1);
    next.close();
  });
});
