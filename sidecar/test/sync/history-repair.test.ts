import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll, SpaceError } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { repairSpace } from '../../src/sync/restore/repair.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { verifySpace } from '../../src/sync/restore/verify.ts';
import { historyPath, knownSaves } from '../../src/sync/save/history.ts';
import { save } from '../../src/sync/save/save.ts';
import { listSaves } from '../../src/sync/save/saves-list.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpSpace } from '../spaces/memory-space.ts';
import { Folders, openProject, quiet, TestClock } from './world.ts';

/** A history that is damaged, or was being thinned out when a crash came. On the emulator. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(() => folders.clear());

/** Sixteen saves within a minute: the ten newest ones are kept, and the last one of the hour is among them. */
const SAVES = 16;
const HOUR_MS = 3_600_000;
/** @param first how much earlier the first one is, in ms */
async function withSaves(first = 0) {
  const space = withRetry(given.open(await given.addSpace()), { firstWaitMs: 1, maxWaitMs: 5, retries: 1 });
  const [clock, root] = [new TestClock(), folders.make()];
  // All but the first are in one hour, whenever this runs.
  const left = HOUR_MS - (clock.now() % HOUR_MS);
  if (left < 120_000) clock.advance(left);
  const context = await openProject(root, space, { clock });
  await startProject(context);
  const write = (n: number) => writeFileSync(join(context.data, 'a'), `content ${n}`);
  for (let n = 1; n <= SAVES; n += 1) {
    write(n);
    clock.set(n === 1 ? first : 0);
    await save(context);
    clock.set(n === 1 ? -first : 0);
  }
  return { space, clock, root, context, write };
}
type World = Awaited<ReturnType<typeof withSaves>>;

async function tidyNow({ context }: World) {
  await context.lease.heartbeat();
  context.state.setMeta('trash-tidied', null);
  return tidyTrash(context);
}

const historyFiles = async ({ space }: World) =>
  [...(await dumpSpace(space)).keys()]
    .filter((path) => path.startsWith('.scipion-sync/history/') && !path.endsWith('/'))
    .sort();
const generations = async ({ context }: World) =>
  (await knownSaves(context)).map(({ generation }) => generation);

async function contentAsOf({ context }: World, generation: number): Promise<string> {
  const of = (await knownSaves(context)).find((each) => each.generation === generation)?.saveId ?? '';
  await restoreToFolder(context, await planFolderRestore(context, { path: '', to: 'copy', of }, 0));
  const found = readFileSync(join(context.data, 'copy/a'), 'utf8');
  rmSync(join(context.data, 'copy'), { recursive: true });
  return found;
}

const FIRST_LINE = (text: string) => text.replace('"version":1', '"version":x');
const LATER_LINE = (text: string) => text.replace('"w":"replaced"', '"w":"replacex"');
const DAMAGES: [string, (text: string) => string][] = [
  ['its first line', FIRST_LINE],
  ['a later line', LATER_LINE],
];

async function damage({ space, context }: World, index: number, how: (text: string) => string) {
  const path = historyPath((await knownSaves(context))[index]?.stem as string);
  const text = (await readAll(space, { path }, 1 << 20)).toString();
  expect(how(text)).not.toBe(text);
  await space.write(path, contentOf(how(text)));
  return path;
}

describe('a part of the history that is damaged', () => {
  async function toldAtTheNextSave({ context, root, space, clock, write }: World) {
    await context.lease.release();
    context.close();
    const session = await ProjectSession.open({
      ...{ root, space, clock, instance: 'lab/alice', log: quiet, limits: DEFAULT_LIMITS },
      progress: new Progress(clock),
      signal: new AbortController().signal,
    });
    await session.acquireLease();
    write(SAVES + 1);
    const { notices } = await session.save({});
    expect(notices).toEqual([expect.stringMatching(/history.*damaged.*sync verify, then sync repair$/)]);
    const numbers = (await session.saves()).saves.map(({ generation }) => generation);
    session.close();
    return numbers;
  }

  test('its first line: is told with the way out, and newer saves are thinned out all the same', async () => {
    const world = await withSaves();
    await damage(world, 14, FIRST_LINE);
    // Ten are kept, and the one that leads to the damaged one.
    expect(await toldAtTheNextSave(world)).toEqual([17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 3, 2]);
  });

  test('a later line: is told with the way out, and what lies around it is kept', async () => {
    // The first one is the last of its hour, so what comes after it would become one.
    const world = await withSaves(-59 * 60_000);
    await damage(world, 14, LATER_LINE);
    expect(await toldAtTheNextSave(world)).toHaveLength(SAVES + 1);
  });

  test.each(DAMAGES)(
    '(%s) is mended: the history begins there, newer saves come back, thinning goes on',
    async (_, how) => {
      const world = await withSaves();
      const { context } = world;
      await damage(world, 5, how);
      await verifySpace(context, 1e9);
      expect((await repairSpace(context)).done).toContainEqual(
        expect.stringContaining('the history begins with save 11 now'),
      );
      expect((await generations(world)).at(-1)).toBe(11);
      for (const generation of [11, 12, 15])
        expect(await contentAsOf(world, generation)).toBe(`content ${generation}`);
      expect((await tidyNow(world)).damaged).toEqual([]);
      expect(await historyFiles(world)).toHaveLength(6);
      expect((await listSaves(context)).saves).toHaveLength(6);
      const evidence = [...(await dumpSpace(world.space)).keys()].filter((path) =>
        /trash\/.*-engine\/engine\/.*jsonl$/.test(path),
      );
      expect(evidence).toHaveLength(1);
      context.close();
    },
  );
});

describe('a crash while files of the history become one', () => {
  test.each(['before the first old file goes', 'between upload and move'])(
    '%s: nothing stays behind',
    async (when) => {
      const world = await withSaves();
      const { space, context } = world;
      const { move, removeFile } = space;
      const down = new SpaceError('unavailable', 'down');
      if (when === 'between upload and move')
        space.move = async (from, to, ...rest) => {
          if (to.includes('/history/')) throw down;
          return move(from, to, ...rest);
        };
      else
        space.removeFile = async (path, ...rest) => {
          if (path.includes('/history/')) throw down;
          return removeFile(path, ...rest);
        };
      await expect(tidyNow(world)).rejects.toThrow('down');
      Object.assign(space, { move, removeFile });
      expect((await historyFiles(world)).length).toBeGreaterThan(10);
      await tidyNow(world);
      const kept = await generations(world);
      expect(kept).toHaveLength(10);
      expect(await historyFiles(world)).toEqual(
        (await knownSaves(context)).map(({ stem }) => historyPath(stem as string)).sort(),
      );
      for (const generation of kept)
        expect(await contentAsOf(world, generation)).toBe(`content ${generation}`);
      context.close();
    },
  );
});
