import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import type { SyncStatus } from '../../contract/status.ts';
import { contentOf, type Space, SpaceError, type SpaceErrorCode } from '../../src/spaces/space.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { LocalTree } from '../../src/sync/volume/local-tree.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { faultyPaths, growing, type PathFault } from './faulty-paths.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, sorted, visible } from './world.ts';

/** The fault of one file never takes others with it, in the life of a whole container. */

const folders = new Folders();
const containers = new Containers();
let root: string;
let paths: SyncPaths;
let source: MemorySpace;
let project: MemorySpace;
let faults: PathFault;

beforeEach(async () => {
  root = folders.make();
  paths = await containerPaths(root);
  source = new MemorySpace({ identity: 'memory://source', nowSeconds: () => 1_700_000_000 });
  project = new MemorySpace({ identity: 'memory://project' });
  faults = () => null;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await containers.stopAll();
  // Paths that are too long for any other way.
  spawnSync('find', [root, '-mindepth', '1', '-delete']);
  folders.clear();
});

const start = (given: { source?: Space; sourceRetryMs?: number } = {}) =>
  containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: {
      source: () => faultyPaths(given.source ?? source, (call, path) => faults(call, path)),
      project: () => faultyPaths(project, (call, path) => faults(call, path)),
    },
    desktopWaitMs: 300,
    leaseTimes: { heartbeatMs: 50 },
    tokenWaitMs: 0,
    sourceRetryMs: given.sourceRetryMs ?? 50,
  });
const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check, 20);
const opened = () => until('the desktop', (status) => status.ready && status.phase === 'running');
const namesOf = ({ fileProblems }: SyncStatus) =>
  Object.fromEntries((fileProblems?.items ?? []).map(({ path, code }) => [path, code]));
const data = (name = '') => join(paths.projectVolume, 'data', name);
const staged = () => dumpFolder(join(paths.sourceVolume, 'data'));

async function sync(work: (context: commands.CommandContext) => Promise<number>, json = false) {
  const [out, err]: string[][] = [[], []];
  const context = {
    socket: paths.syncSocket,
    json,
    out: (line: string) => (out as string[]).push(line),
    err: (line: string) => (err as string[]).push(line),
  };
  const code = await commands.guarded(context, () => work(context));
  return { code, out: out?.join('\n') ?? '', err: err?.join('\n') ?? '' };
}
const drain = (json = false) => sync((context) => commands.drain(context, 60), json);
const withoutKeys = (map: Map<string, string>, ...paths: string[]): [string, string][] =>
  sorted(
    new Map([...map].filter(([path]) => !paths.some((each) => path === each || path.startsWith(`${each}/`)))),
  );

async function newVolume(): Promise<void> {
  rmSync(paths.projectVolume, { recursive: true });
  mkdirSync(paths.projectVolume);
  await prepareVolume(paths.projectVolume);
}

describe('source data', () => {
  beforeEach(async () => {
    await source.makeDirectory('raw/closed');
    for (let n = 0; n < 20; n += 1) await source.write(`raw/file-${n}`, contentOf(`micrograph ${n}`));
    await source.write('raw/odd', contentOf('the odd one'));
    await source.write('raw/closed/inside', contentOf('inside'));
  });

  const FAULTS: [string, string, SpaceErrorCode | 'growing', string][] = [
    ['may not be read (403)', 'raw/odd', 'space-unknown', 'no-access'],
    ['may not be read (EACCES)', 'raw/odd', 'token-not-permitted', 'no-access'],
    ['gives EIO', 'raw/odd', 'unavailable', 'space-fault'],
    ['breaks off each time', 'raw/odd', 'transfer-broken', 'space-fault'],
    ['is listed and gives nothing', 'raw/odd', 'not-found', 'not-in-space'],
    ['is refused', 'raw/odd', 'bad-request', 'space-fault'],
    ['grows while it is read', 'raw/odd', 'growing', 'changing'],
  ];
  test.each(FAULTS)(
    'a file that %s: all others come, the desktop opens, it is named',
    async (_, path, fault, code) => {
      let isBroken = true;
      faults = (call, at) =>
        isBroken && fault !== 'growing' && call === 'read' && at === path
          ? new SpaceError(fault, 'x', { path: at })
          : null;
      await start({ source: growing(source, (at) => isBroken && fault === 'growing' && at === path) });
      const status = await opened();
      expect(namesOf(status)).toEqual({ [path]: code });
      expect(status.fileProblems).toMatchObject({
        total: 1,
        items: [{ during: 'stage-in', space: 'source' }],
      });
      expect(status.problems).toEqual([]);
      expect(JSON.stringify(status.fileProblems)).not.toMatch(/token|network|host/i);
      expect(withoutKeys(staged(), path)).toEqual(withoutKeys(await visible(source), path));
      expect((await sync(commands.status)).out).toContain(`"${path}"  ${code}`);
      // It comes by itself when it can.
      isBroken = false;
      await until('the file', ({ fileProblems }) => fileProblems?.total === 0);
      expect(sorted(staged())).toEqual(sorted(await visible(source)));
    },
  );

  test('a folder that may not be listed: all others come, and its copies stay', async () => {
    const first = await start();
    await opened();
    first.stop();
    await first.done;
    containers.forgetAll();
    await source.write('raw/new', contentOf('new'));
    faults = (call, path) =>
      path.startsWith('raw/closed') && call !== 'check' ? new SpaceError('token-not-permitted', 'x') : null;
    await start({ sourceRetryMs: 60_000 });
    const status = await opened();
    expect(status.fileProblems).toMatchObject({ total: 1, items: [{ path: 'raw/closed', isFolder: true }] });
    expect(sorted(staged())).toEqual(sorted(await visible(source)));
  });

  test('names and paths that no disk can hold', async () => {
    const long = `raw/${'n'.repeat(300)}`;
    const deep = `raw/${Array.from({ length: 20 }, () => 'd'.repeat(250)).join('/')}`;
    (source.capabilities as { maxNameBytes: number }).maxNameBytes = 1_000;
    await source.write(long, contentOf('x'));
    await source.makeDirectory(deep);
    await source.write(`${deep}/file`, contentOf('x'));
    await start({ sourceRetryMs: 60_000 });
    const status = await opened();
    expect(namesOf(status)).toMatchObject({ [long]: 'name-too-long', [`${deep}/file`]: 'name-too-long' });
    const found = staged();
    for (let n = 0; n < 20; n += 1) expect(found.get(`raw/file-${n}`)).toBe(`micrograph ${n}`);
  });

  test('what fails at every file, one after the other, is no matter of files', async () => {
    faults = (call, path) =>
      call === 'read' && path.startsWith('raw/') ? new SpaceError('unavailable', 'HTTP 500') : null;
    await start();
    const status = await until('the problem', ({ problems }) => problems.length > 0);
    expect(status.problems[0]).toMatchObject({ code: 'onedata-unreachable', space: 'source' });
    expect(status.ready).toBe(false);
    faults = () => null;
    await opened();
    expect(sorted(staged())).toEqual(sorted(await visible(source)));
  });
});

describe('project files that cannot be restored', () => {
  test('the desktop opens without them when a person says so; no save takes them for removed; they come later', async () => {
    const first = await start();
    await opened();
    mkdirSync(data('p/sub'), { recursive: true });
    for (let n = 0; n < 12; n += 1) writeFileSync(data(`p/file-${n}`), `work ${n}`);
    writeFileSync(data('p/sub/lost'), 'precious');
    await sync(commands.saveNow);
    first.stop();
    await first.done;
    containers.forgetAll();
    const all = await visible(project);

    await newVolume();
    const gone = ['p/file-3', 'p/sub/lost'];
    faults = (call, path) =>
      call === 'read' && gone.includes(path) ? new SpaceError('unavailable', 'EIO', { path }) : null;
    const second = await start();
    const waiting = await until('the choice', ({ problems }) => problems.length > 0);
    expect(waiting.ready).toBe(false);
    const confirm = { what: 'missing', count: 2 };
    expect(waiting.problems).toMatchObject([{ code: 'files-missing', space: 'project', confirm }]);
    expect(waiting.problems[0]?.message).toContain('sync confirm missing 2');
    expect(waiting.problems[0]?.message).not.toMatch(/token|network/i);
    expect(namesOf(waiting)).toEqual({ 'p/file-3': 'space-fault', 'p/sub/lost': 'space-fault' });
    expect((await sync((c) => commands.confirm(c, { what: 'missing', count: 1 }))).err).toContain('2 files');
    expect((await sync((c) => commands.confirm(c, { what: 'missing', count: 2 }))).code).toBe(0);
    const open = await opened();
    expect(namesOf(open), 'still named').toEqual({ 'p/file-3': 'space-fault', 'p/sub/lost': 'space-fault' });
    expect(sorted(dumpFolder(data()))).toEqual(withoutKeys(all, ...gone));

    // Work goes on, and what is missing here is not removed there, whatever is done around it.
    writeFileSync(data('p/file-1'), 'new work');
    rmSync(data('p/file-2'));
    rmSync(data('p/sub'), { recursive: true });
    expect((await sync(commands.saveNow)).code).toBe(0);
    writeFileSync(data('p/file-3'), 'made anew');
    expect((await sync(commands.saveNow)).code).toBe(0);
    const saved = await visible(project);
    expect(saved.get('p/sub/lost')).toBe('precious');
    expect(
      [...saved.values()].filter((text) => text === 'work 3'),
      'kept beside the new one',
    ).toHaveLength(1);
    expect(saved.get('p/file-3')).toBe('made anew');
    expect(namesOf(await opened()), 'another one is in its place').toEqual({ 'p/sub/lost': 'space-fault' });
    expect(saved.has('p/file-2')).toBe(false);
    expect((await drain()).code).toBe(0);
    second.stop();
    await second.done;
    containers.forgetAll();

    faults = () => null;
    rmSync(join(root, 'run/drained'), { force: true });
    await newVolume();
    await start();
    expect((await opened()).fileProblems?.total ?? 0).toBe(0);
    expect(sorted(dumpFolder(data()))).toEqual(sorted(await visible(project)));
    expect(dumpFolder(data()).get('p/sub/lost')).toBe('precious');
  });
});

describe('project files that cannot be saved', () => {
  /** Each makes one file odd and says how it becomes an ordinary one again. */
  const ODD: [string, string, string, () => () => void][] = [
    ['gives EIO', 'p/odd', 'disk-fault', () => localFault('p/odd', 'EIO')],
    ['may not be read', 'p/odd', 'no-access', () => localFault('p/odd', 'EACCES')],
    ['cannot even be looked at', 'p/odd', 'disk-fault', () => lookFault('p/odd')],
    ['lies on a path that is too long', 'p/deep', 'name-too-long', deepFolder],
  ];
  test.each(ODD)('one that %s: all others are saved, save and drain name it', async (_, path, code, make) => {
    await start();
    await opened();
    mkdirSync(data('p'));
    for (let n = 0; n < 12; n += 1) writeFileSync(data(`p/file-${n}`), `work ${n}`);
    writeFileSync(data('p/odd'), 'odd');
    const mend = make();
    const saved = await sync(commands.saveNow);
    expect(saved.code).toBe(EXIT_CODES.partial);
    expect(saved.err).toContain(code);
    expect(saved.err).toContain(`"${path}`);
    const status = await until('the state', () => true);
    expect(status.problems).toMatchObject([{ code: 'files-unreadable', space: 'project' }]);
    const inSpace = await visible(project);
    for (let n = 0; n < 12; n += 1) expect(inSpace.get(`p/file-${n}`)).toBe(`work ${n}`);
    expect((await sync(commands.plan)).out).toContain(`"${path}`);
    const drained = await drain(true);
    expect(drained.code).toBe(EXIT_CODES.partial);
    expect(namesOf(JSON.parse(drained.out) as SyncStatus)).toEqual({
      [String(Object.keys(namesOf(status))[0])]: code,
    });
    expect(drained.err).toContain(`"${path}`);
    mend();
    expect((await drain()).code).toBe(0);
    expect((await until('the end', () => true)).fileProblems?.total).toBe(0);
    expect(sorted(await visible(project))).toEqual(sorted(dumpFolder(data())));
  });

  test('a database that another program has locked is named', async () => {
    await start();
    await opened();
    writeFileSync(data('other'), 'work');
    const database = new DatabaseSync(data('a.sqlite'));
    database.exec('CREATE TABLE t (v); INSERT INTO t VALUES (1)');
    await sync(commands.saveNow);
    database.exec('INSERT INTO t VALUES (2); BEGIN EXCLUSIVE');
    writeFileSync(data('other'), 'more work');
    const { code, err } = await sync(commands.saveNow);
    expect(code).toBe(EXIT_CODES.partial);
    expect(err).toContain('"a.sqlite"  database-locked');
    expect((await until('the state', () => true)).problems).toMatchObject([{ code: 'files-unreadable' }]);
    expect((await visible(project)).get('other')).toBe('more work');
    database.exec('COMMIT');
    database.close();
    expect((await sync(commands.saveNow)).code).toBe(0);
    expect((await until('the state', () => true)).problems).toEqual([]);
  });

  test('times far from now are saved and come back', async () => {
    const times = { future: 10_413_792_000, past: -631_152_000.5, now: 1_700_000_000 };
    const first = await start();
    await opened();
    for (const [name, seconds] of Object.entries(times)) {
      writeFileSync(data(name), name);
      utimesSync(data(name), String(seconds), String(seconds));
    }
    mkdirSync(data('folder'));
    utimesSync(data('folder'), '10413792000', '10413792000');
    expect((await sync(commands.saveNow)).code).toBe(0);
    first.stop();
    await first.done;
    containers.forgetAll();
    await newVolume();
    await start();
    expect((await opened()).fileProblems?.total ?? 0).toBe(0);
    for (const [name, seconds] of Object.entries(times)) {
      expect(readFileSync(data(name), 'utf8')).toBe(name);
      expect(statSync(data(name)).mtimeMs / 1000, name).toBe(seconds);
    }
    expect(statSync(data('folder')).mtimeMs / 1000).toBe(10_413_792_000);
    expect(await sync(commands.saveNow)).toMatchObject({ code: 0, out: 'nothing to save since save 1' });
  });

  test('sockets, pipes and devices in odd places, and a file that becomes a folder', async () => {
    await start();
    await opened();
    mkdirSync(data('p'));
    writeFileSync(data('p/a'), 'a');
    writeFileSync(data('p/b'), 'b');
    writeFileSync(data('p/c.sqlite'), 'c');
    await sync(commands.saveNow);
    rmSync(data('p/a'));
    spawnSync('mkfifo', [data('p/a'), data('p/c.sqlite-wal'), data('p/new.db')]);
    rmSync(data('p/b'));
    mkdirSync(data('p/b'));
    writeFileSync(data('p/b/inside'), 'inside');
    const server = createServer();
    await new Promise<void>((done) => server.listen(data('p/socket'), done));
    writeFileSync(data('other'), 'work');
    expect((await sync(commands.saveNow)).code).toBe(0);
    expect(sorted(await visible(project))).toEqual([
      ['other', 'work'],
      ['p/', ''],
      ['p/b/', ''],
      ['p/b/inside', 'inside'],
      ['p/c.sqlite', 'c'],
    ]);
    server.close();
  });
});

/** A local file whose content the disk does not give. */
function localFault(name: string, code: string): () => void {
  const original = LocalTree.prototype.open;
  const spy = vi.spyOn(LocalTree.prototype, 'open').mockImplementation(function (this: LocalTree, path) {
    if (path !== name) return original.call(this, path);
    throw Object.assign(new Error(code), { code });
  });
  return () => spy.mockRestore();
}

/** The disk does not say what the entry is. */
function lookFault(name: string): () => void {
  const original = LocalTree.prototype.children;
  const spy = vi.spyOn(LocalTree.prototype, 'children').mockImplementation(function (
    this: LocalTree,
    path,
    options,
  ) {
    const found = original.call(this, path, options);
    const own = name.split('/').at(-1) as string;
    if (`${path}/${own}` !== name || found === null) return found;
    found.delete(own);
    const error = Object.assign(new Error('EIO'), { code: 'EIO' });
    if (options?.onUnknown === undefined) throw error;
    options.onUnknown(own, error);
    return found;
  });
  return () => spy.mockRestore();
}

/** Folders as deep as a path of the volume can just not be. */
function deepFolder(): () => void {
  const script =
    "fs.mkdirSync('deep');process.chdir('deep');for(let n=0;n<20;n++){fs.mkdirSync('d'.repeat(250));process.chdir('d'.repeat(250))}fs.writeFileSync('file','x')";
  const made = spawnSync(process.execPath, ['-e', script], { cwd: data('p') });
  expect(made.status).toBe(0);
  return () => {
    spawnSync('rm', ['-rf', data('p/deep')]);
  };
}
