import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf, readAll, type Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { recordLines, type Step, stepSchema } from '../../src/sync/save/commit-record.ts';
import { save } from '../../src/sync/save/save.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { parseManifestLine } from '../../src/sync/state/manifest-line.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { FaultySpace } from './faulty-space.ts';
import { fromEnvironment, Random } from './random.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease, visible } from './world.ts';

const folders = new Folders();
afterEach(() => folders.clear());

/** One byte of a file of the engine is another one than was written: a worn disk, a bad memory, a hand. */
const FLIPS = fromEnvironment('SYNC_FLIPS', 60);

async function engineFiles(space: Space, folder: string): Promise<string[]> {
  const all = [...(await dumpSpace(space)).keys()];
  return all.filter((path) => path.startsWith(`.scipion-sync/${folder}`) && !path.endsWith('/'));
}

/** Any bit of any byte. @returns what became of what, for a failure */
async function flip(space: Space, path: string, random: Random): Promise<string> {
  const bytes = Buffer.from(await readAll(space, { path }, 1 << 20));
  const at = random.below(bytes.length);
  const before = bytes.toString('latin1', Math.max(0, at - 20), at + 20);
  bytes[at] = Number(bytes[at]) ^ (1 << random.below(8));
  await space.write(path, contentOf(bytes));
  return `${path} at ${at}: ${before} → ${bytes.toString('latin1', at, at + 1)}`;
}

function writeAll(data: string): void {
  for (const name of ['one', 'two', 'removed', 'linked']) writeFileSync(join(data, name), `first ${name}`);
  symlinkSync('one', join(data, 'link'));
}

/** Two saves, and work that is not saved; the container is gone. */
async function world() {
  const [space, clock, root] = [new MemorySpace(), new TestClock(), folders.make()];
  const context = await openProject(root, space, { clock });
  await startProject(context);
  writeAll(context.data);
  await save(context);
  writeFileSync(join(context.data, 'one'), 'second one');
  await save(context);
  writeFileSync(join(context.data, 'two'), 'third two');
  rmSync(join(context.data, 'removed'));
  renameSync(join(context.data, 'linked'), join(context.data, 'renamed'));
  context.close();
  return { space, clock, root, data: context.data };
}

async function attempt(root: string, space: Space, clock: TestClock) {
  const context = await openProject(root, space, { clock, lease: false });
  try {
    await takeLease(context, true);
    await startProject(context);
    await save(context);
    return { error: null, volume: sorted(dumpFolder(context.data)) };
  } catch (error) {
    return { error: error as Error, volume: sorted(dumpFolder(context.data)) };
  } finally {
    context.close();
  }
}

/** A world whose process died right after it had decided a save, before the first move. */
async function decided() {
  for (let at = 1; ; at += 1) {
    const w = await world();
    const faulty = new FaultySpace(w.space, at, 'crash-after');
    await attempt(w.root, faulty.space, w.clock);
    expect(faulty.fired).toBe(true);
    const [record] = (await engineFiles(w.space, 'commits')).filter((path) => path.endsWith('.jsonl'));
    if (record !== undefined) return { ...w, record };
  }
}

/** Without older versions, which stay beside ours where nobody knows any more which is newer. */
function ours(all: [string, string][]): [string, string][] {
  return all.filter(([path]) => !path.includes('(changed elsewhere'));
}

function isRefusal(error: Error | null): boolean {
  return ['state-damaged', 'lease-held', 'unsaved-work'].includes(
    toProblem(error, 'project', new Date(0).toISOString()).code,
  );
}

describe('one flipped bit', () => {
  test(
    'in a commit record: the save is completed all the same',
    async () => {
      const random = new Random(11);
      for (let round = 1; round <= FLIPS / 10; round += 1) {
        const w = await decided();
        const work = sorted(dumpFolder(w.data));
        const where = await flip(w.space, w.record, random);
        const { error, volume } = await attempt(folders.make(), w.space, w.clock);
        // A version that this program does not know is no damage.
        if (error?.name === 'NewerFormatError') continue;
        expect(error, `${where}: ${error?.stack}`).toBe(null);
        expect(volume, where).toEqual(work);
        expect(sorted(await visible(w.space)), where).toEqual(work);
        folders.clear();
      }
    },
    60_000 + FLIPS * 500,
  );

  test('in a letter of a name in a commit record, which leaves it well-formed: it is not believed', async () => {
    const w = await decided();
    const text = (await readAll(w.space, { path: w.record }, 1 << 20)).toString('utf8');
    const other = text.replace('"path":"removed"', '"path":"removee"');
    expect(other).not.toBe(text);
    await w.space.write(w.record, contentOf(other));
    const work = sorted(dumpFolder(w.data));
    expect((await attempt(folders.make(), w.space, w.clock)).volume).toEqual(work);
    expect([...(await visible(w.space)).keys()]).not.toContain('removed');
  });

  test.each(['head.json', 'heads/', 'manifest/', 'lease.json'])(
    'in %s: a refusal or a repair, and no work is lost',
    async (folder) => {
      const random = new Random(folder.length);
      for (let round = 1; round <= FLIPS; round += 1) {
        const w = await world();
        const files = await engineFiles(w.space, folder);
        const where = await flip(w.space, String(files[random.below(files.length)]), random);
        const [before, work] = [sorted(await visible(w.space)), sorted(dumpFolder(w.data))];
        const mine = await attempt(w.root, w.space, w.clock);
        expect(ours(mine.volume), where).toEqual(work);
        if (mine.error === null) expect(sorted(await visible(w.space)), where).toEqual(mine.volume);
        else {
          expect(isRefusal(mine.error), `${where}: ${mine.error.stack}`).toBe(true);
          expect(sorted(await visible(w.space)), where).toEqual(before);
        }
        const other = await attempt(folders.make(), w.space, w.clock);
        if (mine.error === null) {
          expect(other.error, where).toBe(null);
          expect(other.volume, where).toEqual(mine.volume);
        } else if (other.error !== null) expect(isRefusal(other.error), where).toBe(true);
        folders.clear();
      }
    },
    60_000 + FLIPS * 500,
  );
});

describe('a commit record of the version before, which had no checksum', () => {
  test('is finished, so that an update in the middle of a save loses nothing', async () => {
    const w = await decided();
    const text = (await readAll(w.space, { path: w.record }, 1 << 20)).toString('utf8');
    const lines = text.trimEnd().split('\n').slice(0, -1);
    lines[0] = String(lines[0]).replace('"version":2', '"version":1');
    await w.space.write(w.record, contentOf(`${lines.join('\n')}\n`));
    expect((await attempt(w.root, w.space, w.clock)).error).toBe(null);
    expect(sorted(await visible(w.space))).toEqual(sorted(dumpFolder(w.data)));
    expect(await engineFiles(w.space, 'commits')).toEqual([]);
  });

  test('is a damaged one where its version says that a checksum belongs to it', async () => {
    const w = await decided();
    const text = (await readAll(w.space, { path: w.record }, 1 << 20)).toString('utf8');
    const lines = text.trimEnd().split('\n').slice(0, -1);
    await w.space.write(w.record, contentOf(`${lines.join('\n')}\n`));
    expect((await attempt(w.root, w.space, w.clock)).error).toBe(null);
    expect([...(await dumpSpace(w.space)).keys()].filter((path) => /\/engine\/./.test(path))).toHaveLength(1);
  });
});

test('no step looks like the checksum at the end of a record', async () => {
  const steps: Step[] = [{ do: 'mkdir', path: `{"sha256":"${'0'.repeat(64)}"}` }];
  const header = { version: 2 as const, saveId: 'x', fence: 1, generation: 1, decidedAt: 0, steps: 1 };
  const lines: string[] = [];
  for await (const line of recordLines(
    header,
    steps.map((step) => JSON.stringify(step)),
  ))
    lines.push(line);
  expect(lines).toHaveLength(3);
  expect(stepSchema.parse(JSON.parse(String(lines[1])))).toEqual(steps[0]);
});

test.each([
  ['a time of more than 64 bits', { m: '9795366241653611640' }],
  ['a target that no link can have', { k: 'l', t: 'a\0b' }],
  ['a link to nothing at all', { k: 'l', t: '' }],
])('a manifest line with %s is one that cannot be read', (_, changed) => {
  const line = { p: 'a', k: 'f', s: 1, m: '1795366241653611640', o: 0o644 };
  expect(parseManifestLine(JSON.stringify(line))).not.toBe(null);
  expect(parseManifestLine(JSON.stringify({ ...line, ...changed }))).toBe(null);
});
