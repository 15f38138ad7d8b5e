import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { contentOf, readAll, SpaceError } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { repairSpace } from '../../src/sync/restore/repair.ts';
import { planFolderRestore, restoreToFolder } from '../../src/sync/restore/restore-to-folder.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { restoreFromTrash } from '../../src/sync/restore/trash-content.ts';
import { verifySpace } from '../../src/sync/restore/verify.ts';
import { historyPath, knownSaves } from '../../src/sync/save/history.ts';
import { save } from '../../src/sync/save/save.ts';
import { listSaves } from '../../src/sync/save/saves-list.ts';
import { LAYOUT } from '../../src/sync/save/space-layout.ts';
import { tidyTrash } from '../../src/sync/save/trash.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import { dumpSpace, MemorySpace } from '../spaces/memory-space.ts';
import { dumpFolder, Folders, openProject, quiet, TestClock, trashOf } from './world.ts';

/** History, head and other saves are damaged, cut, or somebody else's. */

const folders = new Folders();
afterEach(() => folders.clear());

const DAY_MS = 24 * 3_600_000;

async function opened() {
  const clock = new TestClock();
  const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
  const context = await openProject(folders.make(), space, { clock });
  await startProject(context);
  return { space, clock, context, data: context.data };
}
type Opened = Awaited<ReturnType<typeof opened>>;

async function saveAs({ context, clock, data }: Opened, content: string, waitMs: number): Promise<string> {
  writeFileSync(join(data, 'a'), content);
  await save(context);
  clock.advance(waitMs);
  return (await knownSaves(context))[0]?.saveId as string;
}

async function tidyAgain({ context }: Opened): Promise<void> {
  await context.lease.heartbeat();
  context.state.setMeta('trash-tidied', null);
  await tidyTrash(context);
}

async function contentAsOf({ context, data }: Opened, of: string): Promise<string> {
  await restoreToFolder(context, await planFolderRestore(context, { path: '', to: 'copy', of }, 0));
  const found = readFileSync(join(data, 'copy/a'), 'utf8');
  rmSync(join(data, 'copy'), { recursive: true });
  return found;
}

/** A save on each of six days, then some within minutes. @returns ids of the former, and the stem of one of the latter */
async function longHistory(project: Opened): Promise<{ daily: string[]; stem: string }> {
  const daily: string[] = [];
  for (let day = 0; day < 6; day += 1) daily.push(await saveAs(project, `day ${day}`, DAY_MS));
  for (let part = 0; part < 14; part += 1) await saveAs(project, `part ${part}`, 2_000);
  // It is none of the ten newest, and not the last one of its hour: nobody keeps it.
  return { daily, stem: (await knownSaves(project.context))[11]?.stem as string };
}

describe('a part of the history that cannot be read', () => {
  test.each(['cut', 'not found'])('once (%s): every save that is kept can be brought back', async (fault) => {
    const project = await opened();
    const { space, context } = project;
    const { daily, stem } = await longHistory(project);
    const read = space.read.bind(space);
    let faults = 0;
    space.read = (file, ...rest) => {
      if (faults > 0 || file.path !== historyPath(stem)) return read(file, ...rest);
      faults += 1;
      return (async function* () {
        if (fault !== 'cut') throw new SpaceError('not-found', 'not there');
        yield Buffer.from('{"version":1,');
      })();
    };
    await tidyAgain(project);
    expect(faults).toBe(1);
    expect((await knownSaves(context)).map(({ saveId }) => saveId)).toEqual(expect.arrayContaining(daily));
    for (const [day, id] of daily.entries()) expect(await contentAsOf(project, id)).toBe(`day ${day}`);
    context.close();
  });

  test.each([
    ['its first line', (text: string) => text.replace('"version":1', '"version":x')],
    ['a later line', (text: string) => text.replace('"w":"replaced"', '"w":"replacex"')],
  ])(
    'each time (%s): nothing is given up too early, and the trash is emptied all the same',
    async (_, damage) => {
      const project = await opened();
      const { space, clock, context } = project;
      const { stem } = await longHistory(project);
      const text = (await readAll(space, { path: historyPath(stem) }, 1 << 20)).toString();
      expect(damage(text)).not.toBe(text);
      await space.write(historyPath(stem), contentOf(damage(text)));
      const before = await trashOf(space);
      await tidyAgain(project);
      expect(await trashOf(space)).toEqual(before);
      const [last] = (await listSaves(context)).saves;
      expect(await contentAsOf(project, last?.id as string)).toBe('part 13');
      clock.advance(15 * DAY_MS);
      await saveAs(project, 'much later', 2_000);
      await tidyAgain(project);
      expect(await trashOf(space)).toHaveLength(1);
      expect((await listSaves(context)).saves.map(({ generation }) => generation)).toEqual([21]);
      context.close();
    },
  );
});

test('a file comes back from the trash also where a later part of the history is damaged', async () => {
  const project = await opened();
  const { space, context, data } = project;
  writeFileSync(join(data, 'lost'), 'removed');
  await saveAs(project, 'first', 2_000);
  rmSync(join(data, 'lost'));
  await saveAs(project, 'second', 2_000);
  await saveAs(project, 'third', 2_000);
  const path = historyPath((await knownSaves(context))[0]?.stem as string);
  const text = (await readAll(space, { path }, 1 << 20)).toString();
  await space.write(path, contentOf(text.replace('"w":"replaced"', '"w":"replacex"')));
  expect(await restoreFromTrash(context, 'lost', null)).toEqual({ restored: ['lost'], missing: [] });
  expect(readFileSync(join(data, 'lost'), 'utf8')).toBe('removed');
  context.close();
});

test('saves that were broken off leave nothing in the history', async () => {
  const project = await opened();
  const { space, context } = project;
  await saveAs(project, 'first', 0);
  const write = space.write.bind(space);
  space.write = async (path, ...rest) => {
    if (path.includes('/head-')) throw new SpaceError('unavailable', 'down');
    return write(path, ...rest);
  };
  for (let attempt = 0; attempt < 3; attempt += 1)
    await expect(saveAs(project, `attempt ${attempt}`, 0)).rejects.toThrow('down');
  space.write = write;
  await saveAs(project, 'last', 0);
  expect(await knownSaves(context)).toHaveLength(2);
  const files = [...(await dumpSpace(space)).keys()].filter(
    (path) => path.endsWith('.jsonl') && path.startsWith(LAYOUT.history),
  );
  expect(files).toHaveLength(2);
  context.close();
});

test('a repair leaves what somebody has put in the place of a missing file since the check', async () => {
  const { space, context, data, clock } = await opened();
  writeFileSync(join(data, 'a'), 'saved');
  writeFileSync(join(data, 'b'), 'saved');
  await save(context);
  await space.removeFile('a');
  await space.removeFile('b');
  await verifySpace(context, 1e9);
  clock.advance(10_000);
  await space.write('a', contentOf('newer, by somebody else'));
  const { done, left } = await repairSpace(context);
  expect(done).toEqual([expect.stringMatching(/^b: sent again/)]);
  expect(left).toEqual([expect.stringMatching(/^a is not in the space; by now/)]);
  expect((await readAll(space, { path: 'a' }, 100)).toString()).toBe('newer, by somebody else');
  context.close();
});

test('a save on another history keeps the links and modes that only its manifest holds', async () => {
  const clock = new TestClock();
  const nowSeconds = () => Math.floor(clock.now() / 1000);
  const space = new MemorySpace({ nowSeconds, capabilities: { symlinks: false } });
  const mine = await openProject(folders.make(), space, { clock, instance: 'lab/alice' });
  await startProject(mine);
  writeFileSync(join(mine.data, 'mine'), 'mine');
  await save(mine);
  await mine.lease.release();
  // The space is emptied, and another instance begins anew in it.
  for (const name of ['mine', '.scipion-sync']) await space.removeTree(name);
  const other = await openProject(folders.make(), space, { clock, instance: 'lab/bob' });
  await startProject(other);
  symlinkSync('nowhere', join(other.data, 'link'));
  writeFileSync(join(other.data, 'private'), 'other', { mode: 0o600 });
  await save(other);
  await other.lease.release();
  other.close();
  await mine.lease.acquire([]);
  writeFileSync(join(mine.data, 'more'), 'more');
  expect((await save(mine)).notices).toEqual([expect.stringContaining('has lost saves')]);
  await mine.lease.release();
  mine.close();
  const fresh = await openProject(folders.make(), space, { clock, instance: 'lab/carol' });
  await startProject(fresh);
  expect(dumpFolder(fresh.data)).toEqual(
    new Map([
      ['link', '→ nowhere'],
      ['mine', 'mine'],
      ['more', 'more'],
      ['private', 'other'],
    ]),
  );
  expect(lstatSync(join(fresh.data, 'private')).mode & 0o777).toBe(0o600);
  fresh.close();
});

test.each(['resume', 'repair'])(
  'a head that was set back with a file, first seen by a %s: the volume keeps its newer version',
  async (by) => {
    const clock = new TestClock();
    const space = new MemorySpace({ nowSeconds: () => Math.floor(clock.now() / 1000) });
    const root = folders.make();
    const first = await openProject(root, space, { clock });
    await startProject(first);
    writeFileSync(join(first.data, 'a'), 'older');
    await save(first);
    const head = (await readAll(space, { path: LAYOUT.head }, 1 << 20)).toString();
    clock.advance(5_000);
    writeFileSync(join(first.data, 'a'), 'newer');
    await save(first);
    await verifySpace(first, 1e9);
    clock.advance(5_000);
    await space.write(LAYOUT.head, contentOf(head));
    await space.write('a', contentOf('older'));
    if (by === 'repair') await repairSpace(first);
    await first.lease.release();
    first.close();
    if (by === 'resume') {
      const progress = new Progress(clock);
      const signal = new AbortController().signal;
      const own = { root, space, instance: 'lab/alice', clock, log: quiet, progress, signal };
      const session = await ProjectSession.open({ ...own, limits: DEFAULT_LIMITS });
      await session.acquireLease();
      await session.resume();
      await session.releaseLease();
      session.close();
    }
    const again = await openProject(root, space, { clock });
    await startProject(again);
    expect(readFileSync(join(again.data, 'a'), 'utf8')).toBe('newer');
    expect([...dumpFolder(again.data).values()].sort()).toEqual(['newer', 'older']);
    again.close();
  },
);

test('a file that the space lists and does not have is named, once, and never left out silently', async () => {
  const { space, clock, context, data } = await opened();
  for (const name of ['ghost', 'b']) writeFileSync(join(data, name), name);
  await save(context);
  await context.lease.release();
  context.close();
  const [stat, read] = [space.stat.bind(space), space.read.bind(space)];
  space.stat = async (file, ...rest) => (file.path === 'ghost' ? null : stat(file, ...rest));
  space.read = (file, ...rest) => {
    if (file.path === 'ghost') throw new SpaceError('not-found', 'gone');
    return read(file, ...rest);
  };
  const other = await openProject(folders.make(), space, { clock });
  await expect(startProject(other)).rejects.toThrow('sync confirm missing 1');
  const { missing } = await startProject(other, { mayOpenWithout: ({ total }) => total === 1 });
  expect(missing).toMatchObject({ total: 1, items: [{ path: 'ghost', code: 'not-in-space' }] });
  other.close();
});

test('a file that neither the listing nor the comparison can ask for counts once', async () => {
  const { space, context, data } = await opened();
  mkdirSync(join(data, 'd'));
  writeFileSync(join(data, 'd/f'), 'f');
  await save(context);
  const [list, stat] = [space.list.bind(space), space.stat.bind(space)];
  // Dropped with its folder, so the listing asks for it twice.
  space.list = async function* (folder, ...rest) {
    for await (const entry of list(folder, ...rest)) if (!entry.path.startsWith('d')) yield entry;
  };
  space.stat = async (file, ...rest) => {
    if (file.path === 'd/f') throw new SpaceError('unavailable', 'fails at it');
    return stat(file, ...rest);
  };
  await expect(startProject(context)).rejects.toThrow('sync confirm missing 1');
  expect(readFileSync(join(data, 'd/f'), 'utf8')).toBe('f');
  context.close();
});
