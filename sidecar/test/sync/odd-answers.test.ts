import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { OnedataHttp } from '../../src/spaces/onedata/http-client.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { stageIn } from '../../src/sync/restore/stage-in.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { openVolume, prepareVolume } from '../../src/sync/volume/volume.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { dumpFolder, Folders, openProject, quiet, TestClock } from './world.ts';

/** One odd entry in an answer costs that entry, by name, and is never taken for gone. */

const folders = new Folders();
let given: GivenEmulator;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());
afterEach(() => {
  vi.restoreAllMocks();
  folders.clear();
});

type Raw = Record<string, unknown>;
/** Of the answer about one entry. */
type Damage = (raw: Raw, parent: string) => unknown;

const set = (more: Raw): Damage => {
  return (raw) => ({ ...raw, ...more });
};
const id = (value: unknown) => set({ fileId: value, file_id: value });

/** Nothing is known of the entry. */
const UNUSABLE: Readonly<Record<string, Damage>> = {
  'an unknown type': set({ type: 'FIFO' }),
  'a type that is a number': set({ type: 7 }),
  'no type': set({ type: undefined }),
  'no id': id(undefined),
  'an empty id': id(''),
  'an id that is a number': id(7),
  'an id that is no text': id('\ud800'),
  'an id without an end': id('x'.repeat(100_000)),
};
const SIZES: Readonly<Record<string, Damage>> = {
  'a negative size': set({ size: -1 }),
  'half a byte': set({ size: 1.5 }),
  'a size beyond all numbers': set({ size: 1e300 }),
  'a size in words': set({ size: '12' }),
  'no size': set({ size: undefined }),
  'a size of null': set({ size: null }),
};
/** The entry is as good without them. */
const TIMES: Readonly<Record<string, Damage>> = {
  'no time': set({ mtime: undefined }),
  'a time in words': set({ mtime: 'yesterday' }),
  'a time beyond all dates': set({ mtime: 1e300 }),
  'a time before all dates': set({ mtime: -1e300 }),
};
const NAMES: Readonly<Record<string, Damage>> = Object.fromEntries(
  [undefined, null, 7, '', '.', '..', '../p/a', '/etc', 'a\0', '\ud800'].map((name) => [
    `the name ${JSON.stringify(name)}`,
    set({ name }),
  ]),
);
const NO_ENTRIES: Readonly<Record<string, Damage>> = {
  null: () => null,
  'a number': () => 7,
  'a text': () => 'odd',
  'a list': () => [[]],
};

/** @param isTwice also where the entry is asked for by itself */
function spoil(damage: Damage, isTwice: boolean, name = 'odd'): void {
  const text = OnedataHttp.prototype.text;
  vi.spyOn(OnedataHttp.prototype, 'text').mockImplementation(async function (
    this: OnedataHttp,
    request,
    ...rest
  ) {
    const answer = await text.call(this, request, ...rest);
    const parent = /\/data\/([^/?]+)\/children/.exec(request.url)?.[1] ?? '';
    if (parent !== '' && request.method === 'GET') {
      const page = JSON.parse(answer) as { children: Raw[] };
      const children = page.children.flatMap((child) =>
        child.name === name ? damage(child, decodeURIComponent(parent)) : child,
      );
      return JSON.stringify({ ...page, children });
    }
    if (!isTwice || !/\/data\/[^/?]+(\?|$)/.test(request.url) || request.method !== 'GET') return answer;
    const raw = JSON.parse(answer) as Raw;
    return raw.name === name ? JSON.stringify(damage(raw, '')) : answer;
  });
}

const FAST = { firstWaitMs: 1, maxWaitMs: 2, retries: 1 };

async function saved() {
  const space = withRetry(given.open(await given.addSpace()), FAST);
  const root = folders.make();
  const clock = new TestClock();
  const context = await openProject(root, space, { clock });
  await startProject(context);
  mkdirSync(join(context.data, 'p/odd folder'), { recursive: true });
  for (const name of ['a', 'odd', 'z', 'odd folder/in it'])
    writeFileSync(join(context.data, 'p', name), `content of ${name}`);
  await save(context);
  const before = dumpFolder(context.data);
  return { space, root, clock, context, before };
}

async function restoredTo(space: Space, root: string, clock: TestClock) {
  const context = await openProject(root, space, { clock, lease: false });
  await context.lease.acquire([], true);
  const { missing } = await startProject(context, { mayOpenWithout: () => true });
  const found = dumpFolder(context.data);
  context.close();
  return { missing: missing.items.map(({ path }) => path), found };
}

describe('a project', () => {
  test.each(Object.entries({ ...UNUSABLE, ...SIZES, ...TIMES }))(
    '%s in a listing: the entry is asked for by itself, and comes',
    async (_, damage) => {
      const { space, clock, context, before } = await saved();
      context.close();
      spoil(damage, false);
      const { missing, found } = await restoredTo(space, folders.make(), clock);
      expect(missing).toEqual([]);
      expect(found).toEqual(before);
      await space.close();
    },
  );

  test.each(Object.entries({ ...UNUSABLE, ...SIZES }))(
    '%s in all answers: it is named, all others come, and nothing counts as gone',
    async (_, damage) => {
      const { space, root, clock, context, before } = await saved();
      spoil(damage, true);
      // The volume goes on: what else there is can be saved, and is.
      writeFileSync(join(context.data, 'p/z'), 'other content of z');
      writeFileSync(join(context.data, 'p/odd'), 'other content of odd');
      const result = await save(context, { last: true });
      expect(result).toMatchObject({ saved: true, heldBack: null });
      expect(result.fileProblems.items.map(({ path }) => path)).toEqual(['p/odd']);
      context.close();
      const old = await restoredTo(space, root, clock);
      expect(old.missing).toEqual(['p/odd']);
      expect(old.found.get('p/odd')).toBe('other content of odd');
      const { missing, found } = await restoredTo(space, folders.make(), clock);
      expect(missing).toEqual(['p/odd']);
      before.delete('p/odd');
      expect(found).toEqual(new Map([...before, ['p/z', 'other content of z']]));
      vi.restoreAllMocks();
      // Once the answers are right again, all of it is saved.
      const after = await restoredTo(space, root, clock);
      expect(after).toMatchObject({ missing: [] });
      expect(dumpFolder(join(root, 'data')).get('p/odd')).toBe('other content of odd');
      expect((await restoredTo(space, folders.make(), clock)).found.get('p/odd')).toBe(
        'other content of odd',
      );
      await space.close();
    },
  );

  test.each(Object.entries({ ...NAMES, ...NO_ENTRIES }))(
    '%s instead of an entry: something is named, and everything comes',
    async (_, damage) => {
      const { space, clock, context, before } = await saved();
      context.close();
      spoil(damage, false);
      const { missing, found } = await restoredTo(space, folders.make(), clock);
      expect(missing).toHaveLength(1);
      expect(found).toEqual(before);
      await space.close();
    },
  );

  const FOLDER: Readonly<Record<string, Damage>> = {
    ...UNUSABLE,
    'the id of the folder that it lies in': (raw, parent) => (parent === '' ? raw : id(parent)(raw, parent)),
  };
  test.each(Object.entries(FOLDER))('a folder with %s: all that is in it stays', async (what, damage) => {
    const { space, root, clock, context, before } = await saved();
    context.close();
    spoil(damage, true, 'odd folder');
    const isOnlyListed = what.startsWith('the id');
    const { missing, found } = await restoredTo(space, root, clock);
    expect(missing).toEqual(isOnlyListed ? [] : ['p/odd folder']);
    expect(found).toEqual(before);
    const other = await restoredTo(space, folders.make(), clock);
    for (const name of ['p/a', 'p/odd', 'p/z']) expect(other.found.get(name), name).toBe(before.get(name));
    expect(other.found.has('p/odd folder/in it')).toBe(isOnlyListed);
    await space.close();
  });

  const DOUBLES: Readonly<Record<string, Damage>> = {
    'listed twice': (raw) => [raw, raw],
    'listed as a folder besides': (raw) => [raw, { ...raw, fileId: 'x', file_id: 'x', type: 'DIR' }],
    'listed with two ids': (raw) => [raw, { ...raw, fileId: 'x', file_id: 'x' }],
    'listed with two sizes and types': (raw) => [{ ...raw, type: 'SOCK' }, raw],
  };
  test.each(Object.entries(DOUBLES))('an entry that is %s comes as it is', async (_, damage) => {
    const { space, clock, context, before } = await saved();
    context.close();
    spoil(damage, false);
    expect(await restoredTo(space, folders.make(), clock)).toEqual({ missing: [], found: before });
    await space.close();
  });

  test('a folder that has the one above it in it comes to an end', async () => {
    const { space, clock, context, before } = await saved();
    const above = await space.stat({ path: 'p' });
    context.close();
    spoil(id(above?.id), true, 'odd folder');
    const { missing, found } = await restoredTo(space, folders.make(), clock);
    expect(missing.length).toBeGreaterThan(0);
    for (const name of ['p/a', 'p/odd', 'p/z']) expect(found.get(name), name).toBe(before.get(name));
    await space.close();
  });
});

describe('source data', () => {
  async function staged() {
    const space = withRetry(given.open(await given.addSpace()), FAST);
    const root = folders.make();
    const clock = new TestClock();
    await space.makeDirectory('p');
    for (const name of ['a', 'odd', 'z']) await space.write(`p/${name}`, contentOf(`content of ${name}`));
    await prepareVolume(root);
    const volume = await openVolume(root, 'source', space, clock.now());
    const context = {
      ...volume,
      ...{ space, clock, log: quiet, progress: new Progress(clock), limits: DEFAULT_LIMITS },
    };
    await stageIn(context);
    return { context, space, data: join(root, 'data') };
  }
  const ALL = { ...UNUSABLE, ...SIZES };
  test.each(Object.entries(ALL))('%s: its copy stays, it is named, and new files come', async (_, damage) => {
    const { context, space, data } = await staged();
    await space.write('p/new', contentOf('new'));
    spoil(damage, true);
    const { fileProblems } = await stageIn(context);
    expect(fileProblems.items.map(({ path }) => path)).toEqual(['p/odd']);
    expect(readFileSync(join(data, 'p/new'), 'utf8')).toBe('new');
    expect(readFileSync(join(data, 'p/odd'), 'utf8')).toBe('content of odd');
    context.state.close();
    await space.close();
  });
});
