import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Random } from './random.ts';
import { dumpFolder, Folders, openProject, sorted, visible } from './world.ts';

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(() => folders.clear());

const random = new Random(3);
async function world() {
  const id = await given.addSpace();
  const space: Space = withRetry(given.open(id), { firstWaitMs: 1, maxWaitMs: 5, retries: 2 });
  const context = await openProject(folders.make(), space);
  await startProject(context);
  const used = async () => [...(await dumpSpace(space)).values()].reduce((sum, text) => sum + text.length, 0);
  return {
    context,
    space,
    /** So many bytes may come to what the space holds now. */
    limit: async (more: number | null) =>
      given.emulator.context.spaces.setQuota(id, more === null ? null : (await used()) + more),
    at: (name: string) => join(context.data, name),
    segments: async () =>
      [...(await dumpSpace(space)).keys()].filter((path) => path.startsWith('.scipion-sync/manifest/'))
        .length,
    close: async () => {
      context.close();
      await space.close();
    },
  };
}
const sizeOf = (bytes: number) => random.bytes(bytes);

describe('a space at its quota', () => {
  test('the next save goes through once the file that was too large is gone', async () => {
    const w = await world();
    writeFileSync(w.at('kept'), 'kept');
    await save(w.context);
    await w.limit(9_000_000);
    for (let n = 0; n < 8; n += 1) writeFileSync(w.at(`large-${n}`), sizeOf(2_000_000));
    for (let round = 0; round < 3; round += 1)
      await expect(save(w.context)).rejects.toMatchObject({ code: 'space-full' });
    expect(await w.segments(), 'failed saves leave none').toBeLessThanOrEqual(2);
    for (let n = 0; n < 8; n += 1) rmSync(w.at(`large-${n}`));
    writeFileSync(w.at('small'), sizeOf(500_000));
    writeFileSync(w.at('another'), sizeOf(8_000_000));
    expect(await save(w.context)).toMatchObject({ saved: true, skipped: 0 });
    expect(sorted(await visible(w.space))).toEqual(sorted(dumpFolder(w.context.data)));
    await w.close();
  });

  test('replaced versions in the trash go early, oldest first, and it is told; what was removed stays', async () => {
    const w = await world();
    writeFileSync(w.at('removed'), 'removed by its user');
    await save(w.context);
    rmSync(w.at('removed'));
    for (let n = 0; n < 6; n += 1) {
      writeFileSync(w.at('database'), sizeOf(1_000_000));
      await save(w.context);
    }
    await w.limit(1_200_000);
    writeFileSync(w.at('new'), sizeOf(2_000_000));
    const result = await save(w.context);
    expect(result).toMatchObject({ saved: true, skipped: 0 });
    expect(result.trashFreed).toBeGreaterThan(0);
    expect(sorted(await visible(w.space))).toEqual(sorted(dumpFolder(w.context.data)));
    const trash = [...(await dumpSpace(w.space)).entries()].filter(([path]) =>
      path.startsWith('.scipion-sync/trash/'),
    );
    expect(trash.filter(([path]) => path.endsWith('/removed/removed')).map(([, text]) => text)).toEqual([
      'removed by its user',
    ]);
    expect(trash.filter(([path]) => path.endsWith('/replaced/database')).length).toBeGreaterThan(0);
    await w.close();
  });

  test('work that waits to be saved at a start gets the same room: the desktop opens', async () => {
    const w = await world();
    for (let n = 0; n < 4; n += 1) {
      writeFileSync(w.at('database'), sizeOf(1_000_000));
      await save(w.context);
    }
    await w.limit(1_200_000);
    writeFileSync(w.at('new'), sizeOf(2_000_000));
    const result = await startProject(w.context);
    expect(result).toMatchObject({ savedFirst: 1, unsaved: 0 });
    expect(result.notices).toEqual([expect.stringMatching(/was full: replaced versions of \d saves/)]);
    expect(sorted(await visible(w.space))).toEqual(sorted(dumpFolder(w.context.data)));
    await w.close();
  });
});

describe('a space without room for work that waits on the volume', () => {
  const containers = new Containers();
  afterEach(() => containers.stopAll());

  test('opens the desktop with saving stopped and told, restarts included, and saves once there is room', async () => {
    const id = await given.addSpace();
    const open = (): Space => withRetry(given.open(id), { firstWaitMs: 1, maxWaitMs: 5, retries: 2 });
    const paths = await containerPaths(folders.make());
    const context = await openProject(paths.projectVolume, open());
    await startProject(context);
    writeFileSync(join(context.data, 'saved'), 'saved');
    await save(context);
    writeFileSync(join(context.data, 'large'), sizeOf(3_000_000));
    writeFileSync(join(context.data, 'saved'), 'changed since');
    const data = context.data;
    context.close();
    const space = context.space;
    await space.write('of somebody else', contentOf('new in the space'));
    const used = [...(await dumpSpace(space)).values()].reduce((sum, text) => sum + text.length, 0);
    given.emulator.context.spaces.setQuota(id, used);
    const start = () =>
      containers.start({
        config: QUIET_CONFIG,
        paths,
        spaces: { source: () => new MemorySpace(), project: open },
        desktopWaitMs: 0,
        leaseTimes: { heartbeatMs: 50 },
        tokenWaitMs: 0,
      });
    for (let round = 0; round < 2; round += 1) {
      await start();
      const status = await untilStatus(paths.syncSocket, 'the desktop', (each) => each.ready, 30);
      expect(status.phase).toBe('running');
      expect(status.problems).toEqual([expect.objectContaining({ code: 'space-full', space: 'project' })]);
      expect(readFileSync(join(data, 'saved'), 'utf8')).toBe('changed since');
      expect(readFileSync(join(data, 'of somebody else'), 'utf8')).toBe('new in the space');
      // Nothing is ended as if all were saved.
      await expect(ask(paths.syncSocket, 'POST', '/v1/drain')).rejects.toThrow(/full/);
      if (round === 0) {
        containers.forgetAll();
        rmSync(paths.ready);
        rmSync(paths.syncSocket);
      }
    }
    given.emulator.context.spaces.setQuota(id, null);
    expect(await ask(paths.syncSocket, 'POST', '/v1/save')).toMatchObject({ saved: true, skipped: 0 });
    expect((await untilStatus(paths.syncSocket, 'the end of the problem', () => true)).problems).toEqual([]);
    expect(sorted(await visible(space))).toEqual(sorted(dumpFolder(data)));
    await space.close();
  });
});
