import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { tidyVolumeTrash, volumeTrashOf } from '../../src/sync/restore/volume-trash.ts';
import { save } from '../../src/sync/save/save.ts';
import { removeUnreferencedSegments } from '../../src/sync/save/segments.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

async function saved() {
  const [clock, root] = [new TestClock(), folders.make()];
  // Times of the space stand still, so that other bytes of the same size look like the ones that were saved.
  const time = { seconds: 1_700_000_000 };
  const space = new MemorySpace({ nowSeconds: () => time.seconds });
  const context = await openProject(root, space, { clock });
  await startProject(context);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(context.data, name), `content of ${name}`);
  await save(context);
  return { space, clock, root, context, time };
}

describe('rotten bytes', () => {
  test('with the right size and time are not restored as if they were right; all other files come', async () => {
    const { space, clock, context } = await saved();
    await context.lease.release();
    await space.write('b', contentOf('content of x'));
    const other = await openProject(folders.make(), space, { clock });
    // A person has to agree to a project without it.
    await expect(startProject(other)).rejects.toThrow('sync confirm missing 1');
    const { missing } = await startProject(other, { mayOpenWithout: ({ total }) => total === 1 });
    expect(sorted(dumpFolder(other.data))).toEqual([
      ['a', 'content of a'],
      ['c', 'content of c'],
    ]);
    expect(missing).toMatchObject({ total: 1, items: [{ path: 'b', code: 'damaged' }] });
    await save(other);
    // What the space has is not taken for removed by anybody.
    expect((await space.stat({ path: 'b' }))?.size).toBe(12);
    other.close();
  });

  test('that came over the network once are read again, and are then right', async () => {
    const { space, clock, context } = await saved();
    await context.lease.release();
    const read = space.read.bind(space);
    let flips = 1;
    space.read = async function* (file, options) {
      const isFlipped = file.path === 'b' && flips-- > 0;
      for await (const bytes of read(file, options)) yield isFlipped ? Buffer.from('content of x') : bytes;
    };
    const other = await openProject(folders.make(), space, { clock });
    expect((await startProject(other)).warnings).toEqual([]);
    expect(readFileSync(join(other.data, 'b'), 'utf8')).toBe('content of b');
    other.close();
  });
});

describe('what a start takes from the volume', () => {
  test('stays in the trash of the volume, removed or replaced, and goes when it is old', async () => {
    const { space, clock, root, context, time } = await saved();
    symlinkSync('a', join(context.data, 'link'));
    await save(context);
    await context.lease.release();
    context.close();
    await space.removeFile('a');
    await space.removeFile('link');
    await space.write('b', contentOf('from elsewhere, longer'));
    const again = await openProject(root, space, { clock });
    await startProject(again);
    expect(existsSync(join(again.data, 'a'))).toBe(false);
    expect(readFileSync(join(again.data, 'b'), 'utf8')).toBe('from elsewhere, longer');
    const trash = volumeTrashOf(again.scratch);
    const [folder] = readdirSync(trash);
    expect(sorted(dumpFolder(join(trash, String(folder))))).toEqual([
      ['a', 'content of a'],
      ['b', 'content of b'],
      ['link', '→ a'],
    ]);
    const pass = async (days: number) => {
      clock.advance(days * 24 * 3_600_000);
      time.seconds = Math.floor(clock.now() / 1000);
      await again.lease.heartbeat();
    };
    await pass(13);
    await tidyVolumeTrash(again);
    expect(readdirSync(trash)).toHaveLength(1);
    await pass(2);
    await tidyVolumeTrash(again);
    expect(readdirSync(trash)).toEqual([]);
    again.close();
  });
});

describe('manifest segments', () => {
  test('that nothing names any more go, and nothing else does', async () => {
    const { space, clock, context } = await saved();
    for (const name of ['00000009-broken-off-changes.jsonl', '00000001-x-full.jsonl'])
      await space.write(`.scipion-sync/manifest/${name}`, contentOf('{}\n'));
    await space.write('.scipion-sync/manifest/of a person', contentOf('x'));
    expect(await removeUnreferencedSegments(context)).toBe(2);
    await context.lease.release();
    const other = await openProject(folders.make(), space, { clock });
    expect((await startProject(other)).warnings).toEqual([]);
    expect(sorted(dumpFolder(other.data))).toHaveLength(3);
    other.close();
  });

  test('stay where the head cannot be read', async () => {
    const { space, context } = await saved();
    await space.write('.scipion-sync/manifest/00000009-x-changes.jsonl', contentOf('{}\n'));
    await space.write('.scipion-sync/head.json', contentOf(''));
    expect(await removeUnreferencedSegments(context)).toBe(0);
    context.close();
  });

  test('and copies of heads stay few over many saves', async () => {
    const { space, context } = await saved();
    for (let round = 0; round < 30; round += 1) {
      writeFileSync(join(context.data, 'a'), `round ${round}`);
      await save(context);
    }
    await removeUnreferencedSegments(context);
    let copies = 0;
    for await (const _ of space.list({ path: '.scipion-sync/heads' })) copies += 1;
    expect(copies).toBe(8);
    context.close();
  });
});
