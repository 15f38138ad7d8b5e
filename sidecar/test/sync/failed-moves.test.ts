import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Space, SpaceError } from '../../src/spaces/space.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { readHead } from '../../src/sync/save/head.ts';
import { loadManifest } from '../../src/sync/save/manifest.ts';
import { decidingSave } from '../../src/sync/save/pending-commit.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, trashOf, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

type Call = 'move to' | 'move from' | 'makeDirectory' | 'makeSymlink' | 'removeEmptyDirectory';
type Fault = (call: Call, path: string) => boolean;

/** A space where calls about some paths fail, each time. */
function faulty(space: MemorySpace, isFaulty: Fault): Space {
  const check = (call: Call, path: string): void => {
    if (isFaulty(call, path)) throw new SpaceError('bad-request', `${path} is refused`, { path });
  };
  const proxy: Space = Object.create(space);
  Object.defineProperty(proxy, 'capabilities', { value: space.capabilities });
  for (const name of [
    'check',
    'list',
    'stat',
    'read',
    'readSymlink',
    'write',
    'removeFile',
    'removeTree',
    'close',
  ] as const)
    Object.defineProperty(proxy, name, { value: (space[name] as () => unknown).bind(space) });
  proxy.copy = space.copy.bind(space);
  proxy.move = async (from, to) => {
    check('move from', from.path);
    check('move to', to);
    return space.move(from, to);
  };
  proxy.makeDirectory = async (path) => {
    check('makeDirectory', path);
    return space.makeDirectory(path);
  };
  proxy.makeSymlink = async (path, target) => {
    check('makeSymlink', path);
    return space.makeSymlink(path, target);
  };
  proxy.removeEmptyDirectory = async (path) => {
    check('removeEmptyDirectory', path);
    return space.removeEmptyDirectory(path);
  };
  return proxy;
}

/** A volume with changes of all kinds since its first save, of which some fail in the space from now on. */
async function world() {
  const space = new MemorySpace();
  const clock = new TestClock();
  let fault: Fault = () => false;
  const root = folders.make();
  const shown = faulty(space, (...args) => fault(...args));
  const context = await openProject(root, shown, { clock });
  await startProject(context);
  const { data } = context;
  const write = (path: string, text: string) => writeFileSync(join(data, path), text);
  mkdirSync(join(data, 'old'));
  for (const name of ['changed', 'removed', 'other', 'old/file']) write(name, `${name} one`);
  symlinkSync('one', join(data, 'link'));
  await save(context);
  const first = await visible(space);
  write('changed', 'changed two');
  write('other', 'other two');
  write('new', 'new two');
  rmSync(join(data, 'removed'));
  rmSync(join(data, 'old'), { recursive: true });
  unlinkSync(join(data, 'link'));
  symlinkSync('two', join(data, 'link'));
  mkdirSync(join(data, 'folder/inner'), { recursive: true });
  for (const name of ['folder/a', 'folder/b', 'folder/inner/c']) write(name, `${name} two`);
  const setFault = (given: Fault): void => {
    fault = given;
  };
  return { space, shown, clock, root, context, data, first, setFault };
}

/** What a new volume gets: only what the space itself holds, so nothing that its manifest claims and it has not. */
async function restored(space: Space) {
  const context = await openProject(folders.make(), space, { lease: false, instance: 'lab/other' });
  await context.lease.acquire([], true);
  const { missing } = await startProject(context);
  const result = dumpFolder(context.data);
  context.close();
  expect(missing.total).toBe(0);
  return result;
}

/** Every file that the manifest of the space names lies there, as the manifest says. */
async function expectHonest(space: MemorySpace) {
  const context = await openProject(folders.make(), space, { lease: false });
  const head = await readHead(space);
  if (head === null || head === 'damaged') throw new Error('there is no head');
  expect(await loadManifest(space, context.state, head)).toEqual([]);
  const wrong: string[] = [];
  for (const entry of context.state.manifest.all()) {
    const found = await space.stat({ path: entry.path });
    if (
      entry.remote !== null &&
      (found?.kind !== entry.kind || (entry.kind === 'file' && found.id !== entry.remote.id))
    )
      wrong.push(entry.path);
  }
  context.close();
  expect(wrong).toEqual([]);
}

const CASES: [string, Fault, string[], (first: Map<string, string>, now: Map<string, string>) => void][] = [
  [
    'a new file that its place does not take',
    (call, path) => call === 'move to' && path === 'new',
    ['new'],
    (_, now) => now.delete('new'),
  ],
  [
    'a changed file that cannot leave its place',
    (call, path) => call === 'move from' && path === 'changed',
    ['changed'],
    (first, now) => now.set('changed', first.get('changed') as string),
  ],
  [
    'a changed file whose upload cannot be moved',
    (call, path) => call === 'move to' && path === 'changed',
    ['changed'],
    (_, now) => now.delete('changed'),
  ],
  [
    'a removed file that cannot leave its place',
    (call, path) => call === 'move from' && path === 'removed',
    ['removed'],
    (first, now) => now.set('removed', first.get('removed') as string),
  ],
  [
    'a folder that cannot be removed',
    (call, path) => call === 'removeEmptyDirectory' && path === 'old',
    ['old'],
    (_, now) => now.set('old/', ''),
  ],
  [
    'a folder that cannot be made',
    (call, path) => (call === 'makeDirectory' || call === 'move to') && path.startsWith('folder'),
    ['folder', 'folder/inner', 'folder/a', 'folder/b', 'folder/inner/c'],
    (_, now) => {
      for (const path of [...now.keys()]) if (path.startsWith('folder')) now.delete(path);
    },
  ],
  [
    'a link that cannot be made',
    (call, path) => call === 'makeSymlink' && path === 'link',
    ['link'],
    (_, now) => now.delete('link'),
  ],
];

test.each(CASES)('%s is left out by name, and comes when it can', async (_, fault, names, expected) => {
  const { space, context, data, first, setFault } = await world();
  setFault(fault);
  const result = await save(context);
  expect(result).toMatchObject({ saved: true, generation: 2, skipped: names.length });
  expect(result.fileProblems.items.map(({ path }) => path).sort()).toEqual([...names].sort());
  const there = new Map(dumpFolder(data));
  expected(first, there);
  expect(sorted(await visible(space))).toEqual(sorted(there));
  await expectHonest(space);
  expect(sorted(await restored(space))).toEqual(sorted(there));
  expect(decidingSave(context.state)).toBe(null);
  // The save before is whole all the same.
  await context.lease.acquire([], true);
  await restoreToFolder(context, await planFolderRestore(context, { of: '1', path: '', to: 'then' }, 2));
  expect(sorted(dumpFolder(join(data, 'then')))).toEqual(sorted(first));
  rmSync(join(data, 'then'), { recursive: true });

  setFault(() => false);
  expect(await save(context)).toMatchObject({ saved: true, skipped: 0 });
  expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
  await expectHonest(space);
  expect(await save(context)).toMatchObject({ saved: false, skipped: 0 });
  // Nothing is left that nobody needs.
  const staging = [...(await dumpSpace(space)).keys()].filter((path) => /staging\/.*[^/]$/.test(path));
  expect(staging).toEqual([]);
});

test('autosaves try it ever less often, and say each time what is left out; a save that a person asks for tries it', async () => {
  const { context, clock, data, setFault } = await world();
  setFault((call, path) => call === 'move to' && path === 'new');
  const autosave = () => save(context, { scope: 'changed' });
  expect(await autosave()).toMatchObject({ saved: true, generation: 2, skipped: 1 });
  expect(await autosave()).toMatchObject({ saved: false, generation: 2, skipped: 1 });
  writeFileSync(join(data, 'other'), 'other three');
  expect(await autosave()).toMatchObject({ saved: true, generation: 3, skipped: 1, changes: 1 });
  clock.advance(11 * 60_000);
  expect(await autosave()).toMatchObject({ saved: true, generation: 4, skipped: 1 });
  clock.advance(11 * 60_000);
  expect(await autosave()).toMatchObject({ saved: false, generation: 4, skipped: 1 });
  expect(await save(context)).toMatchObject({ saved: true, generation: 5, skipped: 1 });
  setFault(() => false);
  clock.advance(60 * 60_000);
  expect(await autosave()).toMatchObject({ saved: true, generation: 6, skipped: 0 });
});

test('a version that neither comes to its place nor goes back to it stays in the trash, by its name', async () => {
  const { space, context, setFault } = await world();
  setFault((call, path) => call === 'move to' && path === 'changed');
  await save(context);
  const trash = (await trashOf(space)).filter((path) => path.endsWith('/changed'));
  expect(trash).toHaveLength(1);
  expect(trash[0]).toMatch(/\/removed\/changed$/);
  // And the new one waits in the space, so that it is not sent again.
  const sent: string[] = [];
  const write = space.write.bind(space);
  space.write = (path, content) => {
    sent.push(path);
    return write(path, content);
  };
  setFault(() => false);
  await save(context);
  expect(sent.filter((path) => /-\d+$/.test(path))).toEqual([]);
  expect((await visible(space)).get('changed')).toBe('changed two');
});

test('cut off anywhere while it is decided anew, the next run has all that can be saved, and nothing is lost', async () => {
  for (let at = 1; ; at += 1) {
    const w = await world();
    w.setFault((call, path) => call === 'move to' && ['changed', 'new'].includes(path));
    let [calls, isDead] = [0, false];
    const dying: Space = Object.create(w.shown);
    const names = [
      'list',
      'stat',
      'read',
      'write',
      'move',
      'makeDirectory',
      'makeSymlink',
      'removeFile',
      'removeTree',
      'removeEmptyDirectory',
      'check',
      'readSymlink',
    ] as const;
    for (const name of names)
      Object.defineProperty(dying, name, {
        value: (...args: never[]) => {
          calls += 1;
          if (calls >= at) isDead = true;
          if (isDead) throw new Error('the process is gone');
          return (w.shown[name] as (...all: never[]) => unknown)(...args);
        },
      });
    w.context.close();
    const first = await openProject(w.root, dying, { clock: w.clock, lease: false });
    await first.lease
      .acquire([], true)
      .then(() => save(first))
      .catch(() => undefined);
    first.close();
    const isOver = !isDead;
    const next = await openProject(w.root, w.shown, { clock: w.clock, lease: false });
    await next.lease.acquire([], true);
    const before = sorted(dumpFolder(next.data));
    await startProject(next);
    await save(next);
    expect(sorted(dumpFolder(next.data)), `volume after call ${at}`).toEqual(before);
    await expectHonest(w.space);
    w.setFault(() => false);
    await save(next);
    expect(sorted(await visible(w.space)), `space after call ${at}`).toEqual(before);
    await restoreToFolder(next, await planFolderRestore(next, { of: '1', path: '', to: 'then' }, 9));
    expect(sorted(dumpFolder(join(next.data, 'then'))), `first save after call ${at}`).toEqual(
      sorted(w.first),
    );
    next.close();
    if (isOver) {
      expect(at).toBeGreaterThan(60);
      return;
    }
    folders.clear();
  }
}, 120_000);
