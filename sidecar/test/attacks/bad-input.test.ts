import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { FaultRule } from '../../../emulators/onedata/faults.ts';
import type { SyncStatus } from '../../contract/status.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { wrongClock } from './fault-order.ts';
import { changeGood, goodOf, handOver, makeGood } from './good-files.ts';
import { BOUND_SECONDS, type Instance, type Kind, sharedEmulator, type World } from './harness.ts';
import { expectElsewhere, inWorld, succeeds, withProject } from './lives.ts';
import { attack, type Row } from './rows.ts';

/** What is wrong with a whole space, a whole volume or the clock. Each is a sentence at most, loses nothing, and has a way on. */

const OURS = '.scipion-sync';
const FILES = [
  'head.json',
  'lease.json',
  'commits/1.jsonl',
  'commits/1.jsonl.new',
  'manifest/00000001-x-full.jsonl',
  'history/00000001-x.jsonl',
  'heads/00000001-x.json',
  'trash/20261122T130501Z-x/removed/p/file',
  'staging/x/1-1',
  'claims/x',
];
const FOLDERS = ['manifest', 'commits', 'fences', 'heads', 'history', 'trash', 'staging', 'claims'];
const garbage = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 31 + 7) & 255));

async function put(space: Space, path: string, content: string | Buffer): Promise<void> {
  const folders = path.split('/').slice(0, -1);
  for (let n = 1; n <= folders.length; n += 1) await space.makeDirectory(folders.slice(0, n).join('/'));
  await space.write(path, contentOf(content));
}

interface HiddenRow extends Row {
  readonly make: (world: World) => Promise<void>;
  /** The start may stop with a sentence, and goes on once the folder is out of the way. */
  readonly mayRefuse: boolean;
}

const HIDDEN: readonly HiddenRow[] = [
  {
    name: 'hidden folder: a file in its place',
    make: ({ spaces }) => put(spaces.project, OURS, 'not a folder'),
    mayRefuse: true,
  },
  {
    name: 'hidden folder: with files of somebody else',
    make: async ({ spaces }) => {
      for (const folder of [
        '',
        'manifest/',
        'commits/',
        'fences/',
        'heads/',
        'history/',
        'trash/',
        'staging/',
        'claims/',
      ])
        for (const name of ['notes.txt', 'a folder/file'])
          await put(spaces.project, `${OURS}/${folder}${name}`, 'mine');
    },
    mayRefuse: false,
    sample: 'mounted',
  },
  {
    name: 'hidden folder: full of garbage',
    make: async ({ spaces }) => {
      for (const path of FILES) await put(spaces.project, `${OURS}/${path}`, garbage);
    },
    // A record of a save that was decided and cannot be read: only a person can say that it may go.
    mayRefuse: true,
  },
  {
    name: 'hidden folder: of a newer version',
    make: async ({ spaces }) => {
      for (const path of FILES) await put(spaces.project, `${OURS}/${path}`, '{"version":99}\n');
    },
    mayRefuse: true,
  },
  {
    name: 'hidden folder: with two thousand files in each of its folders',
    kinds: ['mounted'],
    make: async ({ ids }) => {
      for (const folder of FOLDERS) {
        const at = join(ids.project, OURS, folder);
        mkdirSync(at, { recursive: true });
        for (let n = 0; n < 2_000; n += 1) writeFileSync(join(at, `file ${n}`), 'x');
      }
    },
    mayRefuse: false,
  },
  {
    name: 'hidden folder: with links out of it',
    kinds: ['mounted'],
    make: async ({ ids, root }) => {
      const outside = join(root, 'outside');
      for (const folder of FOLDERS) {
        mkdirSync(join(outside, folder), { recursive: true });
        writeFileSync(join(outside, folder, 'precious'), 'precious');
      }
      mkdirSync(join(ids.project, OURS));
      for (const name of readdirSync(outside))
        symlinkSync(join(outside, name), join(ids.project, OURS, name));
      for (const name of ['head.json', 'lease.json'])
        symlinkSync(join(outside, 'manifest/precious'), join(ids.project, OURS, name));
      handOver(outside);
    },
    mayRefuse: true,
  },
];

/** Opened; where the row allows it after a sentence, and without the folder that this names. */
async function opens(one: Instance, { mayRefuse }: HiddenRow): Promise<void> {
  const refuses = ({ problems }: SyncStatus) => problems.some(({ code }) => code === 'state-damaged');
  // Whoever cannot read a lease waits until it would be over.
  const opened = (found: SyncStatus) => found.ready || refuses(found);
  for (let sentence = 0; sentence < 5; sentence += 1) {
    const status = await one.until('the desktop, or a sentence', opened, BOUND_SECONDS + 180);
    if (status.ready) return;
    expect(mayRefuse, `it opens: ${await one.told()}`).toBe(true);
    // What it names is moved away.
    const message = status.problems.map((problem) => problem.message).join();
    for (const [named] of message.matchAll(/\.scipion-sync(\/[\w-]+(\.[\w]+)*)*/g))
      await one.world.spaces.project.removeTree(named);
    await one.until(
      'another word',
      (found) => found.ready || !found.problems.some((each) => each.message === message && refuses(found)),
    );
  }
  throw new Error(`it does not open: ${await one.told()}`);
}

async function hidden(row: HiddenRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    await put(world.spaces.project, 'data of before', 'data');
    await row.make(world);
    world.handOver();
    const one = await world.instance();
    one.launch();
    await opens(one, row);
    makeGood(one.data);
    expect(readFileSync(join(one.data, 'data of before'), 'utf8')).toBe('data');
    await succeeds(one, 'save');
    changeGood(one.data);
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, goodOf(one.data));
    const outside = join(world.root, 'outside');
    if (!existsSync(outside)) return;
    for (const folder of readdirSync(outside))
      expect(readdirSync(join(outside, folder)), `nothing outside is touched: ${folder}`).toEqual([
        'precious',
      ]);
    for (const folder of readdirSync(outside))
      expect(readFileSync(join(outside, folder, 'precious'), 'utf8')).toBe('precious');
  });
}
attack('a hidden folder that is not ours', HIDDEN, hidden);

interface SpaceRow extends Row {
  /** The space forgets what it had in common with the volume: its own versions stay beside those of the volume. */
  readonly mayKeepBoth?: boolean;
  /** Done to the project space in the middle of a save. @returns what undoes it */
  readonly strike: (world: World) => Promise<() => void>;
}

const everyCall = async (
  { ids }: World,
  action: FaultRule['action'],
  methods: readonly string[],
): Promise<() => void> => {
  const { faults } = (await sharedEmulator()).emulator.context;
  const rules = methods.map((method) => faults.add({ space: ids.project, method, action }));
  return () => {
    for (const id of rules) faults.remove(id);
  };
};
const WRITING = ['PUT', 'POST', 'DELETE'];

const MID_SAVE: readonly SpaceRow[] = [
  {
    name: 'the space is made read-only',
    strike: async (world) => {
      if (world.kind === 'rest')
        return everyCall(
          world,
          { kind: 'error', status: 400, id: 'posix', details: { errno: 'erofs' } },
          WRITING,
        );
      const set = (mode: number) => {
        for (const folder of [
          '',
          ...readdirSync(join(world.ids.project, OURS)).map((name) => join(OURS, name)),
        ]) {
          const at = join(world.ids.project, folder);
          if (existsSync(at) && !folder.endsWith('.json')) chmodSync(at, mode);
        }
      };
      set(0o555);
      return () => set(0o755);
    },
  },
  {
    name: 'the space is renamed',
    kinds: ['mounted'],
    strike: async ({ ids }) => {
      renameSync(ids.project, `${ids.project} renamed`);
      return () => renameSync(`${ids.project} renamed`, ids.project);
    },
  },
  {
    name: 'the space is emptied',
    strike: async ({ spaces }) => {
      const names: string[] = [];
      for await (const { path } of spaces.project.list({ path: '' })) names.push(path);
      for (const path of names) await spaces.project.removeTree(path).catch(() => undefined);
      return () => undefined;
    },
  },
  {
    name: 'the hidden folder is removed',
    // Not so where the save had looked at the space before.
    mayKeepBoth: true,
    strike: async ({ spaces }) => {
      await spaces.project.removeTree(OURS).catch(() => undefined);
      return () => undefined;
    },
  },
  {
    name: 'the space is given to another provider',
    kinds: ['rest'],
    strike: (world) =>
      everyCall(
        world,
        {
          kind: 'error',
          status: 400,
          id: 'spaceNotSupportedBy',
          details: { spaceId: world.ids.project, providerId: 'other' },
        },
        [...WRITING, 'GET'],
      ),
  },
];

const isOtherVersion = (path: string) => path.includes(' (changed elsewhere ');

async function midSave(row: SpaceRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
    changeGood(one.data);
    mkdirSync(join(one.data, 'p/many'));
    for (let n = 0; n < 200; n += 1) writeFileSync(join(one.data, `p/many/file ${n}`), `content ${n}`);
    handOver(join(one.data, 'p/many'));
    const saving = one.command('save');
    await sleep(300);
    const undo = await row.strike(world);
    await Promise.race([saving, sleep(4_000)]);
    expect(await one.status(), 'it answers').not.toBe(null);
    undo();
    await saving;
    const good = goodOf(one.data);
    // The way on: again, by whoever asks for it.
    await one.until('the end of the save', ({ phase }) => phase === 'running');
    await succeeds(one, 'drain');
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    await one.stop();
    await expectElsewhere(world, good, row.mayKeepBoth === true ? isOtherVersion : undefined);
  });
}
attack('a space that changes in the middle of a save', MID_SAVE, midSave);

interface ClockRow extends Row {
  readonly clockMs: number;
  readonly isKilled: boolean;
}
const YEAR_MS = 365 * 24 * 3600_000;
const CLOCKS: readonly ClockRow[] = [false, true].flatMap((isKilled) =>
  [
    { what: 'a year ahead', clockMs: YEAR_MS },
    { what: 'a year back', clockMs: -YEAR_MS },
  ].map(({ what, clockMs }) => ({
    name: `the clock jumps ${what}${isKilled ? ', then a kill' : ''}`,
    clockMs,
    isKilled,
  })),
);

async function clock({ clockMs, isKilled }: ClockRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
    one.order([wrongClock(clockMs)]);
    changeGood(one.data);
    await succeeds(one, 'save');
    writeFileSync(join(one.data, 'p/unsaved'), 'work that is not saved yet');
    handOver(join(one.data, 'p/unsaved'));
    if (isKilled) await one.kill();
    else await one.stop();
    rmSync(one.paths.ready, { force: true });
    const good = goodOf(one.data);
    // And back again, while nobody looks.
    one.order([]);
    one.launch();
    await one.ready();
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    writeFileSync(join(one.data, 'q/more'), 'more');
    handOver(join(one.data, 'q/more'));
    await succeeds(one, 'drain');
    await one.stop();
    await expectElsewhere(world, goodOf(one.data));
  });
}
attack('a clock that jumps', CLOCKS, clock);

interface TwoRow extends Row {
  readonly second: string;
}
const TWO: readonly TwoRow[] = [
  { name: 'two containers of one instance with one volume', second: 'lab/alice' },
  { name: 'two instances with one volume', second: 'lab/bob' },
];

async function two({ second }: TwoRow, kind: Kind): Promise<void> {
  await inWorld(kind, async (world) => {
    const one = await withProject(world);
    await succeeds(one, 'save');
    const other = await world.beside(one, second);
    other.launch();
    const waits = ({ problems }: SyncStatus) => problems.some(({ code }) => code === 'lease-held');
    await other.until(
      'the desktop, or the word that somebody has it',
      (found) => found.ready || waits(found),
    );
    changeGood(one.data);
    // One of the two may save; the other says why it does not.
    const outcomes = [await one.command('save'), await other.command('save')];
    for (const { code, err } of outcomes) expect(code === 0 || err.length > 20, err).toBe(true);
    expect(outcomes.filter(({ code }) => code === 0).length, JSON.stringify(outcomes)).toBeLessThanOrEqual(1);
    const good = goodOf(one.data);
    await one.kill();
    await other.kill();
    rmSync(one.paths.ready, { force: true });
    const last = await world.beside(one, 'lab/alice');
    last.launch();
    await last.until('the desktop', ({ ready }) => ready, BOUND_SECONDS + 180);
    await succeeds(last, 'drain');
    expect(goodOf(one.data), 'the volume keeps all it had').toEqual(good);
    await last.stop();
    await expectElsewhere(world, good);
  });
}
attack('one volume for two', TWO, two);
