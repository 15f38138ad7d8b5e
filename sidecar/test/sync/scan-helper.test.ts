import * as fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { FileFailures } from '../../src/sync/file-failures.ts';
import { collectDifferences, type ScanScope } from '../../src/sync/plan/collect.ts';
import { decodeItem } from '../../src/sync/plan/plan.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { StateStore } from '../../src/sync/state/state.ts';
import { ChangeWatch } from '../../src/sync/volume/change-watch.ts';
import { ScanHelper } from '../../src/sync/volume/scan-helper.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject, type TestClock } from './world.ts';

const folders = new Folders();
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  folders.clear();
});

const DIRECTORIES = 400;
const nameOf = (number: number): string =>
  number % 5 === 0 ? `deep${number % 3}/d ${number}/e${number}` : `d${number}`;

/** A saved project of many directories. */
async function project() {
  const root = folders.make();
  const context = await openProject(root, new MemorySpace({}), { limits: { share: 1, count: 100_000 } });
  const changes = new ChangeWatch(context.tree, {
    folder: join(root, '.sync-looks'),
    looksBetweenFullOnes: 1_000_000,
  });
  closing.push(() => {
    changes.close();
    context.close();
  });
  await startProject(context);
  const at = (path: string) => join(context.data, path);
  for (let number = 0; number < DIRECTORIES; number += 1) {
    const name = nameOf(number);
    fs.mkdirSync(at(name), { recursive: true });
    fs.writeFileSync(at(`${name}/file`), name);
    if (number % 7 === 0) fs.symlinkSync('file', at(`${name}/link`));
    if (number % 11 === 0) fs.mkdirSync(Buffer.concat([Buffer.from(at(`${name}/`)), Buffer.from([0xff])]));
  }
  await save(context);
  (context.clock as TestClock).advance(60_000);
  await save(context);
  return { ...context, changes, at };
}
type Project = Awaited<ReturnType<typeof project>>;

async function differences(context: Project, scope: ScanScope): Promise<string[]> {
  await collectDifferences(context, false, new FileFailures(context, 'project', 'save'), scope);
  return [...context.state.pending.rows(null)].map((row) => decodeItem(row.data).path);
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Looks at everything in two threads. The first one dawdles until the other has work.
 * @param during called before each look of the first thread, with the number of directories from the other one so far
 */
async function inTwoThreads(context: Project, during?: (byTheOther: number) => void, from = 0) {
  let [followed, looked] = [0, 0];
  const { tree, changes } = context;
  const [unchanged, follow] = [tree.unchanged, changes.follow];
  tree.secondThreadFrom = from;
  changes.follow = (directory) => {
    followed += 1;
    follow.call(changes, directory);
  };
  tree.unchanged = (directory, looks) => {
    during?.(followed - looked);
    looked += 1;
    if (followed === looked) Atomics.wait(sleeper, 0, 0, 5);
    return unchanged.call(tree, directory, looks);
  };
  try {
    const paths = await differences(context, 'everything');
    return { paths, byTheOther: followed - looked };
  } finally {
    [tree.unchanged, changes.follow] = [unchanged, follow];
    tree.secondThreadFrom = Number.POSITIVE_INFINITY;
  }
}

function inOneThread({ changes: _, ...context }: Project): Promise<string[]> {
  context.tree.secondThreadFrom = Number.POSITIVE_INFINITY;
  return differences(context as Project, 'everything');
}

/** One change of each kind, in several directories. */
function change({ at }: Project, from: number): void {
  fs.writeFileSync(at(`${nameOf(from)}/file`), 'other bytes');
  fs.appendFileSync(at(`${nameOf(from + 20)}/file`), '.');
  fs.rmSync(at(nameOf(from + 41)), { recursive: true });
  fs.mkdirSync(at(`${nameOf(from + 60)}/new/in it`), { recursive: true });
  fs.writeFileSync(at(`${nameOf(from + 60)}/new/in it/file`), '');
  fs.chmodSync(at(nameOf(from + 80)), 0o700);
  fs.renameSync(at(nameOf(from + 101)), at(`moved${from}`));
  fs.linkSync(at(`${nameOf(from + 121)}/file`), at(`${nameOf(from + 141)}/other name`));
  fs.rmSync(at(nameOf(from + 161)), { recursive: true });
  fs.symlinkSync(nameOf(from + 162), at(nameOf(from + 161)));
}

// On one core there is one thread.
describe.skipIf(availableParallelism() < 2)('a scan in two threads', () => {
  test('finds what one thread finds, parents before their children', async () => {
    const context = await project();
    expect((await inTwoThreads(context)).paths).toEqual([]);
    change(context, 0);
    change(context, 200);
    const { paths, byTheOther } = await inTwoThreads(context);
    expect(byTheOther).toBeGreaterThan(0);
    expect([...paths].sort()).toEqual((await inOneThread(context)).sort());
    for (const [index, path] of paths.entries())
      for (const later of paths.slice(index)) expect(path.startsWith(`${later}/`)).toBe(false);
  });

  test('loses no change that is made meanwhile', async () => {
    const context = await project();
    for (let round = 0; round < 6; round += 1) {
      let turn = 0;
      const { byTheOther } = await inTwoThreads(context, () => {
        turn += 1;
        const name = nameOf((turn * 37 + round * 11) % DIRECTORIES);
        try {
          if (turn % 5 === 0) fs.renameSync(context.at(name), context.at(`${name}-${round}`));
          else if (turn % 5 === 1) fs.renameSync(context.at(`${name}-${round}`), context.at(name));
          else if (turn % 5 === 2) fs.rmSync(context.at(name), { recursive: true });
          else fs.writeFileSync(context.at(`${name}/file`), `${round} ${turn}`);
        } catch {
          // A change that makes no sense here is no change.
        }
      });
      expect(byTheOther).toBeGreaterThan(0);
      const found = await differences(context, 'changed');
      expect(found.sort()).toEqual((await inOneThread(context)).sort());
      await save(context);
    }
  });

  test.each([
    ['cannot read the state', '/dev/null/none'],
    ['finds no state', '/dev/null'],
  ])('is done by the first one alone where the other %s', async (_what, file) => {
    const context = await project();
    change(context, 0);
    const expected = (await inOneThread(context)).sort();
    Object.defineProperty(context.state, 'file', { value: file });
    const { paths, byTheOther } = await inTwoThreads(context);
    expect(paths.sort()).toEqual(expected);
    expect(byTheOther).toBe(0);
  });

  test('that is broken off ends the other one, and is repeated', async () => {
    const context = await project();
    fs.writeFileSync(context.at('d1/file'), 'newer');
    fs.writeFileSync(context.at('d399/file'), 'newer');
    await expect(
      inTwoThreads(context, (byTheOther) => {
        if (byTheOther > 0) throw new Error('the disk failed');
      }),
    ).rejects.toThrow('the disk failed');
    expect((await differences(context, 'changed')).sort()).toEqual(['d1/file', 'd399/file']);
  });

  test('is done by one where there is little to do', async () => {
    const context = await project();
    expect(await inTwoThreads(context, undefined, 10_000)).toEqual({ paths: [], byTheOther: 0 });
  });
});

test.skipIf(availableParallelism() < 2)(
  'what a thread that failed was to look at is given back',
  async () => {
    const root = folders.make();
    const stateFile = join(root, 'state');
    const state = new StateStore(stateFile);
    fs.mkdirSync(join(root, 'empty'));
    const helper = new ScanHelper({ root, stateFile });
    expect(helper.wanted(100)).toBe(0);
    helper.start();
    while (helper.wanted(100) === 0) await new Promise((later) => setImmediate(later));
    helper.give(['empty', 'none']);
    await helper.next();
    expect(helper.looked()).toEqual({ directory: 'empty', found: new Map() });
    expect(helper.looked()).toEqual({ directory: 'none', found: null });
    expect(helper.looked()).toBeUndefined();
    expect(helper.isBusy).toBe(false);
    // No path: it kills the thread.
    helper.give([0 as never]);
    helper.give(['none']);
    await helper.next();
    expect(helper.looked()).toEqual({ directory: 0, found: undefined });
    expect(helper.looked()).toEqual({ directory: 'none', found: undefined });
    expect([helper.isBusy, helper.wanted(100)]).toEqual([false, 0]);
    await helper.close();
    state.close();
  },
);
