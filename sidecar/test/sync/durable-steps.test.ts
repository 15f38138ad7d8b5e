import { readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { VOLUME_FOLDERS } from '../../contract/paths.ts';
import { contentOf, ENGINE_FOLDER, type Space, SpaceError } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { type SaveOptions, save } from '../../src/sync/save/save.ts';
import { stagingOf } from '../../src/sync/save/sent-uploads.ts';
import { LAYOUT } from '../../src/sync/save/space-layout.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { MARKER } from '../../src/sync/volume/known-format.ts';
import { LocalTree } from '../../src/sync/volume/local-tree.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { expectAsTable, rowsOf, saveSteps } from './durable-writes.ts';
import { RecordedWrites, STATE_WRITES, VOLUME_WRITES } from './recorded-writes.ts';
import { changeAll, firstVersion } from './two-versions.ts';
import { dumpFolder, Folders, openProject, quiet, sorted, TestClock, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());
const STEPS = saveSteps();

interface Situation {
  /** What happens since the save before. */
  readonly change: (data: string, space: MemorySpace) => Promise<void> | void;
  /** Which moves the space refuses while this save is made. */
  readonly refuses?: (from: string, to: string) => boolean;
  readonly options?: SaveOptions;
  /** Paths that may be as they were before, or gone, where the save was killed after it was decided. */
  readonly leavesOut?: readonly string[];
}

/** The id of the volume that the data lie on. */
function volumeOf(data: string): string {
  const marker = join(data, '..', VOLUME_FOLDERS.state, MARKER);
  return (JSON.parse(readFileSync(marker, 'utf8')) as { volumeId: string }).volumeId;
}

const SITUATIONS: Record<string, Situation> = {
  'each kind of change': {
    change: async (data, space) => {
      changeAll(data);
      writeFileSync(join(data, 'p/empty'), 'a file now');
      unlinkSync(join(data, 'p/link2'));
      unlinkSync(join(data, 'p/both'));
      await space.removeFile('p/both');
    },
  },
  'a large file': {
    change: (data) => writeFileSync(join(data, 'p/changed'), Buffer.alloc((8 << 20) + 1, 'large')),
  },
  'a moved file': { change: (data) => renameSync(join(data, 'p/large'), join(data, 'p/elsewhere')) },
  'a version that was changed elsewhere': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      await space.write('p/changed', contentOf('of somebody else'));
    },
  },
  'a place that refuses': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      writeFileSync(join(data, 'p/new'), 'two');
      // Of a file that has changed since.
      await space.makeDirectory(stagingOf(volumeOf(data)));
      await space.write(`${stagingOf(volumeOf(data))}/earlier-1`, contentOf('an upload that no save uses'));
    },
    refuses: (from, to) => to === 'p/changed' && from.startsWith(LAYOUT.staging),
    leavesOut: ['p/changed'],
  },
  'a place that takes neither the new version nor the old one': {
    change: (data) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      writeFileSync(join(data, 'p/new'), 'two');
    },
    refuses: (_, to) => to === 'p/changed',
    leavesOut: ['p/changed'],
  },
  'a damaged head': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      await space.write(LAYOUT.head, contentOf('x'));
    },
  },
  'a space that lost all saves': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      for (const folder of [LAYOUT.heads, LAYOUT.manifest, LAYOUT.head]) await space.removeTree(folder);
    },
  },
  'saves of another history': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      await space.removeTree(ENGINE_FOLDER);
      const other = await openProject(folders.make(), space, { instance: 'lab/other' });
      await startProject(other);
      writeFileSync(join(other.data, 'p/others'), 'of somebody else');
      await save(other);
      unlinkSync(join(other.data, 'p/others'));
      await save(other);
      await other.lease.release();
      other.close();
    },
  },
  'a damaged segment before the volume goes': {
    change: async (data, space) => {
      writeFileSync(join(data, 'p/changed'), 'two two');
      for await (const { path } of space.list({ path: LAYOUT.manifest }))
        await space.write(path, contentOf('x'));
    },
    options: { last: true },
  },
};

/** A space that holds one save, and a volume with changes that are in no save. */
async function world({ change, refuses }: Situation) {
  const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  const { data } = context;
  firstVersion(data);
  symlinkSync('one', join(data, 'p/link2'));
  writeFileSync(join(data, 'p/both'), 'one');
  writeFileSync(join(data, 'p/large'), Buffer.alloc(300_000, 'large'));
  await save(context);
  await context.lease.release();
  await change(data, space);
  // What was changed a moment ago may change again without a sign, so its upload is used by no later save.
  clock.advance(60_000);
  const before = await visible(space);
  context.close();
  let isRefusing = refuses !== undefined;
  const shown: Space = new Proxy(space, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      if (name !== 'move') return value.bind(object);
      return async (from: { path: string; kind: 'file' }, to: string) => {
        if (isRefusing && refuses?.(from.path, to) === true)
          throw new SpaceError('bad-request', `${to} is refused`, { path: to });
        await space.move(from, to);
      };
    },
  });
  const heal = (): void => {
    isRefusing = false;
  };
  return { space, shown, clock, root, data, before, heal };
}

async function run(situation: Situation, at?: number) {
  const w = await world(situation);
  const writes = new RecordedWrites({ volume: w.root, ...(at === undefined ? {} : { at }) });
  const context = await openProject(w.root, writes.space(w.shown), { clock: w.clock, lease: false });
  await context.lease.acquire([], true);
  try {
    await writes.during(() => save(context, situation.options));
  } catch (error) {
    if (!writes.isDead) throw error;
  } finally {
    context.close();
  }
  return { ...w, writes };
}

/** What a new volume gets from the space now. */
async function restored(space: MemorySpace, clock: TestClock): Promise<Map<string, string>> {
  const context = await openProject(folders.make(), space, { clock, lease: false, instance: 'lab/other' });
  await context.lease.acquire([], true);
  await startProject(context);
  const result = dumpFolder(context.data);
  context.close();
  return result;
}

test('everything that writes is watched', () => {
  const methods = (of: { prototype: object }) =>
    Object.getOwnPropertyNames(of.prototype).filter((name) => name !== 'constructor');
  for (const { name, of, calls } of STATE_WRITES)
    expect(
      methods(of).filter((method) => !(calls as readonly string[]).includes(method)),
      name,
    ).toEqual(
      methods(of).filter((method) =>
        /^(get|all|children|stats|count|hasFiles|directories|unlisted|rows|numbered)$/.test(method),
      ),
    );
  expect(methods(LocalTree).filter((method) => !VOLUME_WRITES.includes(method))).toEqual(
    methods(LocalTree).filter((method) =>
      /^(at|children|unchanged|look|open|freeBytes|withLog|nameWithLog)$/.test(method),
    ),
  );
});

test.each(Object.entries(SITUATIONS))(
  'the steps of a save are those of the table: %s',
  async (_, situation) => {
    const { writes } = await run(situation);
    expectAsTable(STEPS, writes.seen);
  },
);

/** Saves of a session over two weeks, of which most are given up one after the other. */
async function sessionRuns(): Promise<RecordedWrites[]> {
  const [clock, root] = [new TestClock(), folders.make()];
  const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1_000) });
  await prepareVolume(root);
  let current = new RecordedWrites();
  const following: Space = new Proxy(space, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) =>
        (Reflect.get(current.space(space), name) as (...all: unknown[]) => unknown)(...args);
    },
  });
  const session = await ProjectSession.open({
    root,
    space: following,
    instance: 'lab/alice',
    clock,
    log: quiet,
    progress: new Progress(clock),
    reserveBytes: 1_024,
    limits: DEFAULT_LIMITS,
    retention: () => ({ last: 2, hourly: 2, daily: 2, weekly: 2, maxBytes: null }),
    signal: new AbortController().signal,
  });
  await session.acquireLease();
  await session.start({});
  const runs: RecordedWrites[] = [];
  for (let round = 1; round <= 40; round += 1) {
    writeFileSync(join(root, 'data/file'), `version ${round}`);
    // In every other round a file is removed.
    if (round % 2 === 0) writeFileSync(join(root, 'data/for-one-round'), 'x');
    else if (round > 1) unlinkSync(join(root, 'data/for-one-round'));
    clock.advance(9 * 3_600_000);
    if (round === 3) await space.write(`${LAYOUT.manifest}/of-a-broken-save.jsonl`, contentOf(''));
    await session.heartbeat();
    current = new RecordedWrites({ volume: root });
    await current.during(() => session.save({}));
    runs.push(current);
  }
  session.close();
  return runs;
}

test('the steps of a session after its save are those of the table', async () => {
  for (const { seen } of await sessionRuns()) expectAsTable(STEPS, seen);
});

test('each row of the table, and each call of it, is seen in one of these', async () => {
  const seen = new Set<string>();
  const see = ({ seen: writes, calls }: RecordedWrites): void => {
    const rows = expectAsTable(STEPS, writes);
    for (const { name, isOptional } of STEPS)
      if (!isOptional)
        expect(
          rows.map((row) => row.name),
          'rows that every save has',
        ).toContain(name);
    for (const [at, { name }] of rows.entries()) seen.add(`${name}: ${calls[at]}`);
  };
  for (const situation of Object.values(SITUATIONS)) see((await run(situation)).writes);
  for (const writes of await sessionRuns()) see(writes);
  const all = STEPS.flatMap(({ name, calls }) => calls.map((call) => `${name}: ${call}`));
  expect([...seen].sort()).toEqual(all.sort());
});

/** Paths at which two trees differ. */
function apart(one: Map<string, string>, two: Map<string, string>): string[] {
  const [first, second] = [one, two].map(timeless) as [Map<string, string>, Map<string, string>];
  return [...new Set([...first.keys(), ...second.keys()])].filter(
    (path) => first.get(path) !== second.get(path),
  );
}

/** Names of versions from elsewhere have the time of their save. */
function timeless(tree: Map<string, string>): Map<string, string> {
  return new Map([...tree].map(([path, content]) => [path.replace(/\d{8}T\d{6}Z/, 'TIME'), content]));
}

/** What a process was killed after in a situation before. */
const swept = new Set<string>();

test.each(Object.entries(SITUATIONS))(
  'killed after any of them, the space holds what the table promises: %s',
  async (_, situation) => {
    const whole = await run(situation);
    whole.heal();
    const after = await restored(whole.space, whole.clock);
    const { calls } = whole.writes;
    const rows = rowsOf(STEPS, calls);
    const kinds = calls.map((call, at) => `${rows[at]?.name}: ${call}`);
    const fresh = kinds.flatMap((kind, at) =>
      !swept.has(kind) && (kinds.indexOf(kind) === at || kinds.lastIndexOf(kind) === at) ? [at] : [],
    );
    for (const kind of kinds) swept.add(kind);
    for (const at of fresh) {
      const call = calls[at];
      const w = await run(situation, at + 1);
      expect(w.writes.calls, `killed after ${call}, ${at}`).toHaveLength(at + 1);
      const work = dumpFolder(w.data);
      w.heal();
      const found = await restored(w.space, w.clock);
      const leadsTo = rows[at]?.leadsTo;
      const promised = leadsTo === 'this save' ? after : w.before;
      const mayDiffer = leadsTo === 'this save' ? (situation.leavesOut ?? []) : [];
      const differ = apart(found, promised).filter((path) => !mayDiffer.includes(path));
      expect(differ, `after ${call}, ${at}`).toEqual([]);
      // The volume has lost nothing, and its work gets into the space.
      const next = await openProject(w.root, w.space, { clock: w.clock, lease: false });
      await next.lease.acquire([], true);
      await startProject(next, { confirmedMerge: true });
      await save(next);
      next.close();
      const kept = dumpFolder(w.data);
      for (const [path, content] of work)
        expect(kept.get(path), `${path} after ${call}, ${at}`).toBe(content);
      expect(sorted(await visible(w.space)), `the space after ${call}, ${at}`).toEqual(sorted(kept));
    }
  },
  120_000,
);
