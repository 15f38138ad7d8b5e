import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { FileFailures } from '../../src/sync/file-failures.ts';
import { collectDifferences, type ScanScope } from '../../src/sync/plan/collect.ts';
import { decodeItem } from '../../src/sync/plan/plan.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import type { ProjectContext } from '../../src/sync/service/project-context.ts';
import { ChangeWatch, type ChangeWatchOptions } from '../../src/sync/volume/change-watch.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { fromEnvironment, SEEDS, seeded } from './random.ts';
import { dumpFolder, openProject, sorted, type TestClock, visible } from './world.ts';

// A file system that gives the number of a removed directory to the next one, where there is one.
const made: string[] = [];
const closing: (() => void)[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sync-watch-'));
  made.push(path);
  return path;
}
afterEach(() => {
  for (const close of closing.splice(0)) close();
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

type World = ProjectContext & { data: string; changes: ChangeWatch; looks: string[] };

/** A project whose reads of directories are noted in `looks`. */
async function world(given: Partial<ChangeWatchOptions> & { space?: MemorySpace } = {}): Promise<World> {
  const root = folder();
  const context = await openProject(root, given.space ?? new MemorySpace({}), {
    limits: { share: 1, count: 100_000 },
  });
  const changes = new ChangeWatch(context.tree, {
    folder: join(root, '.sync-looks'),
    looksBetweenFullOnes: 1_000_000,
    ...given,
  });
  closing.push(() => {
    changes.close();
    context.close();
  });
  const looks: string[] = [];
  const { tree } = context;
  const [unchanged, children] = [tree.unchanged.bind(tree), tree.children.bind(tree)];
  tree.unchanged = (directory, base) => {
    looks.push(directory);
    return unchanged(directory, base);
  };
  tree.children = (directory) => {
    // A closer look at the same directory is no other one.
    if (looks.at(-1) !== directory) looks.push(directory);
    return children(directory);
  };
  await startProject(context);
  return { ...context, changes, looks };
}

/** @returns the directories that were read */
async function looked(context: World, scope: ScanScope = 'changed'): Promise<string[]> {
  context.looks.length = 0;
  await save(context, { scope });
  return [...context.looks].sort();
}

async function differences(context: ProjectContext, scope: ScanScope): Promise<string[]> {
  await collectDifferences(context, false, new FileFailures(context, 'project', 'save'), scope);
  const paths = [...context.state.pending.rows(null)].map((row) => decodeItem(row.data).path);
  return paths.sort();
}

/** What a look at everything finds, by a program that watches nothing. */
function allDifferences(context: World): Promise<string[]> {
  const { changes: _, ...unwatched } = context;
  return differences(unwatched, 'everything');
}

function sample(context: World): void {
  for (const name of ['a/x', 'a/y', 'b']) {
    mkdirSync(join(context.data, name), { recursive: true });
    writeFileSync(join(context.data, name, 'file'), name);
  }
}

/** Long enough after a save that times of files can be relied on. */
async function settle(context: World): Promise<void> {
  (context.clock as TestClock).advance(60_000);
  await save(context, { scope: 'changed' });
  await save(context, { scope: 'changed' });
}

/** Saved, looked at, and nothing left on the list. */
async function settled(given: Partial<ChangeWatchOptions> & { space?: MemorySpace } = {}): Promise<World> {
  const context = await world(given);
  sample(context);
  await save(context);
  await settle(context);
  expect(await looked(context)).toEqual([]);
  return context;
}

describe('a look at what changed', () => {
  test('reads nothing where nothing happened, and only the directory where something did', async () => {
    const context = await settled();
    writeFileSync(join(context.data, 'a/x/file'), 'newer');
    expect(await looked(context)).toEqual(['a/x']);
    // Until a look finds it as it was saved.
    expect(await looked(context)).toEqual(['a/x']);
    await settle(context);
    expect(await looked(context)).toEqual([]);
    expect((await visible(context.space)).get('a/x/file')).toBe('newer');
  });

  test('goes through new directories, and forgets removed ones', async () => {
    const context = await settled();
    mkdirSync(join(context.data, 'new/deep'), { recursive: true });
    writeFileSync(join(context.data, 'new/deep/file'), 'deep');
    rmSync(join(context.data, 'a'), { recursive: true });
    await looked(context);
    expect(sorted(await visible(context.space))).toEqual(sorted(dumpFolder(context.data)));
    await settle(context);
    expect(await looked(context)).toEqual([]);
    writeFileSync(join(context.data, 'new/deep/file'), 'deeper');
    expect(await looked(context)).toEqual(['new/deep']);
  });

  test('follows directories that were moved, exchanged, or made again with the same number', async () => {
    const context = await settled();
    const at = (path: string) => join(context.data, path);
    renameSync(at('a'), at('moved'));
    renameSync(at('b'), at('a'));
    await looked(context);
    await settle(context);
    writeFileSync(at('moved/x/file'), 'after the move');
    expect(await differences(context, 'changed')).toEqual(['moved/x/file']);
    await looked(context);
    for (let again = 0; again < 3; again += 1) {
      rmSync(at('moved/x'), { recursive: true });
      mkdirSync(at('moved/x'));
      await looked(context);
      writeFileSync(at('moved/x/file'), `again ${again}`);
      expect(await allDifferences(context)).toContain('moved/x/file');
      await looked(context);
      expect((await visible(context.space)).get('moved/x/file')).toBe(`again ${again}`);
    }
    await settle(context);
    expect(await allDifferences(context)).toEqual([]);
  });

  test('does not follow a link that took the place of a directory', async () => {
    const context = await settled();
    writeFileSync(join(context.data, 'a/x/file'), 'changed');
    renameSync(join(context.data, 'a'), join(dirname(context.data), 'outside'));
    symlinkSync('../outside', join(context.data, 'a'));
    expect(await differences(context, 'changed')).toEqual(await allDifferences(context));
  });

  test('finds the other name of a hard link', async () => {
    const context = await settled();
    linkSync(join(context.data, 'a/x/file'), join(context.data, 'b/other'));
    await settle(context);
    expect(await looked(context)).toEqual([]);
    appendFileSync(join(context.data, 'b/other'), ' and more');
    expect(await differences(context, 'changed')).toEqual(['a/x/file', 'b/other']);
  });

  test('a directory that writes a lot is read again with what it wrote last', async () => {
    const context = await settled();
    for (let count = 0; count < 300; count += 1) {
      appendFileSync(join(context.data, 'b/file'), '.');
      if (count % 50 === 0) await new Promise((done) => setTimeout(done, 1));
    }
    expect(await looked(context)).toEqual(['b']);
    appendFileSync(join(context.data, 'b/file'), 'last');
    expect(await looked(context)).toEqual(['b']);
    await settle(context);
    expect(await looked(context)).toEqual([]);
    appendFileSync(join(context.data, 'b/file'), 'very last');
    expect(await looked(context)).toEqual(['b']);
    await settle(context);
    expect(await allDifferences(context)).toEqual([]);
  });
});

describe('a look at everything', () => {
  const ALL = ['', 'a', 'a/x', 'a/y', 'b'];

  test('comes first, after a doubt, where it is asked for, and after so many others', async () => {
    const context = await settled({ looksBetweenFullOnes: 3 });
    context.changes.requireFullScan();
    expect(await looked(context)).toEqual(ALL);
    for (let round = 0; round < 3; round += 1) expect(await looked(context)).toEqual([]);
    expect(await looked(context)).toEqual(ALL);
    expect(await looked(context)).toEqual([]);
    expect(await looked(context, 'everything')).toEqual(ALL);
    context.looks.length = 0;
    await save(context, { scope: 'changed', last: true });
    expect([...context.looks].sort()).toEqual(ALL);
  });

  test('follows more events than the kernel keeps', async () => {
    const context = await settled();
    const [one, two] = [join(context.data, 'a/x/file'), join(context.data, 'a/y/file')];
    // In turns: the kernel joins equal events that follow each other. The loop does not run meanwhile.
    for (let count = 0; count < 10_000; count += 1) {
      chmodSync(one, 0o600);
      chmodSync(two, 0o600);
    }
    writeFileSync(join(context.data, 'b/file'), 'its event was dropped');
    expect(await looked(context)).toEqual(ALL);
    expect((await visible(context.space)).get('b/file')).toBe('its event was dropped');
  });

  test('is every look where there are too many directories, and where events do not arrive', async () => {
    const reasons: string[] = [];
    const many = await world({ maxDirectories: 3, onOff: (reason) => reasons.push(reason) });
    sample(many);
    await save(many);
    for (let round = 0; round < 2; round += 1) expect(await looked(many)).toEqual(ALL);
    expect(reasons).toEqual(['there are more than 3 directories']);
    const deaf = await settled();
    (deaf.changes as unknown as { close(): void }).close();
    expect(await looked(deaf)).toEqual(ALL);
    const silent = await world({ folder: '/dev/null/looks' });
    sample(silent);
    await save(silent);
    expect(await looked(silent)).toEqual(ALL);
  });

  test('is repeated after one that was broken off', async () => {
    const context = await settled();
    context.changes.requireFullScan();
    const children = context.tree.children;
    context.tree.children = (directory) => {
      if (directory === 'b') throw new Error('the disk failed');
      return children(directory);
    };
    writeFileSync(join(context.data, 'b/file'), 'newer');
    await expect(save(context, { scope: 'changed' })).rejects.toThrow('the disk failed');
    context.tree.children = children;
    expect(await looked(context)).toEqual(ALL);
    expect((await visible(context.space)).get('b/file')).toBe('newer');
  });
});

const NAMES = ['a', 'b', 'c'];
const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'));
const change = fc.record({
  do: fc.constantFrom(
    'write',
    'write',
    'append',
    'remove',
    'mkdir',
    'rename',
    'rename',
    'again',
    'link',
    'mode',
  ),
  path,
  to: path,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

let contents = 0;
function apply(data: string, { do: what, path: name, to }: Change): void {
  const [at, other] = [join(data, name), join(data, to)];
  contents += 1;
  try {
    if (what === 'write') {
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, `content ${contents}`);
    } else if (what === 'append') appendFileSync(at, `${contents}`);
    else if (what === 'remove') rmSync(at, { recursive: true, force: true });
    else if (what === 'mkdir') mkdirSync(at, { recursive: true });
    else if (what === 'rename') renameSync(at, other);
    else if (what === 'link') symlinkSync('.', at);
    else if (what === 'mode') chmodSync(at, contents % 2 === 0 ? 0o755 : 0o700);
    else if (existsSync(at)) {
      rmSync(at, { recursive: true });
      mkdirSync(at);
    }
  } catch {
    // A change that makes no sense here is no change.
  }
}

const RUNS = fromEnvironment('SYNC_HISTORIES', 40);

test.each(SEEDS)(
  'whatever is changed, also while a save runs, is found by the next look, seed %i',
  async (seed) => {
    let partial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(change, { maxLength: 6 }), fc.array(change, { maxLength: 12 })), {
          minLength: 2,
          maxLength: 6,
        }),
        async (rounds) => {
          const queue: Change[] = [];
          let context: World | null = null;
          const during = (): void => {
            const next = queue.shift();
            if (context !== null && next !== undefined) apply(context.data, next);
          };
          // A change before each call to the space and each read of a directory.
          const inner = new MemorySpace({});
          const space = new Proxy(inner, {
            get(target, key) {
              const value = Reflect.get(target, key, target) as unknown;
              if (typeof value !== 'function') return value;
              return (...args: unknown[]) => {
                during();
                return (value as (...all: unknown[]) => unknown).apply(target, args);
              };
            },
          });
          context = await world({ space });
          const { children } = context.tree;
          context.tree.children = (directory) => {
            during();
            return children(directory);
          };
          await save(context);
          for (const [before, meanwhile] of rounds) {
            for (const each of before) apply(context.data, each);
            queue.push(...meanwhile);
            context.looks.length = 0;
            await save(context, { scope: 'changed' });
            if (!context.looks.includes('')) partial += 1;
            queue.length = 0;
            const expected = await allDifferences(context);
            expect(await differences(context, 'changed')).toEqual(expected);
          }
          for (const close of closing.splice(0)) close();
        },
      ),
      seeded(seed, RUNS),
    );
    // Otherwise it would have compared looks at everything with each other.
    expect(partial).toBeGreaterThan(RUNS / SEEDS.length / 4);
  },
  600_000,
);
