import {
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, ENGINE_FOLDER, isSpaceError, parentOf, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { LeaseHeldError } from '../../src/sync/save/lease.ts';
import { save } from '../../src/sync/save/save.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { fromEnvironment, SEEDS, seeded } from './random.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, trashOf, visible } from './world.ts';

/** `SYNC_HISTORIES=1000` is the soak: so many for each kind of space. */
const RUNS = fromEnvironment('SYNC_HISTORIES', 60);
const IS_SOAK = process.env.SYNC_HISTORIES !== undefined;
const TIMEOUT_MS = 60_000 + RUNS * 3_000;
const folders = new Folders();
let given: GivenEmulator | undefined;
afterAll(async () => {
  await given?.dispose();
  folders.clear();
});

const NAMES = ['a', 'b', 'c.txt', 'd'];
const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const localStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mkdir' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('link' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('touch' as const), path }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('swap' as const), path, to: path }) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: localStep },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('foreign' as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('foreign removal' as const), path }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('save' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      at: fc.integer({ min: 1, max: 60 }),
      after: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  // The clock of the machine is set, forward or back.
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('jump' as const), hours: fc.integer({ min: -50, max: 50 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('new volume' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each content is unique, so that it can be found again wherever it went. */
let content = 0;
function nextContent(): string {
  content += 1;
  return `content ${content}`;
}

/** A user's step on the volume. @returns contents that the user removed or replaced by it */
function act(data: string, given: Step, written: Set<string>): void {
  if (!('path' in given)) return;
  const at = join(data, given.path);
  const removed = (what: string): void => {
    for (const text of contentsBelow(what)) written.delete(text);
  };
  const isFree = () => !existsSync(at) || !lstatSync(at).isDirectory();
  try {
    if (given.do === 'write') {
      if (!isFree()) return;
      mkdirSync(dirname(at), { recursive: true });
      removed(at);
      const text = nextContent();
      try {
        unlinkSync(at);
      } catch {
        // Nothing was there.
      }
      writeFileSync(at, text);
      written.add(text);
    } else if (given.do === 'remove') {
      removed(at);
      rmSync(at, { recursive: true, force: true });
    } else if (given.do === 'mkdir') mkdirSync(at, { recursive: true });
    else if (given.do === 'link' && !existsSync(at)) symlinkSync(`to ${nextContent()}`, at);
    else if (given.do === 'touch') utimesSync(at, 1_600_000_000, 1_600_000_000);
    else if (given.do === 'rename') {
      const to = join(data, given.to);
      if (existsSync(to) || to.startsWith(`${at}/`)) return;
      renameSync(at, to);
    } else if (given.do === 'swap') {
      const to = join(data, given.to);
      if (!existsSync(to) || `${to}/`.startsWith(`${at}/`) || at.startsWith(`${to}/`)) return;
      const between = join(data, 'between');
      renameSync(at, between);
      renameSync(to, at);
      renameSync(between, to);
    }
  } catch {
    // A step that makes no sense here is no step.
  }
}

function contentsBelow(at: string): string[] {
  try {
    const found = lstatSync(at);
    if (found.isDirectory()) return [...dumpFolder(at).values()];
    return found.isFile()
      ? [...dumpFolder(dirname(at))]
          .filter(([name]) => join(dirname(at), name) === at)
          .map(([, text]) => text)
      : [];
  } catch {
    return [];
  }
}

/** Somebody else's write in the space. */
async function foreignWrite(space: Space, at: string, written: Set<string>): Promise<void> {
  try {
    const found = await space.stat({ path: at });
    if (found !== null && found.kind !== 'file') return;
    await space.makeDirectory(parentOf(at));
    if (found !== null) {
      // They replaced it themselves.
      const old = (await visible(space)).get(at);
      if (old !== undefined) written.delete(old);
    }
    // Of another size than the one before: a space has whole seconds only.
    const text = `foreign ${nextContent()} ${'.'.repeat(content % 50)}`;
    await space.write(at, contentOf(text));
    written.add(text);
  } catch (error) {
    if (!isSpaceError(error)) throw error;
  }
}

/** Somebody else removes a file or a whole folder in the space, unsaved work of the volume not among it. */
async function foreignRemoval(space: Space, at: string, written: Set<string>): Promise<void> {
  for (const [name, text] of await visible(space))
    if (name === at || name.startsWith(`${at}/`)) written.delete(text);
  const found = await space.stat({ path: at });
  if (found?.kind === 'directory') await space.removeTree(at);
  else await space.removeFile(at);
}

async function play(space: Space, clock: TestClock, steps: readonly Step[]): Promise<void> {
  let root = folders.make();
  /** Contents that nobody has removed or replaced on purpose. */
  const written = new Set<string>();
  const open = () =>
    openProject(root, space, { clock, lease: 'patient', limits: { share: 1, count: 1_000 } });
  /** Somebody else has removed something: the volume may still have it. */
  let isRemoved = false;
  let context = await open();
  await startProject(context);
  const reopen = async () => {
    context.close();
    context = await open();
    await startProject(context);
  };
  for (const each of steps) {
    clock.advance(1_500);
    switch (each.do) {
      case 'foreign':
        await foreignWrite(space, each.path, written);
        break;
      case 'foreign removal':
        isRemoved = true;
        await foreignRemoval(space, each.path, written);
        break;
      case 'save':
        await save(context);
        break;
      case 'restart':
        await reopen();
        break;
      case 'jump':
        clock.advance(each.hours * 3_600_000);
        break;
      case 'new volume': {
        await save(context);
        await context.lease.release();
        context.close();
        const before = dumpFolder(join(root, 'data'));
        root = folders.make();
        context = await open();
        await startProject(context);
        const now = dumpFolder(context.data);
        for (const [name, text] of before)
          if (!text.startsWith('foreign') && (!isRemoved || written.has(text)))
            expect(now.has(name), `${name} came back`).toBe(true);
        break;
      }
      case 'crash': {
        context.close();
        const faulty = new FaultySpace(space, each.at, each.after ? 'crash-after' : 'crash-before');
        const dying = await openProject(root, faulty.space, { clock, lease: false });
        try {
          await takeLease(dying);
          await save(dying);
        } catch (error) {
          if (!faulty.fired && !(error instanceof LeaseHeldError)) throw error;
        }
        dying.close();
        context = await open();
        await startProject(context);
        break;
      }
      default:
        act(context.data, each, written);
    }
  }
  await save(context);
  await reopen();
  await save(context);
  const [here, there] = [dumpFolder(context.data), await visible(space)];
  expect(sorted(here)).toEqual(sorted(there));
  const kept = new Set([...there.values(), ...(await trashContents(space))]);
  const lost = [...written].filter((text) => !new Set(there.values()).has(text) && !kept.has(text));
  expect(lost).toEqual([]);
  // What nobody removed is not only in the trash.
  expect([...written].filter((text) => ![...there.values()].includes(text))).toEqual([]);
  context.close();
}

async function trashContents(space: Space): Promise<string[]> {
  const all = await dumpSpace(space, ENGINE_FOLDER);
  return (await trashOf(space)).map((at) => all.get(at.slice(ENGINE_FOLDER.length + 1)) ?? '');
}

/** Histories that failed once. */
const KNOWN: { mounted: [Step[]][] } = {
  mounted: [
    // Two directories under a file that somebody else put there.
    [
      [
        { do: 'foreign', path: 'c.txt' },
        { do: 'mkdir', path: 'c.txt/a' },
        { do: 'crash', at: 1, after: false },
        { do: 'save' },
      ],
    ],
  ],
};

describe('random histories with crashes end equal on both sides, and nothing is lost', () => {
  test.each(SEEDS)(
    'in memory, seed %i',
    async (seed) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
          const clock = new TestClock();
          const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
          await play(space, clock, steps);
          folders.clear();
        }),
        seeded(seed, RUNS),
      );
    },
    TIMEOUT_MS,
  );

  test.each(SEEDS)(
    'in a mounted directory, seed %i',
    async (seed) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 15 }), async (steps) => {
          const clock = new TestClock();
          await play(new DirectorySpace(folders.make()), clock, steps);
          folders.clear();
        }),
        { ...seeded(seed, IS_SOAK ? RUNS : RUNS / 4), examples: KNOWN.mounted },
      );
    },
    TIMEOUT_MS,
  );

  test.each(SEEDS)(
    'in a Onedata space over REST, seed %i',
    async (seed) => {
      given ??= await givenEmulator();
      const emulator = given;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 15 }), async (steps) => {
          const opened = withRetry(emulator.open(await emulator.addSpace()));
          // Also the smallest of moved files are copied in the space.
          const space: Space = { ...opened, capabilities: { ...opened.capabilities, copiesFrom: 0 } };
          await play(space, new TestClock(), steps);
          await space.close();
          folders.clear();
        }),
        seeded(seed, IS_SOAK ? RUNS : RUNS / 4),
      );
    },
    TIMEOUT_MS,
  );
});
