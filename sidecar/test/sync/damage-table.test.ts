import { chmodSync, linkSync, lstatSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, readAll, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

/** Every damage × every object that the engine keeps in a space × every kind of space. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterEach(() => folders.clear());
afterAll(() => given.dispose());

const SPACES: Record<string, () => Promise<Space>> = {
  'in memory': async () => new MemorySpace(),
  'in a mounted directory': async () => new DirectorySpace(folders.make()),
  'in Onedata over REST': async () => withRetry(given.open(await given.addSpace()), { firstWaitMs: 1 }),
};

/** The bytes, and those of the same object one save before, or null where it is to be no file. */
const DAMAGES: Record<string, (now: Buffer, before: Buffer) => Buffer | 'missing' | 'directory'> = {
  empty: () => Buffer.alloc(0),
  cut: (now) => now.subarray(0, now.length >> 1),
  'one flipped bit': (now) => {
    const flipped = Buffer.from(now);
    const at = now.length >> 1;
    flipped[at] = Number(now[at]) ^ 1;
    return flipped;
  },
  missing: () => 'missing',
  'a directory': () => 'directory',
  'an older version of itself': (_, before) => before,
};

const OBJECTS: Record<string, RegExp> = {
  'head.json': /^\.scipion-sync\/head\.json$/,
  'lease.json': /^\.scipion-sync\/lease\.json$/,
  'the copy of the head': /^\.scipion-sync\/heads\/00000002-/,
  'a manifest segment': /^\.scipion-sync\/manifest\/00000002-/,
};

const ODD = Buffer.concat([Buffer.from('odd-'), Buffer.from([0xff])]);

/** Two saves of a project with all that a space itself cannot hold; work that is not saved; the container is gone. */
async function world(space: Space) {
  const [clock, root] = [new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  const { data } = context;
  mkdirSync(join(data, 'p/empty'), { recursive: true });
  writeFileSync(join(data, 'p/run.sh'), '#!/bin/sh');
  chmodSync(join(data, 'p/run.sh'), 0o750);
  utimesSync(join(data, 'p/run.sh'), 1_600_000_000.5, 1_600_000_000.5);
  linkSync(join(data, 'p/run.sh'), join(data, 'p/twin.sh'));
  symlinkSync('run.sh', join(data, 'p/link'));
  writeFileSync(Buffer.concat([Buffer.from(`${data}/`), ODD]), 'odd');
  await save(context);
  const before = await dumpSpace(space);
  writeFileSync(join(data, 'p/second'), 'second');
  utimesSync(join(data, 'p/second'), 1_600_000_002, 1_600_000_002);
  await save(context);
  context.close();
  return { space, clock, root, data, before };
}

async function damage(
  { space, before }: Awaited<ReturnType<typeof world>>,
  object: RegExp,
  change: (typeof DAMAGES)[string],
): Promise<string> {
  const path = [...(await dumpSpace(space)).keys()].find((each) => object.test(each));
  if (path === undefined) throw new Error(`no object like ${object}`);
  const old = before.get([...before.keys()].find((each) => each.startsWith(path.slice(0, 22))) ?? '') ?? '';
  const changed = change(await readAll(space, { path }, 1 << 20), Buffer.from(old, 'latin1'));
  if (!Buffer.isBuffer(changed)) {
    await space.removeFile(path);
    if (changed === 'directory') await space.makeDirectory(`${path}/inside`);
  } else await space.write(path, contentOf(changed));
  return path;
}

async function attempt(root: string, space: Space, clock: TestClock) {
  const context = await openProject(root, space, { clock, lease: false });
  try {
    await takeLease(context, true);
    const { warnings, generation } = await startProject(context);
    await save(context);
    await context.lease.release();
    return { warnings, generation, data: context.data, volume: sorted(dumpFolder(context.data)) };
  } finally {
    context.close();
  }
}

function expectAttributes(data: string, what: string): void {
  const found = lstatSync(join(data, 'p/run.sh'));
  expect(found.mode & 0o777, `${what}: mode`).toBe(0o750);
  expect(found.mtimeMs, `${what}: time`).toBe(1_600_000_000_500);
  expect(found.nlink, `${what}: hard links`).toBe(2);
  expect(lstatSync(Buffer.concat([Buffer.from(`${data}/`), ODD])).isFile(), `${what}: odd name`).toBe(true);
}

describe.each(Object.keys(SPACES))('%s', (kind) => {
  const cases = Object.keys(OBJECTS).flatMap((object) =>
    Object.keys(DAMAGES).map((name) => [object, name] as const),
  );
  test.each(cases)('%s, damage: %s', async (object, name) => {
    for (const whose of ['a new volume', 'the volume that made it'] as const) {
      const w = await world(await (SPACES[kind] as () => Promise<Space>)());
      const work = sorted(dumpFolder(w.data));
      await damage(w, OBJECTS[object] as RegExp, DAMAGES[name] as (typeof DAMAGES)[string]);
      const root = whose === 'a new volume' ? folders.make() : w.root;
      const first = await attempt(root, w.space, w.clock);
      expect(first.volume, whose).toEqual(work);
      expect(first.generation, `${whose}: never back to the first save`).toBeGreaterThanOrEqual(2);
      const isMetadataLost = object === 'a manifest segment' && whose === 'a new volume';
      if (object === 'head.json')
        expect(first.warnings.join(), whose).toMatch(/head\.json in the project space was/);
      // The damaged segment of this world holds only times and modes of `second`.
      expectAttributes(first.data, whose);
      if (isMetadataLost) expect(first.warnings.join()).toMatch(/manifest .* damaged/);
      expect(sorted(await visible(w.space)), whose).toHaveLength(work.length);
      // A volume that knows the segment does not read it again.
      if (object === 'a manifest segment') await attempt(folders.make(), w.space, w.clock);
      const next = await attempt(folders.make(), w.space, w.clock);
      expect(next.volume, whose).toEqual(work);
      expect(next.warnings, 'it was put right').toEqual([]);
      expectAttributes(next.data, 'afterwards');
      // What only a damaged segment said is lost to a volume that does not have it.
      if (object !== 'a manifest segment')
        expect(lstatSync(join(next.data, 'p/second')).mtimeMs).toBe(1_600_000_002_000);
      folders.clear();
    }
  });
});
