import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import type { StageInContext } from '../../src/sync/restore/stage-in.ts';
import { stageIn } from '../../src/sync/restore/stage-in.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { openVolume, prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { type Calls, faultyFiles, type Trouble } from './faulty-files.ts';
import { killWriter, MODES, ROWS } from './killed-set.ts';
import { Random } from './random.ts';
import { dumpFolder, Folders, openProject, quiet, sorted, TestClock, takeLease, visible } from './world.ts';

vi.mock('node:fs', async (original) =>
  (await import('./faulty-files.ts')).faultyFs(await original<typeof import('node:fs')>()),
);
vi.mock('node:fs/promises', async (original) =>
  (await import('./faulty-files.ts')).faultyPromises(await original<typeof import('node:fs/promises')>()),
);
vi.mock('node:sqlite', async (original) =>
  (await import('./faulty-files.ts')).faultySqlite(await original<typeof import('node:sqlite')>()),
);

/** `SYNC_FAULTS=full`: every call; otherwise so many of each kind, the same in every run. */
const IS_FULL = process.env.SYNC_FAULTS === 'full';
const SAMPLE = IS_FULL ? Number.POSITIVE_INFINITY : 14;
const SEED = 4;

const folders = new Folders();
afterEach(() => {
  faultyFiles.disarm();
  folders.clear();
});
afterAll(() => folders.clear());

type Tree = [string, string][];

function firstVersion(data: string): void {
  mkdirSync(join(data, 'p/sub'), { recursive: true });
  mkdirSync(join(data, 'p/empty'));
  for (const name of ['changed', 'removed', 'sub/moved', 'same', 'odd'])
    writeFileSync(join(data, 'p', name), 'one');
  symlinkSync('one', join(data, 'p/link'));
  const database = new DatabaseSync(join(data, 'p/project.sqlite'));
  database.exec('CREATE TABLE Objects (id INTEGER); INSERT INTO Objects VALUES (1)');
  database.close();
}

function secondVersion(data: string): void {
  writeFileSync(join(data, 'p/changed'), 'two two');
  rmSync(join(data, 'p/removed'));
  renameSync(join(data, 'p/sub'), join(data, 'p/sub2'));
  unlinkSync(join(data, 'p/link'));
  symlinkSync('two', join(data, 'p/link'));
  rmSync(join(data, 'p/empty'), { recursive: true });
  writeFileSync(join(data, 'p/empty'), 'a file now');
  rmSync(join(data, 'p/odd'));
  mkdirSync(join(data, 'p/odd'));
  writeFileSync(join(data, 'p/odd/inside'), 'two');
  const database = new DatabaseSync(join(data, 'p/project.sqlite'));
  database.exec('INSERT INTO Objects VALUES (2)');
  database.close();
}

interface World {
  readonly space: Space;
  readonly clock: TestClock;
  readonly root: string;
  readonly data: string;
  readonly one: Tree;
  readonly two: Tree;
}

/** A space with the first version, and a volume that holds the second, not yet saved. */
async function unsaved(): Promise<World> {
  const space = new MemorySpace();
  const clock = new TestClock();
  const root = folders.make();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  firstVersion(context.data);
  await save(context);
  const one = sorted(dumpFolder(context.data));
  secondVersion(context.data);
  await context.lease.release();
  context.close();
  return { space, clock, root, data: context.data, one, two: sorted(dumpFolder(context.data)) };
}

/** The second version is in the space. The volume is new, or (`isOld`) still holds the first. */
async function unrestored(isOld: boolean): Promise<World> {
  const w = await unsaved();
  const root = folders.make();
  const old = await openProject(root, w.space, { clock: w.clock, lease: 'patient' });
  if (isOld) await startProject(old);
  await old.lease.release();
  old.close();
  const context = await openProject(w.root, w.space, { clock: w.clock, lease: 'patient' });
  await save(context);
  await context.lease.release();
  context.close();
  return { ...w, root, data: old.data };
}

interface Outcome {
  readonly error: Error | null;
  readonly skipped: number;
  /** The same process goes on, as the container does after an error. */
  again(): Promise<number>;
  close(): void;
}

/** One run with a fault in it, from opening the volume on. The run's own error is expected. */
async function faultyRun(w: World, work: 'save' | 'start', fault: () => void): Promise<Outcome> {
  let context: Awaited<ReturnType<typeof openProject>> | null = null;
  let error: Error | null = null;
  let skipped = 0;
  const run = async (): Promise<number> => {
    context ??= await openProject(w.root, w.space, { clock: w.clock, lease: false });
    if (!context.lease.held) await takeLease(context, true);
    if (work === 'save') return (await save(context)).skipped;
    return (await startProject(context)).savedFirst;
  };
  fault();
  try {
    skipped = await run();
  } catch (thrown) {
    error = thrown as Error;
  }
  faultyFiles.disarm();
  const close = (): void => context?.close();
  return { error, skipped, again: run, close };
}

async function restored(w: World): Promise<Tree> {
  const other = await openProject(folders.make(), w.space, {
    clock: w.clock,
    lease: false,
    instance: 'lab/other',
  });
  await other.lease.acquire([], true);
  await startProject(other);
  await other.lease.release();
  const result = sorted(dumpFolder(other.data));
  other.close();
  return result;
}

/** Where a single file could not be read, the others are saved without it: it alone is still what it was. */
function isSomeOfBoth(found: Tree, w: World): boolean {
  const known = new Map([...w.one, ...w.two].map(([path]) => [path, new Set<string>()]));
  for (const [path, content] of [...w.one, ...w.two]) known.get(path)?.add(content);
  return found.every(([path, content]) => known.get(path)?.has(content) === true);
}

const KINDS: [Calls, Trouble][] = [
  ['files', 'EIO'],
  ['files', 'ENOSPC'],
  ['files', 'EACCES'],
  ['state', 'EIO'],
  ['state', 'ENOSPC'],
];

describe.each(KINDS)('every call to the %s fails once with %s', (calls, trouble) => {
  const sampled = (total: number, salt: number): number[] => {
    const all = new Random(SEED * 100 + salt).sample(total, Math.min(SAMPLE, total));
    if (IS_FULL) console.info(`${trouble} in each of ${all.length} calls to the ${calls}`);
    return all;
  };

  test('save: nothing is lost, the next save completes it', async () => {
    const counted = await unsaved();
    const clean = await faultyRun(counted, 'save', () => faultyFiles.arm(trouble, calls, 0));
    clean.close();
    expect(clean.error).toBe(null);
    const total = faultyFiles.calls;
    expect(total).toBeGreaterThan(5);
    for (const at of sampled(total, 1)) {
      const w = await unsaved();
      const outcome = await faultyRun(w, 'save', () => faultyFiles.arm(trouble, calls, at));
      const where = `${trouble} in call ${at} of ${total} (${faultyFiles.fired})`;
      expect(faultyFiles.fired, `call ${at} of ${total} was made`).not.toBe(null);
      expect(sorted(dumpFolder(w.data)), `the volume after ${where}`).toEqual(w.two);
      if (at % 2 === 0 && outcome.error !== null) {
        await outcome.again();
        expect(sorted(await visible(w.space)), `the space after another save, ${where}`).toEqual(w.two);
      } else {
        const found = await restored(w);
        if (outcome.skipped > 0) expect(isSomeOfBoth(found, w), `old or new after ${where}`).toBe(true);
        else expect([w.one, w.two].map(text), `one complete save after ${where}`).toContain(text(found));
      }
      outcome.close();
      const next = await openProject(w.root, w.space, { clock: w.clock, lease: false });
      await next.lease.acquire([], true);
      const { warnings } = await startProject(next);
      expect(warnings, where).toEqual([]);
      expect((await save(next)).skipped).toBe(0);
      expect(sorted(dumpFolder(next.data)), `the volume in the end, ${where}`).toEqual(w.two);
      expect(sorted(await visible(w.space)), `the space in the end, ${where}`).toEqual(w.two);
      next.close();
      folders.clear();
    }
  }, 600_000);

  test.each([
    ['on a new volume', false],
    ['on a volume with an older save', true],
  ])(
    'restore %s: the next run completes it',
    async (_, isOld) => {
      const counted = await unrestored(isOld);
      const clean = await faultyRun(counted, 'start', () => faultyFiles.arm(trouble, calls, 0));
      clean.close();
      expect(clean.error).toBe(null);
      const total = faultyFiles.calls;
      expect(total).toBeGreaterThan(5);
      for (const at of sampled(total, isOld ? 2 : 3)) {
        const w = await unrestored(isOld);
        const outcome = await faultyRun(w, 'start', () => faultyFiles.arm(trouble, calls, at));
        const where = `${trouble} in call ${at} of ${total} (${faultyFiles.fired})`;
        expect(faultyFiles.fired, `call ${at} of ${total} was made`).not.toBe(null);
        if (at % 2 === 0) expect(await outcome.again(), `nothing to save after ${where}`).toBe(0);
        outcome.close();
        const next = await openProject(w.root, w.space, { clock: w.clock, lease: false });
        await next.lease.acquire([], true);
        const { warnings, savedFirst } = await startProject(next);
        expect({ warnings, savedFirst }, where).toEqual({ warnings: [], savedFirst: 0 });
        expect(sorted(dumpFolder(next.data)), `the volume in the end, ${where}`).toEqual(w.two);
        expect(sorted(await visible(w.space)), `the space is as it was, ${where}`).toEqual(w.two);
        next.close();
        folders.clear();
      }
    },
    600_000,
  );

  test('stage-in: the next run completes it', async () => {
    const make = async () => {
      const space = new MemorySpace();
      await space.makeDirectory('raw/empty');
      for (const name of ['a', 'b', 'old']) await space.write(`raw/${name}`, contentOf(name));
      await space.makeSymlink('raw/link', 'a');
      const root = folders.make();
      const first = await openSource(root, space);
      await stageIn(first);
      first.close();
      await space.removeFile('raw/old');
      await space.removeFile('raw/b');
      await space.makeDirectory('raw/b');
      await space.write('raw/b/inside', contentOf('x'.repeat(100_000)));
      await space.write('raw/a', contentOf('changed'));
      return { space, root };
    };
    const run = async (w: Awaited<ReturnType<typeof make>>, at: number) => {
      let context: Awaited<ReturnType<typeof openSource>> | null = null;
      faultyFiles.arm(trouble, calls, at);
      try {
        context = await openSource(w.root, w.space);
        await stageIn(context);
      } catch (error) {
        if (at === 0) throw error;
      }
      faultyFiles.disarm();
      context?.close();
    };
    await run(await make(), 0);
    const total = faultyFiles.calls;
    expect(total).toBeGreaterThan(5);
    for (const at of sampled(total, 4)) {
      const w = await make();
      await run(w, at);
      const where = `${trouble} in call ${at} of ${total} (${faultyFiles.fired})`;
      expect(faultyFiles.fired, `call ${at} of ${total} was made`).not.toBe(null);
      const next = await openSource(w.root, w.space);
      await stageIn(next);
      expect(sorted(dumpFolder(join(w.root, 'data'))), where).toEqual(sorted(await visible(w.space)));
      next.close();
      folders.clear();
    }
  }, 600_000);
});

const text = (tree: Tree): string => JSON.stringify(tree);

async function openSource(root: string, space: Space): Promise<StageInContext & { close(): void }> {
  const clock = new TestClock();
  await prepareVolume(root);
  const volume = await openVolume(root, 'source', space, clock.now());
  const close = (): void => volume.state.close();
  return {
    ...volume,
    space,
    clock,
    close,
    log: quiet,
    progress: new Progress(clock),
    limits: DEFAULT_LIMITS,
  };
}

describe.each(MODES)('a restore over what a killed writer left beside a database: %s', (mode) => {
  /** A volume with the saved database and the side file; the space has a newer version by now. */
  async function killedSet(): Promise<{ space: Space; clock: TestClock; root: string }> {
    const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
    const context = await openProject(root, space, { clock });
    await startProject(context);
    await killWriter(join(context.data, 'a.sqlite'), mode);
    await save(context);
    await context.lease.release();
    context.close();
    clock.advance(5_000);
    const other = await openProject(folders.make(), space, { clock, lease: 'patient' });
    await startProject(other);
    const database = new DatabaseSync(join(other.data, 'a.sqlite'));
    database.exec('DELETE FROM Objects WHERE id > 7; VACUUM');
    database.close();
    await save(other);
    await other.lease.release();
    other.close();
    return { space, clock, root };
  }

  test.each(KINDS)(
    'whatever call to the %s fails with %s, it is never malformed',
    async (calls, trouble) => {
      const { space, clock, root } = await killedSet();
      const run = async (volume: string) => {
        const context = await openProject(volume, space, { clock, lease: 'patient' });
        try {
          await startProject(context);
          await context.lease.release();
        } finally {
          context.close();
        }
      };
      const copy = (): string => {
        const volume = folders.make();
        cpSync(root, volume, { recursive: true, preserveTimestamps: true });
        return volume;
      };
      faultyFiles.arm(trouble, calls, 0);
      await run(copy());
      const total = faultyFiles.calls;
      expect(total).toBeGreaterThan(5);
      for (const at of new Random(SEED).sample(total, Math.min(SAMPLE, total))) {
        const volume = copy();
        faultyFiles.arm(trouble, calls, at);
        await run(volume).catch(() => undefined);
        faultyFiles.disarm();
        await run(volume);
        for (const name of dumpFolder(join(volume, 'data')).keys()) {
          if (/-(wal|shm|journal)$/.test(name)) continue;
          const database = new DatabaseSync(join(volume, 'data', name));
          const check = database.prepare('PRAGMA integrity_check').get();
          const rows = database.prepare('SELECT count(*) AS n FROM Objects').get() as { n: number };
          database.close();
          expect(check, `call ${at}, ${name}`).toEqual({ integrity_check: 'ok' });
          expect(rows.n, `call ${at}, ${name}`).toBe(name === 'a.sqlite' ? 7 : ROWS);
        }
      }
    },
    120_000 + 5_000 * Math.min(SAMPLE, 1_000),
  );
});
