import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
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

function slow(clock: TestClock) {
  const inner = new MemorySpace();
  const sent: string[] = [];
  const space = sending(inner, async (file, offset, content) => {
    clock.advance(SECONDS_A_PART * 1000);
    await inner.writePart(file, offset, content);
    sent.push(`${file.id}:${offset}`);
  });
  return { inner, space, sent };
}

const large = (seed: number) => Buffer.alloc(LARGE, `${seed}-`);
const isHeld = async (space: Space, path: string, bytes: Buffer) =>
  (await readAll(space, { path }, 1 << 24)).equals(bytes);

describe('a large file on a slow line', () => {
  test('comes over several saves, each of which saves everything else', async () => {
    const clock = new TestClock();
    const { inner, space, sent } = slow(clock);
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

  test('is no failure of a drain, which sends it to its end', async () => {
    const clock = new TestClock();
    const { inner, space } = slow(clock);
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
      const inner = new MemorySpace();
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
