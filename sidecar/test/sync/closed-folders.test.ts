import { chmodSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Space } from '../../src/spaces/space.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { save } from '../../src/sync/save/save.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Crash } from './faulty-space.ts';
import { dumpFolder, Folders, openProject, sorted, TestClock, visible } from './world.ts';

/** Folders that may only be read, for a user as in the container: root may write everywhere. */

const USER = 1000;
const mayChange = process.geteuid?.() === 0;
const folders = new Folders();
beforeEach(() => {
  if (mayChange) process.seteuid?.(USER);
});
afterEach(() => {
  if (mayChange) process.seteuid?.(0);
  folders.clear();
});

/** The process is gone at the read number `at` of a file of the project. */
function killedAt(inner: MemorySpace, at: number): Space {
  let reads = 0;
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const isOurs = key === 'read' && !(args[0] as { path: string }).path.startsWith('.scipion');
        if (isOurs) reads += 1;
        if (reads < at) return (value as (...all: unknown[]) => unknown).apply(target, args);
        if (key !== 'read' && key !== 'list') return Promise.reject(new Crash('killed'));
        return (async function* () {
          yield* [];
          throw new Crash('killed');
        })();
      };
    },
  });
}

const FILES = 40;
async function projectInSpace() {
  const [space, clock] = [new MemorySpace(), new TestClock()];
  const context = await openProject(folders.make(), space, { clock });
  await startProject(context);
  const at = (name: string) => join(context.data, 'p', name);
  mkdirSync(at('closed/inner'), { recursive: true });
  for (let n = 0; n < FILES; n += 1) {
    writeFileSync(at(`closed/file-${n}`), `closed ${n}`);
    writeFileSync(at(`closed/inner/file-${n}`), `inner ${n}`);
  }
  chmodSync(at('closed/inner'), 0o555);
  chmodSync(at('closed'), 0o555);
  await save(context);
  await context.lease.release();
  context.close();
  const open = () => {
    chmodSync(at('closed'), 0o755);
    chmodSync(at('closed/inner'), 0o755);
  };
  return { space, clock, data: context.data, all: sorted(dumpFolder(context.data)), open };
}
const modes = (data: string): string[] =>
  ['p/closed', 'p/closed/inner'].map((path) => (lstatSync(join(data, path)).mode & 0o777).toString(8));

describe.skipIf(process.geteuid?.() === undefined)('folders that may only be read', () => {
  test.each([1, 20, 79])('a restore that was cut off at file %i goes on', async (at) => {
    const w = await projectInSpace();
    const root = folders.make();
    const killed = await openProject(root, killedAt(w.space, at), { clock: w.clock, lease: 'patient' });
    await expect(startProject(killed)).rejects.toThrow('killed');
    killed.close();
    // As the next start does it first; the folders are closed again by it.
    const next = await openProject(root, w.space, { clock: w.clock, lease: 'patient' });
    expect(await startProject(next)).toMatchObject({ savedFirst: 0, missing: { total: 0 } });
    expect(sorted(dumpFolder(next.data))).toEqual(w.all);
    expect(modes(next.data)).toEqual(['555', '555']);
    expect((await save(next)).saved, 'nothing is taken for a change').toBe(false);
    next.close();
    for (const data of [w.data, next.data])
      for (const path of ['p/closed', 'p/closed/inner']) chmodSync(join(data, path), 0o755);
  });

  test('what was changed and removed elsewhere arrives in them', async () => {
    const w = await projectInSpace();
    const root = folders.make();
    const first = await openProject(root, w.space, { clock: w.clock, lease: 'patient' });
    await startProject(first);
    await first.lease.release();
    first.close();
    w.open();
    const other = await openProject(join(w.data, '..'), w.space, { clock: w.clock, lease: 'patient' });
    writeFileSync(join(w.data, 'p/closed/inner/file-1'), 'changed elsewhere');
    rmSync(join(w.data, 'p/closed/file-2'));
    chmodSync(join(w.data, 'p/closed/inner'), 0o555);
    chmodSync(join(w.data, 'p/closed'), 0o555);
    await save(other);
    await other.lease.release();
    other.close();
    const again = await openProject(root, w.space, { clock: w.clock, lease: 'patient' });
    expect(await startProject(again)).toMatchObject({ missing: { total: 0 }, removed: 1 });
    expect(sorted(dumpFolder(again.data))).toEqual(sorted(await visible(w.space)));
    expect(modes(again.data)).toEqual(['555', '555']);
    again.close();
    w.open();
    for (const path of ['p/closed', 'p/closed/inner']) chmodSync(join(again.data, path), 0o755);
  });
});
