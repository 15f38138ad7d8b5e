import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EXIT_CODES } from '../../contract/exit-codes.ts';
import { Confirmations, type Counted } from '../../src/sync/save/confirmations.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { LocalTree } from '../../src/sync/volume/local-tree.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders, visible } from './world.ts';

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
let project: MemorySpace;
const data = (name: string) => join(paths.projectVolume, 'data', name);

beforeEach(async () => {
  paths = await containerPaths(folders.make());
  project = new MemorySpace({ identity: 'memory://project' });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await containers.stopAll();
  folders.clear();
});

async function opened(): Promise<void> {
  await containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => project },
  });
  await untilStatus(paths.syncSocket, 'the desktop', (each) => each.ready && each.phase === 'running');
}

async function sync(work: (context: commands.CommandContext) => Promise<number>) {
  const err: string[] = [];
  const context = {
    socket: paths.syncSocket,
    json: true,
    out: () => undefined,
    err: (line: string) => err.push(line),
  };
  return { code: await commands.guarded(context, () => work(context)), err: err.join('\n') };
}
const confirm = (count: number, what: Counted = 'deletions') =>
  sync((context) => commands.confirm(context, { what, count }));
const drain = () => sync((context) => commands.drain(context, 60));
const remove = (from: number, to: number) => {
  for (let n = from; n < to; n += 1) rmSync(data(`file-${n}`));
};
const problem = (text: string) =>
  untilStatus(paths.syncSocket, text, ({ problems }) =>
    problems.some(({ message }) => message.includes(text)),
  );

describe('removals that were held back', () => {
  test('go only when just their number is confirmed, and no others with them', async () => {
    await opened();
    for (let n = 0; n < 30; n += 1) writeFileSync(data(`file-${n}`), 'x');
    await sync(commands.saveNow);
    remove(0, 25);
    const held = await sync(commands.saveNow);
    expect(held.code).toBe(EXIT_CODES.guarded);
    expect(held.err).toContain('25 of 30');
    expect(held.err).toContain('sync confirm deletions 25');
    await problem('sync confirm deletions 25');
    for (const wrong of [1, 24, 26, 30])
      expect((await confirm(wrong)).err, String(wrong)).toContain('25 removals are held back, not');

    // More are gone by the time of the save that is to use the agreement.
    remove(25, 28);
    expect((await confirm(25)).code).toBe(0);
    await problem('sync confirm deletions 28');
    expect((await visible(project)).size).toBe(30);
    // It was used up, so it does not add to the next one.
    expect((await sync(commands.saveNow)).code).toBe(EXIT_CODES.guarded);
    expect((await confirm(25)).err).toContain('28 removals are held back, not 25');

    expect((await confirm(28)).code).toBe(0);
    await untilStatus(paths.syncSocket, 'the removal', ({ problems }) => problems.length === 0);
    expect([...(await visible(project)).keys()].sort()).toEqual(['file-28', 'file-29']);
    expect((await confirm(28)).err).toContain('no removals are held back');
  });

  test('an agreement without a number is no request', async () => {
    await opened();
    for (const body of [
      { what: 'deletions' },
      { what: 'deletions', count: 0 },
      { what: 'deletions', count: '25' },
      { what: 'merge', count: 25 },
    ])
      await expect(ask(paths.syncSocket, 'POST', '/v1/confirm', body)).rejects.toThrow();
  });
});

describe('files that can never be saved', () => {
  test('are left behind by a drain when just these are agreed to, and no others', async () => {
    const broken = new Set(['file-1']);
    const open = LocalTree.prototype.open;
    vi.spyOn(LocalTree.prototype, 'open').mockImplementation(function (this: LocalTree, path) {
      if (broken.has(path)) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      return open.call(this, path);
    });
    await opened();
    expect((await confirm(1, 'unsaved')).err).toContain('nothing to confirm');
    for (let n = 0; n < 4; n += 1) writeFileSync(data(`file-${n}`), 'x');
    const refused = await drain();
    expect(refused.code).toBe(EXIT_CODES.partial);
    expect(refused.err).toContain('sync confirm unsaved 1');
    // The page has a button for it.
    await untilStatus(paths.syncSocket, 'the question', ({ problems }) =>
      problems.some(({ confirm: asked }) => asked?.what === 'unsaved' && asked.count === 1),
    );
    expect((await confirm(2, 'unsaved')).err).toContain('1 files or folders cannot be saved, not 2');

    // As many, but not the same.
    expect((await confirm(1, 'unsaved')).code).toBe(0);
    broken.clear();
    broken.add('file-2');
    writeFileSync(data('file-2'), 'more work');
    expect((await drain()).code).toBe(EXIT_CODES.partial);

    expect((await confirm(1, 'unsaved')).code).toBe(0);
    expect((await drain()).code).toBe(0);
    const found = await visible(project);
    // What an earlier save has of it stays.
    expect([...found].sort()).toEqual([0, 1, 2, 3].map((n) => [`file-${n}`, 'x']));
  });
});

describe('files that cannot be restored', () => {
  const missing = (...names: string[]) => ({
    total: names.length,
    items: names.map((path) => ({ path, kind: 'restore', code: 'damaged', message: '' }) as never),
  });
  const agree = (confirmed: Confirmations, count: number) => confirmed.add({ what: 'missing', count });

  test('are agreed to by what was asked about, though another attempt found others meanwhile', () => {
    const confirmed = new Confirmations();
    confirmed.askMissing(missing('a', 'b', 'c'));
    confirmed.askMissing(missing('a', 'b'));
    // An attempt that did not come so far.
    confirmed.askMissing({ total: 0, items: [] });
    agree(confirmed, 3);
    expect(confirmed.mayOpenWithout(missing('a', 'b', 'c'))).toBe(true);
    expect(confirmed.mayOpenWithout(missing('c'))).toBe(true);
    expect(confirmed.mayOpenWithout(missing('a', 'b', 'd'))).toBe(false);
    confirmed.askMissing(missing('c', 'd'));
    agree(confirmed, 2);
    expect(confirmed.mayOpenWithout(missing('a', 'b', 'c', 'd'))).toBe(true);
    expect(confirmed.mayOpenWithout({ ...missing('a', 'b'), total: 5 })).toBe(false);
  });

  test('are asked about again after an opening, and no number is agreed to that was not asked', () => {
    const confirmed = new Confirmations();
    expect(() => agree(confirmed, 1)).toThrow('no files of the project are missing');
    confirmed.askMissing(missing('a'));
    expect(() => agree(confirmed, 2)).toThrow('1 files of the project are missing, not 2');
    expect(confirmed.mayOpenWithout(missing('a'))).toBe(false);
    agree(confirmed, 1);
    confirmed.askMissing(null);
    expect(confirmed.mayOpenWithout(missing('a'))).toBe(false);
    expect(() => agree(confirmed, 1)).toThrow('nothing to confirm');
  });
});

test('an agreement that no save has used ends with the removals that it was for', () => {
  const confirmed = new Confirmations();
  confirmed.saved(0, { removals: 40, why: '40 of 50' });
  confirmed.add({ what: 'deletions', count: 40 });
  // The save under way had begun before it, and found the files again.
  confirmed.saved(0, null);
  expect(confirmed.deletions).toBe(0);
});

describe('the command line', () => {
  test.each([
    [['confirm', 'deletions'], 'needs the number of removals'],
    [['confirm', 'deletions', '0'], 'a whole number above 0'],
    [['confirm', 'deletions', '1e3'], 'a whole number above 0'],
    [['confirm', 'merge', '3'], 'takes no number'],
    [['confirm', 'everything'], 'Allowed choices are deletions, missing, unsaved, merge'],
  ])('%j is refused with a sentence', (command, sentence) => {
    const program = new URL('./sync-process.ts', import.meta.url).pathname;
    const given = ['--disable-warning=ExperimentalWarning', program, JSON.stringify(paths), ...command];
    const { status, stdout, stderr } = spawnSync(process.execPath, given, { encoding: 'utf8' });
    expect(stderr).toContain(sentence);
    expect({ status, stdout }).toEqual({ status: EXIT_CODES.usage, stdout: '' });
  });
});
