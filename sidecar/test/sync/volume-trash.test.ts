import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import type { Space } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { SmallVolumes } from './small-volumes.ts';
import { dumpFolder, Folders, quiet, TestClock } from './world.ts';

/** What a start takes from a volume because the space says so may be the only copy: it stays until somebody had time to miss it. */

const folders = new Folders();
const volumes = new SmallVolumes(folders);
const opened: { close(): void }[] = [];
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  volumes.unmountAll();
  folders.clear();
});

const MEBIBYTE = 1 << 20;
const DAY_MS = 24 * 3_600_000;

/** A start of a container on this volume. */
async function start(root: string, space: Space, clock: TestClock): Promise<ProjectSession> {
  const session = await ProjectSession.open({
    ...{ root, space, clock, instance: 'lab/alice', log: quiet, limits: DEFAULT_LIMITS },
    progress: new Progress(clock),
    signal: new AbortController().signal,
    reserveBytes: 0,
  });
  opened.push(session);
  await session.acquireLease();
  await session.start({});
  return session;
}

/** Ten files of 2 MiB on a volume of 60 MiB, four of which somebody has removed from the space. */
async function withRemovedFiles() {
  const id = await given.addSpace();
  const space = withRetry(given.open(id), { firstWaitMs: 1, maxWaitMs: 5, retries: 2 });
  const [root, clock] = [folders.make(), new TestClock()];
  volumes.mount(root, 60 << 20);
  await prepareVolume(root);
  const first = await start(root, space, clock);
  const at = (n: number) => join(root, 'data', `work-${n}`);
  for (let n = 0; n < 10; n += 1) writeFileSync(at(n), Buffer.alloc(2 * MEBIBYTE, `work ${n} `));
  await first.save({});
  for (let n = 0; n < 4; n += 1) await space.removeFile(`work-${n}`);
  const trash = join(root, 'state/trash');
  return { space, root, clock, at, trash };
}

/** Names of what is kept, whole. */
function kept(trash: string): string[] {
  return readdirSync(trash)
    .flatMap((folder) => [...dumpFolder(join(trash, folder))])
    .filter(([, text]) => text.length === 2 * MEBIBYTE)
    .map(([name]) => name)
    .sort();
}
const REMOVED = ['work-0', 'work-1', 'work-2', 'work-3'];

describe.skipIf(!volumes.canMount)('more than a tenth of the volume that the space has lost', () => {
  test('is kept by the start that takes it away, by later ones, and goes after three days', async () => {
    const { space, root, clock, trash } = await withRemovedFiles();
    await start(root, space, clock);
    expect(kept(trash)).toEqual(REMOVED);
    await start(root, space, clock);
    expect(kept(trash)).toEqual(REMOVED);
    // The space's clock too has to be that far.
    const stat = space.stat.bind(space);
    space.stat = async (...args) => {
      const found = await stat(...args);
      return found === null
        ? null
        : { ...found, mtimeSeconds: (found.mtimeSeconds ?? 0) + (4 * DAY_MS) / 1000 };
    };
    clock.advance(4 * DAY_MS);
    await start(root, space, clock);
    expect(kept(trash)).toEqual([]);
  });

  test.each([
    ['ahead', 1],
    ['behind', -1],
  ])('is kept where the clock is a year %s', async (_, way) => {
    const { space, root, clock, trash } = await withRemovedFiles();
    clock.advance(way * 365 * DAY_MS);
    await start(root, space, clock);
    expect(kept(trash)).toEqual(REMOVED);
    clock.advance(-way * 365 * DAY_MS);
    await start(root, space, clock);
    expect(kept(trash)).toEqual(REMOVED);
  });

  test('goes where its room is needed, but not in the start that took it', async () => {
    const { space, root, clock, at, trash } = await withRemovedFiles();
    // 18 MiB of 60 are free then, and in the end less than a twentieth.
    writeFileSync(at(20), Buffer.alloc(19 * MEBIBYTE));
    writeFileSync(at(21), Buffer.alloc(19 * MEBIBYTE));
    await start(root, space, clock);
    expect(kept(trash)).toEqual(REMOVED);
    await start(root, space, clock);
    expect(kept(trash)).toEqual([]);
  });
});
