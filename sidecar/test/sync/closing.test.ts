import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { type Space, SpaceError } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { LocalTree } from '../../src/sync/volume/local-tree.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, sorted, visible } from './world.ts';

const folders = new Folders();
let paths: SyncPaths;
let project: MemorySpace;
const containers = new Containers();

beforeEach(async () => {
  const root = folders.make();
  paths = await containerPaths(root);
  project = new MemorySpace({ identity: 'memory://project' });
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

const data = (name = '') => join(paths.projectVolume, 'data', name);

async function start(given: { project?: Space; source?: Space; desktopWaitMs?: number } = {}) {
  return containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: {
      source: () => given.source ?? new MemorySpace({ identity: 'memory://source' }),
      project: () => given.project ?? project,
    },
    desktopWaitMs: given.desktopWaitMs ?? 500,
    leaseTimes: { heartbeatMs: 50 },
  });
}

/** The container is killed and starts again in the same pod; what is in the run directory and on the volumes stays. */
async function killed(service: Awaited<ReturnType<typeof start>>) {
  service.runner.project?.close();
  containers.forgetAll();
  rmSync(paths.syncSocket, { force: true });
}

const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check);

async function drain() {
  const [lines, errors]: [string[], string[]] = [[], []];
  const context = {
    socket: paths.syncSocket,
    out: (line: string) => lines.push(line),
    err: (line: string) => errors.push(line),
  };
  const code = await commands.guarded(context, () => commands.drain(context, 60));
  return { code, lines, errors };
}

/** A space of which one call can be made to fail. */
function failing(inner: MemorySpace, fault: (call: string, path: unknown) => SpaceError | null): Space {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function' || key === 'close') return value;
      return (...args: unknown[]) => {
        const error = fault(String(key), args[0]);
        if (error === null) return (value as (...all: unknown[]) => unknown).apply(target, args);
        if (key !== 'list' && key !== 'read') return Promise.reject(error);
        return (async function* () {
          yield* [];
          throw error;
        })();
      };
    },
  }) as Space;
}

describe('closed', () => {
  test('stays closed when sync starts again in the same pod, opens in the next pod', async () => {
    const first = await start();
    await until('the desktop', (status) => status.ready);
    writeFileSync(data('a'), 'work');
    expect((await drain()).code).toBe(0);
    await killed(first);
    const second = await start();
    const status = await until('the state', (each) => each.phase !== 'starting');
    expect(status).toMatchObject({ phase: 'drained', ready: false, save: { generation: 1 } });
    expect(existsSync(paths.ready)).toBe(false);
    expect((await drain()).lines.at(-1)).toContain('everything is saved (save 1)');
    second.stop();
    await second.done;
    containers.forgetAll();
    expect(existsSync(paths.ready)).toBe(false);
    rmSync(join(paths.ready, '..'), { recursive: true });
    await start();
    await until('the desktop', (each) => each.ready);
  });

  test('nothing is saved any more once it is closed, and two clients get the same answer', async () => {
    await start();
    await until('the desktop', (status) => status.ready);
    writeFileSync(data('a'), 'work');
    const [one, two] = await Promise.all([drain(), drain()]);
    expect([one.code, two.code]).toEqual([0, 0]);
    writeFileSync(data('b'), 'not by the desktop, which is gone');
    await expect(ask(paths.syncSocket, 'POST', '/v1/save')).rejects.toThrow('the instance is closed');
    expect(sorted(await visible(project))).toEqual([['a', 'work']]);
  });

  test('a lease that cannot be given back does not open it again', async () => {
    let saved = false;
    const space = failing(project, (call, path) =>
      saved && call === 'list' && JSON.stringify(path).includes('fences')
        ? new SpaceError('unreachable', 'no route')
        : null,
    );
    await start({ project: space });
    await until('the desktop', (status) => status.ready);
    writeFileSync(data('a'), 'work');
    await ask(paths.syncSocket, 'POST', '/v1/save?wait=true');
    saved = true;
    expect((await drain()).code).toBe(0);
    expect(existsSync(paths.ready)).toBe(false);
  });
});

describe('a drain refuses', () => {
  test('while an unknown volume is not compared yet, and passes on an empty one', async () => {
    const away = failing(project, () => new SpaceError('token-expired', 'it ended yesterday'));
    const empty = await start({ project: away });
    await until('the problem', (each) => each.problems.length > 0);
    expect((await drain()).code).toBe(0);
    expect(sorted(await visible(project))).toEqual([]);
    empty.stop();
    await empty.done;
    containers.forgetAll();

    rmSync(paths.projectVolume, { recursive: true });
    rmSync(join(paths.ready, '..'), { recursive: true });
    await prepareVolume(paths.projectVolume);
    writeFileSync(data('found'), 'the state was lost, the work was not');
    await start({ project: away });
    await until('the problem', (each) => each.problems.length > 0);
    const { code, errors } = await drain();
    expect(code).toBe(13);
    expect(errors[0]).toContain('not saved yet');
  });

  test('while a restore on a new volume is under way it passes, and the space stays as it is', async () => {
    const first = await start();
    await until('the desktop', (status) => status.ready);
    writeFileSync(data('a'), 'work');
    writeFileSync(data('b'), 'more');
    expect((await drain()).code).toBe(0);
    first.stop();
    await first.done;
    containers.forgetAll();
    rmSync(join(paths.ready, '..'), { recursive: true });
    rmSync(paths.projectVolume, { recursive: true });
    await prepareVolume(paths.projectVolume);
    let reads = 0;
    const slow = failing(project, (call, path) => {
      if (call !== 'read' || !/"path":"[ab]"/.test(JSON.stringify(path))) return null;
      reads += 1;
      return reads > 1 ? new SpaceError('unreachable', 'half of it came') : null;
    });
    await start({ project: slow });
    await until('the problem', (each) => each.problems.length > 0);
    expect((await drain()).code).toBe(0);
    expect([...(await visible(project)).keys()].sort()).toEqual(['a', 'b']);
  });

  test('after a start that could not save all, while the source is still copied', async () => {
    const first = await start();
    await until('the desktop', (status) => status.ready);
    mkdirSync(data('locked'));
    writeFileSync(data('locked/new'), 'work');
    await killed(first);
    rmSync(join(paths.ready, '..'), { recursive: true });
    const away = failing(new MemorySpace({ identity: 'memory://source' }), () => {
      return new SpaceError('unreachable', 'no route');
    });
    const unlock = lock('locked');
    const second = await start({ source: away });
    try {
      await until('the restore', (each) => each.project.state === 'done');
      expect((await drain()).code).toBe(13);
    } finally {
      unlock();
      second.stop();
    }
  });

  test('what cannot be read, with its name and a code of its own', async () => {
    await start();
    await until('the desktop', (status) => status.ready);
    mkdirSync(data('locked'));
    writeFileSync(data('locked/new'), 'work');
    writeFileSync(data('other'), 'work');
    const unlock = lock('locked');
    try {
      const { code, errors } = await drain();
      expect(code).toBe(3);
      expect(errors[0]).toContain('"locked"');
      expect((await until('the state', () => true)).problems).toMatchObject([{ code: 'files-unreadable' }]);
    } finally {
      unlock();
    }
    expect((await visible(project)).get('other')).toBe('work');
    expect((await drain()).code).toBe(0);
    expect(sorted(await visible(project))).toEqual(sorted(dumpFolder(data())));
  });

  test('a project of another space', async () => {
    const first = await start();
    await until('the desktop', (status) => status.ready);
    writeFileSync(data('a'), 'work');
    first.stop();
    await first.done;
    containers.forgetAll();
    project = new MemorySpace({ identity: 'memory://another' });
    await start();
    await until('the problem', (each) => each.problems.some(({ code }) => code === 'unsaved-work'));
    expect((await drain()).code).toBe(13);
    expect(sorted(await visible(project))).toEqual([]);
  });
});

describe('the end of the pod', () => {
  test('does not wait for ever for what cannot be read, and the next start tells of it', async () => {
    const first = await start();
    await until('the desktop', (status) => status.ready);
    mkdirSync(data('locked'));
    writeFileSync(data('locked/new'), 'work');
    writeFileSync(data('other'), 'work');
    const unlock = lock('locked');
    first.stop();
    await first.done;
    containers.forgetAll();
    unlock();
    expect((await visible(project)).get('other')).toBe('work');
    const { project: session } = await restarted();
    expect(session?.mayHoldUnsavedWork).toBe(true);
    expect((await visible(project)).get('locked/new')).toBe('work');
  });

  test('a restore waits for a desktop that is still ending', async () => {
    const desktop = await listen(paths.vncSocket);
    await start();
    const status = await until('the problem', (each) => each.problems.length > 0);
    expect(status.problems[0]?.message).toContain('the desktop did not end');
    expect(existsSync(paths.ready)).toBe(false);
    desktop.close();
    await until('the desktop', (each) => each.ready);
  });

  test('a drain waits for protocols that outlive a crashed display', async () => {
    await start({ desktopWaitMs: 2_000 });
    await until('the desktop', (status) => status.ready);
    const display = await listen(`${paths.vncSocket}.display`);
    renameSync(`${paths.vncSocket}.display`, paths.vncSocket);
    await new Promise((done) => display.close(done));
    expect(existsSync(paths.vncSocket)).toBe(true);
    setTimeout(() => {
      writeFileSync(data('a'), 'the last of a protocol');
      rmSync(paths.vncSocket);
    }, 400);
    expect((await drain()).code).toBe(0);
    expect(sorted(await visible(project))).toEqual([['a', 'the last of a protocol']]);
  });

  test('a confirmation of nothing is refused', async () => {
    const { runner } = await start();
    await until('the desktop', (status) => status.ready);
    await expect(
      ask(paths.syncSocket, 'POST', '/v1/confirm', { what: 'deletions', count: 1 }),
    ).rejects.toThrow('no removals are held back');
    for (let n = 0; n < 30; n += 1) writeFileSync(data(`file-${n}`), 'x');
    await runner.saveNow();
    rmSync(data(), { recursive: true });
    mkdirSync(data());
    await runner.saveNow();
    const { code, lines } = await drain();
    expect(code).toBe(0);
    expect(lines.at(-2)).toContain('removed here stay in the project space');
    expect((await visible(project)).size).toBe(30);
  });
});

async function restarted() {
  const { runner } = await start();
  await until('the desktop', (status) => status.ready);
  return runner;
}

/** Nobody may read this directory of the volume, not even root, who runs tests. */
function lock(name: string): () => void {
  const original = LocalTree.prototype.children;
  const spy = vi.spyOn(LocalTree.prototype, 'children').mockImplementation(function (this: LocalTree, path) {
    if (path !== name) return original.call(this, path);
    throw Object.assign(new Error('EACCES: permission denied, scandir'), { code: 'EACCES' });
  });
  return () => spy.mockRestore();
}

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  return new Promise((done) => server.listen(path, () => done(server)));
}
