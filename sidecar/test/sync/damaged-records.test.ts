import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { contentOf, readAll, type Space, SpaceError } from '../../src/spaces/space.ts';
import { lookOf } from '../../src/sync/model.ts';
import { type StartOptions, startProject } from '../../src/sync/restore/start.ts';
import { recordLines } from '../../src/sync/save/commit-record.ts';
import { save } from '../../src/sync/save/save.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { MissingFilesError } from '../../src/sync/sync-errors.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { Random } from './random.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

/** Ids survive moves in one of them only. */
const SPACES: [string, () => Space][] = [
  ['an Onedata space', () => new MemorySpace()],
  ['a mounted space', () => new DirectorySpace(folders.make())],
];

/** A save with each kind of step, and work after it that is not saved; the container is gone. */
async function world(space: Space) {
  const [clock, root] = [new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  const { data } = context;
  for (const folder of ['p/sub', 'p/goes', 'p/becomes a file'])
    mkdirSync(join(data, folder), { recursive: true });
  for (const name of [
    'one',
    'two',
    'same',
    'removed',
    'moved',
    'goes/inner',
    'becomes a folder',
    'becomes a link',
  ])
    writeFileSync(join(data, 'p', name), `first ${name}`);
  symlinkSync('one', join(data, 'p/link'));
  await save(context);
  const before = dumpFolder(data);
  for (const name of ['one', 'two']) writeFileSync(join(data, 'p', name), `other ${name}`);
  for (const name of ['removed', 'goes', 'becomes a folder', 'becomes a file', 'becomes a link', 'link'])
    rmSync(join(data, 'p', name), { recursive: true });
  renameSync(join(data, 'p/moved'), join(data, 'p/moved here'));
  mkdirSync(join(data, 'p/becomes a folder'));
  for (const name of ['new', 'becomes a file', 'becomes a folder/inner', 'sub/new', 'sub/its twin'])
    writeFileSync(join(data, 'p', name), name.startsWith('sub/') ? 'equal' : `new ${name}`);
  symlinkSync('two', join(data, 'p/link'));
  symlinkSync('same', join(data, 'p/becomes a link'));
  context.close();
  return { space, clock, root, data, before };
}
type World = Awaited<ReturnType<typeof world>>;

/** A start as the container makes it. */
async function attempt(root: string, space: Space, clock: TestClock, options: StartOptions = {}) {
  const context = await openProject(root, space, { clock, lease: false });
  try {
    await takeLease(context, true);
    const { notices, missing } = await startProject(context, options);
    await context.lease.release();
    return { error: null, notices, missing, volume: sorted(dumpFolder(context.data)) };
  } catch (error) {
    return {
      error: error as Error,
      notices: [],
      missing: null,
      volume: sorted(dumpFolder(context.data)),
    };
  } finally {
    context.close();
  }
}

/** Number of the call that decides the save, by kind of space. */
const decides = new Map<string, number>();

/** @param moves calls after the one that decides the save */
async function killedInMoves(
  kind: string,
  make: () => Space,
  moves: number,
): Promise<World & { record: string }> {
  for (let at = decides.get(kind) ?? 20; ; at += 1) {
    const w = await world(make());
    const faulty = new FaultySpace(w.space, at + (decides.has(kind) ? moves : 0), 'crash-after');
    await attempt(w.root, faulty.space, w.clock);
    const record = await recordOf(w.space);
    if (decides.has(kind) && record === undefined) throw new Error(`the save is over after ${moves} moves`);
    if (record === undefined) continue;
    if (decides.has(kind)) return { ...w, record };
    decides.set(kind, at);
    at -= 1;
  }
}

async function recordOf(space: Space): Promise<string | undefined> {
  return [...(await dumpSpace(space)).keys()].find((path) => /\/commits\/\d+\.jsonl$/.test(path));
}

type Damage = (bytes: Buffer, random: Random) => Buffer | 'directory' | 'missing';
const DAMAGES: [string, Damage][] = [
  ['random bytes', (bytes, random) => random.bytes(bytes.length)],
  ['one flipped bit', (bytes) => spliced(bytes, bytes.length >> 1, [Number(bytes[bytes.length >> 1]) ^ 1])],
  ['another letter in its first line', (bytes) => spliced(bytes, bytes.indexOf('saveId') + 12, [103])],
  ['cut', (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ['cut in its first line', (bytes) => bytes.subarray(0, 20)],
  ['without its checksum', (bytes) => bytes.subarray(0, bytes.lastIndexOf('{"sha256"'))],
  ['empty', () => Buffer.alloc(0)],
  ['other JSON', () => Buffer.from('{"version":1,"segments":"none","path":["..","x"]}\n')],
  ['a directory', () => 'directory'],
  ['gone', () => 'missing'],
];

function spliced(bytes: Buffer, at: number, other: number[]): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(other), bytes.subarray(at + other.length)]);
}

async function damage(space: Space, path: string, how: Damage, random: Random): Promise<void> {
  const changed = how(await readAll(space, { path }, 1 << 20), random);
  if (typeof changed !== 'string') return void (await space.write(path, contentOf(changed)));
  await space.removeFile(path);
  if (changed === 'directory') await space.makeDirectory(path);
}

/** Calls that make the moves of the save. */
const MOVES = 24;

describe.each(SPACES)('%s', (kind, make) => {
  test.each(DAMAGES)(
    'a commit record that is %s: one complete save, and it is told',
    async (name, how) => {
      const number = DAMAGES.findIndex(([each]) => each === name);
      for (const [who, moves] of [
        ['new volumes', (number * 3) % MOVES],
        ['the volume of the save', (number * 3 + 7) % MOVES],
        ['new volumes', (number * 3 + 14) % MOVES],
      ] as const) {
        const w = await killedInMoves(kind, make, moves);
        const where = `${who}, after ${moves} moves`;
        const work = sorted(dumpFolder(w.data));
        await damage(w.space, w.record, how, new Random(moves));
        const root = who === 'new volumes' ? folders.make() : w.root;
        const { error, volume, notices, missing } = await attempt(root, w.space, w.clock);
        expect(error, `${where}: ${error?.stack}`).toBe(null);
        expect(missing?.total, where).toBe(0);
        // A save without a record that has put nothing away was never begun.
        const isBefore = name === 'gone' && notices.length === 0 && who === 'new volumes';
        expect(volume, where).toEqual(isBefore ? sorted(w.before) : work);
        if (name !== 'gone')
          expect(notices.join(), where).toMatch(
            /commits\/\d+\.jsonl .* was damaged \(.*the save is complete/,
          );
        expect(sorted(await visible(w.space)), where).toEqual(volume);
        expect(await recordOf(w.space), where).toBe(undefined);
        const evidence = [...(await dumpSpace(w.space)).keys()].filter((path) => /\/engine\/./.test(path));
        expect(evidence.length > 0, where).toBe(name !== 'gone');
        const again = await attempt(w.root, w.space, w.clock);
        expect(again.error, `${where}: ${again.error?.stack}`).toBe(null);
        expect(again.volume, `${where}, then the volume of the save`).toEqual(work);
        folders.clear();
      }
    },
    120_000,
  );

  test('uploads that are gone besides are told by name, and the versions before them are there', async () => {
    const w = await killedInMoves(kind, make, 6);
    const staged = [...(await dumpSpace(w.space)).keys()].filter((path) =>
      /\/staging\/[^/]+\/[^/]+-\d+$/.test(path),
    );
    expect(staged.length).toBeGreaterThan(3);
    for (const path of staged) await w.space.removeFile(path);
    await damage(w.space, w.record, (bytes) => bytes.subarray(0, bytes.length >> 1), new Random(1));
    const { error, volume, notices } = await attempt(folders.make(), w.space, w.clock);
    expect(error, error?.stack).toBe(null);
    const found = new Map(volume);
    for (const name of ['one', 'two'])
      expect(['first', 'other'].map((each) => `${each} ${name}`)).toContain(found.get(`p/${name}`));
    expect(notices.join()).toMatch(/but for \d+ files whose new version is nowhere in the space: "p\//);
    // The volume that has them sends them again: somebody else has ended its save without them.
    expect((await attempt(w.root, w.space, w.clock)).error?.name).toBe('UnsavedWorkError');
    const mine = await attempt(w.root, w.space, w.clock, { confirmedMerge: true });
    expect(mine.error, mine.error?.stack).toBe(null);
    for (const [path, content] of dumpFolder(w.data))
      expect((await visible(w.space)).get(path), path).toBe(content);
  });

  test('too little is left of the save: the save before counts, and what it lacks is named', async () => {
    const w = await killedInMoves(kind, make, 12);
    const parts = [...(await dumpSpace(w.space)).keys()].filter((path) => /\/history\/.+\.jsonl$/.test(path));
    for (const path of parts) await w.space.write(path, contentOf('junk'));
    await damage(w.space, w.record, () => Buffer.alloc(0), new Random(1));
    const work = sorted(dumpFolder(w.data));
    const { error, notices } = await attempt(w.root, w.space, w.clock);
    expect(error, error?.stack).toBe(null);
    expect(notices.join()).toContain(
      'too little is left of its save to complete it: the save before it counts',
    );
    expect(sorted(await visible(w.space)).filter(([path]) => !path.includes('(changed elsewhere'))).toEqual(
      work,
    );
  });
});

/** A space where too little is left of a decided save, which had put away some of the save before. */
async function givenUp(kind: string, make: () => Space) {
  const w = await killedInMoves(kind, make, 12);
  for (const path of (await dumpSpace(w.space)).keys())
    if (/\/history\/.+\.jsonl$/.test(path)) await w.space.write(path, contentOf('junk'));
  await damage(w.space, w.record, () => Buffer.alloc(0), new Random(1));
  const there = await visible(w.space);
  const gone = [...w.before.keys()].filter((path) => !path.endsWith('/') && !there.has(path)).sort();
  expect(gone.length).toBeGreaterThan(0);
  return { ...w, gone };
}

test.each(SPACES)(
  '%s: a new volume asks, by name, until somebody has agreed to open without what it lacks',
  async (kind, make) => {
    const { space, clock, gone, before } = await givenUp(kind, make);
    const root = folders.make();
    for (const who of ['at first', 'and after a restart']) {
      const { error } = await attempt(root, space, clock);
      expect(error, who).toBeInstanceOf(MissingFilesError);
      const { items, total } = (error as MissingFilesError).problems;
      expect(items.map(({ path }) => path).sort(), who).toEqual(gone);
      expect(items[0]?.code).toBe('put-away');
      expect(error?.message).toContain(`sync confirm missing ${total}`);
    }
    const agreed = await attempt(root, space, clock, { mayOpenWithout: () => true });
    expect(agreed.error, agreed.error?.stack).toBe(null);
    expect(agreed.notices.join()).toContain('too little is left of its save');
    const found = new Map(agreed.volume);
    for (const path of before.keys()) expect(found.has(path), path).toBe(!gone.includes(path));
    expect((await attempt(root, space, clock)).error, 'asked once').toBe(null);
  },
);

test.each(SPACES)(
  '%s: a volume that has the save before keeps what is put away, and sends it again',
  async (kind, make) => {
    const { space, clock, root, gone, before } = await givenUp(kind, make);
    // The volume of that save is lost; an older copy of it, from before that work, comes in its place.
    const context = await openProject(root, space, { clock, lease: false });
    const state = context.state;
    for (const path of gone) {
      const file = join(context.data, path);
      rmSync(file, { recursive: true, force: true });
      mkdirSync(join(file, '..'), { recursive: true });
      if (before.get(path)?.startsWith('→')) continue;
      writeFileSync(file, String(before.get(path)));
      const local = context.tree.look(path);
      const base = state.base.get(path);
      if (local !== null && base !== null) state.base.put({ ...base, ...lookOf(local) });
    }
    context.close();
    const { error, volume } = await attempt(root, space, clock);
    expect(error, error?.stack).toBe(null);
    const [found, there] = [new Map(volume), await visible(space)];
    for (const path of gone.filter((each) => !before.get(each)?.startsWith('→'))) {
      expect(found.get(path), path).toBe(before.get(path));
      expect(there.get(path), path).toBe(before.get(path));
    }
  },
);

test.each(SPACES)(
  '%s: a save that mends a record tells it, also where that save fails at first',
  async (kind, make) => {
    const w = await killedInMoves(kind, make, 6);
    await damage(w.space, w.record, (bytes) => bytes.subarray(0, bytes.length >> 1), new Random(1));
    let fails = true;
    const space = new Proxy(w.space, {
      get(target, key) {
        const value = Reflect.get(target, key, target) as unknown;
        if (typeof value !== 'function') return value;
        const call = value.bind(target) as (...given: unknown[]) => unknown;
        // Uploads of the next save, which come after the recovery.
        if (key !== 'write') return call;
        return (path: string, ...rest: unknown[]) => {
          if (!fails || !path.includes('/manifest/')) return call(path, ...rest);
          fails = false;
          throw new SpaceError('space-unknown', 'not now');
        };
      },
    });
    const context = await openProject(w.root, space, { clock: w.clock, lease: 'patient' });
    writeFileSync(join(context.data, 'p/later'), 'later work');
    await expect(save(context)).rejects.toThrow('not now');
    const { notices } = await save(context);
    expect(notices?.join()).toMatch(/commits\/\d+\.jsonl .* was damaged .*the save is complete/);
    expect((await save(context)).notices, 'told once').toBe(undefined);
    context.close();
  },
);

test('a step that is not known is no damage where the checksum is right: a newer program finishes it', async () => {
  const w = await killedInMoves('an Onedata space', () => new MemorySpace(), 0);
  const [header = '', ...steps] = (await readAll(w.space, { path: w.record }, 1 << 20))
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .slice(0, -1);
  const lines: string[] = [];
  const newer = [...steps.slice(0, -1), '{"do":"fly","path":"p/one"}'];
  for await (const line of recordLines(JSON.parse(header), newer)) lines.push(`${line}\n`);
  await w.space.write(w.record, contentOf(lines.join('')));
  const before = sorted(await visible(w.space));
  const { error } = await attempt(folders.make(), w.space, w.clock);
  expect(error?.message).toMatch(/\(line \d+ of .*commits\/\d+\.jsonl is no known step\)/);
  expect(toProblem(error, 'project', new Date(0).toISOString()).code).toBe('state-damaged');
  expect(sorted(await visible(w.space))).toEqual(before);
});

test('a record of which nothing else is there is put aside, and the save before it counts', async () => {
  const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  writeFileSync(join(context.data, 'a'), 'x');
  await save(context);
  await context.lease.release();
  context.close();
  const before = await visible(space);
  for (const text of [
    '',
    'rubbish',
    '{"version":2}',
    '{"version":1,"saveId":"s","fence":1,"generation":2,"decidedAt":1,"steps":5}\n',
  ]) {
    await space.write('.scipion-sync/commits/1.jsonl', contentOf(text));
    const { error, notices, volume } = await attempt(root, space, clock);
    expect(error, text).toBe(null);
    expect(notices.join(), text).toMatch(/commits\/1\.jsonl/);
    expect(await recordOf(space), text).toBe(undefined);
    expect(volume).toEqual([['a', 'x']]);
  }
  expect(await visible(space)).toEqual(before);
});
