import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { removeUnreferencedSegments } from '../../src/sync/save/segments.ts';
import { toProblem } from '../../src/sync/service/problems.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, takeLease } from './world.ts';

/** The engine's folder in a space as others may leave it. */

const folders = new Folders();
afterEach(() => folders.clear());

const FOLDERS = ['', 'fences', 'claims', 'staging', 'commits', 'manifest', 'heads', 'trash'];

async function attempt(place: string, root = folders.make()) {
  const clock = new TestClock();
  const context = await openProject(root, new DirectorySpace(place), { clock, lease: false });
  try {
    await takeLease(context, true);
    const result = await startProject(context);
    writeFileSync(join(context.data, 'work'), 'of this instance');
    await save(context);
    await removeUnreferencedSegments(context);
    await context.lease.release();
    return { error: null, result };
  } catch (error) {
    return { error: error as Error, result: null };
  } finally {
    context.close();
  }
}

describe('links out of the space', () => {
  test.each(FOLDERS)(
    'in place of .scipion-sync/%s: nothing behind them is written or removed',
    async (name) => {
      const [place, outside] = [folders.make(), folders.make()];
      for (const inner of ['x', 'staging/other', 'claims/other'])
        mkdirSync(join(outside, inner), { recursive: true });
      for (const file of [
        'precious',
        'x/precious',
        '00000001-x-changes.jsonl',
        '20200101T000000Z-old',
        '9.jsonl.new',
      ])
        writeFileSync(join(outside, file), 'not ours');
      const before = sorted(dumpFolder(outside));
      if (name !== '') mkdirSync(join(place, '.scipion-sync'));
      symlinkSync(outside, join(place, '.scipion-sync', name));
      const { error } = await attempt(place);
      expect(sorted(dumpFolder(outside))).toEqual(before);
      expect(error, 'it is refused').not.toBe(null);
      const problem = toProblem(error, 'project', new Date(0).toISOString());
      expect(problem.code).toBe('state-damaged');
      expect(problem.message).toMatch(/Move what is in the way/);
    },
  );

  test.each(['head.json', 'lease.json'])('in place of .scipion-sync/%s are not followed', async (name) => {
    const [place, outside] = [folders.make(), folders.make()];
    writeFileSync(join(outside, 'precious'), '{"version":1}');
    mkdirSync(join(place, '.scipion-sync'));
    symlinkSync(join(outside, 'precious'), join(place, '.scipion-sync', name));
    await attempt(place);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('{"version":1}');
    expect(readdirSync(outside)).toEqual(['precious']);
  });

  test('in place of a folder of the project: nothing behind it is read or written', async () => {
    const [place, root, outside] = [folders.make(), folders.make(), folders.make()];
    expect((await attempt(place, root)).error).toBe(null);
    writeFileSync(join(outside, 'precious'), 'not ours');
    symlinkSync(outside, join(place, 'folder'));
    mkdirSync(join(root, 'data/folder'));
    writeFileSync(join(root, 'data/folder/precious'), 'of this instance');
    const { error } = await attempt(place, root);
    expect(error).toBe(null);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('not ours');
    expect(readdirSync(outside)).toEqual(['precious']);
    expect(readFileSync(join(place, 'folder/precious'), 'utf8')).toBe('of this instance');
  });
});

describe('strangers in it', () => {
  test('in any number are passed over, and those where only this program works are cleared', async () => {
    const place = folders.make();
    const hidden = join(place, '.scipion-sync');
    for (const name of FOLDERS) mkdirSync(join(hidden, name), { recursive: true });
    for (const name of FOLDERS) {
      for (let index = 0; index < 2_500; index += 1)
        writeFileSync(join(hidden, name, `stray ${index}.json`), '{');
    }
    writeFileSync(join(place, 'theirs'), 'a file of the space');
    const { error, result } = await attempt(place);
    expect(String(error?.stack ?? '')).toBe('');
    expect(result?.warnings).toEqual([]);
    expect(readdirSync(join(hidden, 'staging')).length).toBeLessThanOrEqual(1);
    expect(readdirSync(join(hidden, 'heads'))).toHaveLength(2_501);
    expect(readFileSync(join(place, 'work'), 'utf8')).toBe('of this instance');
  });

  test.each([
    ['head.json', '{"version":9,"generation":"many"}'],
    ['head.json', '{"version":2,"generation":9}'],
    ['lease.json', '{"version":2,"owner":{"of":"a newer version"}}'],
  ])('of a newer version, %s: refused with both versions, and nothing is changed', async (name, text) => {
    const place = folders.make();
    mkdirSync(join(place, '.scipion-sync'));
    writeFileSync(join(place, '.scipion-sync', name), text);
    writeFileSync(join(place, 'theirs'), 'x');
    const { error } = await attempt(place);
    expect(error?.message).toMatch(/newer version.*format \d.*known here: 1/);
    expect(toProblem(error, 'project', new Date(0).toISOString()).code).toBe('state-damaged');
    expect(readFileSync(join(place, '.scipion-sync', name), 'utf8')).toBe(text);
    expect(readdirSync(place).sort()).toEqual(['.scipion-sync', 'theirs']);
  });
});

describe('a folder that somebody moves away under a running instance', () => {
  test.each(FOLDERS.filter((name) => !['', 'fences', 'claims'].includes(name)))(
    '%s: the next saves are whole, for another volume too',
    async (name) => {
      const space = new DirectorySpace(folders.make());
      const clock = new TestClock();
      const one = await openProject(folders.make(), space, { clock });
      await startProject(one);
      for (const file of ['first', 'second']) {
        writeFileSync(join(one.data, file), file);
        chmodSync(join(one.data, file), 0o640);
        await save(one);
      }
      await space.removeTree(`.scipion-sync/${name}`);
      writeFileSync(join(one.data, 'third'), 'after it');
      expect(await save(one)).toMatchObject({ saved: true, skipped: 0 });
      const expected = sorted(dumpFolder(one.data));
      await one.lease.release();
      one.close();
      const other = await openProject(folders.make(), space, { clock });
      await startProject(other);
      expect(sorted(dumpFolder(other.data))).toEqual(expected);
      expect(statSync(join(other.data, 'first')).mode & 0o777).toBe(0o640);
      other.close();
    },
  );
});
