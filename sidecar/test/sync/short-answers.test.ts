import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { Folders, openProject, TestClock, takeLease } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

/** The first answer for each file of the engine ends early, and nothing says so. */
function cutting(space: MemorySpace, which: RegExp): { cuts: number } {
  const read = space.read.bind(space);
  const seen = new Set<string>();
  const found = { cuts: 0 };
  space.read = async function* (file, options) {
    const isCut = which.test(file.path) && !seen.has(file.path);
    seen.add(file.path);
    if (isCut) found.cuts += 1;
    for await (const bytes of read(file, options)) {
      if (!isCut) yield bytes;
      else {
        yield bytes.subarray(0, bytes.byteLength >> 1);
        return;
      }
    }
  };
  return found;
}

async function saved() {
  const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  writeFileSync(join(context.data, 'a'), 'first');
  await save(context);
  writeFileSync(join(context.data, 'a'), 'second');
  await save(context);
  return { space, clock, root, context };
}

describe('one answer that was cut on its way', () => {
  test.each(['head\\.json', 'manifest/', 'lease\\.json', 'heads/'])('of %s is no damage', async (which) => {
    const { space, clock, context } = await saved();
    if (which !== 'lease\\.json') await context.lease.release();
    context.close();
    const before = [...(await dumpSpace(space)).keys()].filter((path) => path.includes('manifest/'));
    const other = await openProject(folders.make(), space, { clock, lease: false });
    const found = cutting(space, new RegExp(which));
    await takeLease(other, true);
    expect(await startProject(other)).toMatchObject({ generation: 2, warnings: [] });
    expect(readFileSync(join(other.data, 'a'), 'utf8')).toBe('second');
    expect(found.cuts).toBeGreaterThan(0);
    expect([...(await dumpSpace(space)).keys()].filter((path) => path.includes('manifest/'))).toEqual(before);
    other.close();
  });

  test('of a commit record leaves no half of a save for a whole one', async () => {
    for (let reading = 1; reading <= 2; reading += 1) {
      for (let at = 1; ; at += 1) {
        const { space, clock, root, context } = await saved();
        writeFileSync(join(context.data, 'a'), 'third');
        for (const name of ['b', 'c', 'd', 'e']) writeFileSync(join(context.data, name), `new ${name}`);
        context.close();
        const faulty = new FaultySpace(space, at, 'crash-after');
        const dying = await openProject(root, faulty.space, { clock, lease: false });
        await takeLease(dying, true)
          .then(() => save(dying))
          .catch(() => undefined);
        dying.close();
        expect(faulty.fired).toBe(true);
        const record = [...(await dumpSpace(space)).keys()].find((path) => /commits\/\d+\.jsonl$/.test(path));
        if (record === undefined) continue;
        const read = space.read.bind(space);
        let readings = 0;
        space.read = async function* (file, options) {
          const isCut = file.path === record && ++readings === reading;
          for await (const bytes of read(file, options))
            yield isCut ? bytes.subarray(0, bytes.byteLength >> 1) : bytes;
        };
        const other = await openProject(folders.make(), space, { clock, lease: false });
        await takeLease(other, true);
        await startProject(other).catch(() => startProject(other));
        expect(readFileSync(join(other.data, 'a'), 'utf8'), `reading ${reading}`).toBe('third');
        for (const name of ['b', 'c', 'd', 'e'])
          expect(readFileSync(join(other.data, name), 'utf8')).toBe(`new ${name}`);
        other.close();
        break;
      }
    }
  });
});
