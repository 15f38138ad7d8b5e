import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { type Content, type Locator, readAll, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { saveAll } from '../../src/sync/service/save-all.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Folders, openProject, TestClock } from './world.ts';

/** A large file holds nothing else back, and nothing of it once it is gone. */

const folders = new Folders();
afterEach(() => folders.clear());

const MIB = 1 << 20;
/** Three parts. */
const LARGE = 11 * MIB;
/** Of a part: two are longer than a save gives to large files. */
const SECONDS_A_PART = 100;

type WritePart = (file: Locator, offset: number, content: Content) => Promise<void>;

/** One part at a time, each by `write`. */
function sending(inner: Space, write: WritePart): Space {
  return new Proxy(inner, {
    get(target, key) {
      if (key === 'writePart') return write;
      if (key === 'capabilities') return { ...target.capabilities, concurrency: 1 };
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function slow(inner: Space, clock: TestClock) {
  const sent: string[] = [];
  const space = sending(inner, async (file, offset, content) => {
    clock.advance(SECONDS_A_PART * 1000);
    await inner.writePart?.(file, offset, content);
    sent.push(`${file.path}:${offset}`);
  });
  return { inner, space, sent };
}

/** The kernel gives the mount another device number, and a client of FUSE other inodes. */
function mountedAnew(inner: Space): Space {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as (...given: unknown[]) => unknown;
      if (key !== 'stat') return call;
      return async (...given: unknown[]) => {
        const found = (await call(...given)) as { id: string } | null;
        return found && { ...found, id: `again:${found.id}` };
      };
    },
  });
}

const large = (seed: number) => Buffer.alloc(LARGE, `${seed}-`);
const isHeld = async (space: Space, path: string, bytes: Buffer) =>
  (await readAll(space, { path }, 1 << 24)).equals(bytes);

/** Ids survive moves, and mounts, in one of them only. */
const SPACES: [string, () => Space][] = [
  ['an Onedata space', () => new MemorySpace()],
  ['a mounted space', () => new DirectorySpace(folders.make())],
];

describe.each(SPACES)('a large file on a slow line to %s', (kind, make) => {
  test('comes over several saves, each of which saves everything else', async () => {
    const clock = new TestClock();
    const { inner, space, sent } = slow(make(), clock);
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    for (const name of ['a.mrc', 'b.mrc']) writeFileSync(join(context.data, name), large(1));
    writeFileSync(join(context.data, 'notes'), 'first');

    const first = await save(context, { scope: 'changed' });
    expect(first).toMatchObject({ saved: true, sending: 2, skipped: 2 });
    expect(first.fileProblems.items.map(({ code }) => code)).toEqual(['sending', 'sending']);
    expect((await readAll(inner, { path: 'notes' }, 100)).toString()).toBe('first');
    expect(await inner.stat({ path: 'a.mrc' })).toBeNull();

    writeFileSync(join(context.data, 'notes'), 'second, while they are on their way');
    const results = [];
    for (let rounds = 0; rounds < 10 && results.at(-1)?.sending !== 0; rounds += 1) {
      results.push(await save(context, { scope: 'changed' }));
      expect((await readAll(inner, { path: 'notes' }, 100)).toString()).toContain('second');
    }
    expect(results.at(-1)).toMatchObject({ sending: 0, skipped: 0 });
    for (const name of ['a.mrc', 'b.mrc']) expect(await isHeld(inner, name, large(1)), name).toBe(true);
    expect(new Set(sent).size, 'no part is sent twice').toBe(sent.length);
    expect(await save(context)).toMatchObject({ saved: false });
    context.close();
  });

  test('continues where a container has left it, also on a volume that is mounted anew', async () => {
    const clock = new TestClock();
    const { inner, space, sent } = slow(make(), clock);
    const root = folders.make();
    let context = await openProject(root, space, { clock });
    await startProject(context);
    writeFileSync(join(context.data, 'a.mrc'), large(3));
    expect(await save(context, { scope: 'changed' })).toMatchObject({ sending: 1 });
    const before = sent.length;
    expect(before).toBeGreaterThan(0);
    await context.lease.release();
    context.close();
    context = await openProject(root, kind === 'a mounted space' ? mountedAnew(space) : space, { clock });
    await startProject(context);
    await saveAll(() => save(context), { clock, attempts: 1, tokenWaitMs: 0, pause: async () => undefined });
    expect(await isHeld(inner, 'a.mrc', large(3))).toBe(true);
    expect(new Set(sent).size, 'no part is sent twice').toBe(sent.length);
    expect(sent).toHaveLength(3);
    context.close();
  });

  test('that changes between two saves is sent as it is then', async () => {
    const clock = new TestClock();
    const { inner, space } = slow(make(), clock);
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    writeFileSync(join(context.data, 'a.mrc'), large(4));
    expect(await save(context, { scope: 'changed' })).toMatchObject({ sending: 1 });
    const changed = large(4);
    changed.write('changed', 9 * MIB);
    writeFileSync(join(context.data, 'a.mrc'), changed);
    await saveAll(() => save(context), { clock, attempts: 1, tokenWaitMs: 0, pause: async () => undefined });
    expect(await isHeld(inner, 'a.mrc', changed)).toBe(true);
    context.close();
  });

  test('is no failure of a drain, which sends it to its end', async () => {
    const clock = new TestClock();
    const { inner, space } = slow(make(), clock);
    const context = await openProject(folders.make(), space, { clock });
    await startProject(context);
    const names = Array.from({ length: 8 }, (_, number) => `${number}.mrc`);
    for (const [seed, name] of names.entries()) writeFileSync(join(context.data, name), large(seed));
    const options = { clock, attempts: 1, tokenWaitMs: 0, pause: async () => undefined };
    await saveAll(() => save(context, { last: true }), options);
    for (const [seed, name] of names.entries())
      expect(await isHeld(inner, name, large(seed)), name).toBe(true);
    context.close();
  });

  test('ends soon after it is removed or becomes another', async () => {
    for (const change of ['removed', 'shorter'] as const) {
      const inner = make();
      let chunks = 0;
      let onChunk = (): void => undefined;
      const space = sending(inner, async (_file, _offset, content) => {
        for await (const _ of content.open()) {
          chunks += 1;
          onChunk();
          await sleep(300);
        }
      });
      const context = await openProject(folders.make(), space);
      await startProject(context);
      const file = join(context.data, 'huge');
      // It takes no room, as on a volume where somebody has tried something.
      writeFileSync(file, '');
      truncateSync(file, 20e12);
      writeFileSync(join(context.data, 'notes'), 'work');
      onChunk = () => {
        onChunk = () => undefined;
        if (change === 'removed') rmSync(file);
        else truncateSync(file, 5);
      };
      await save(context);
      expect((await readAll(inner, { path: 'notes' }, 100)).toString()).toBe('work');
      expect(chunks, change).toBeLessThan(8);
      expect(await save(context)).toMatchObject({ skipped: 0 });
      context.close();
    }
  });
});
