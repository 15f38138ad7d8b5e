import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { contentOf, type Space, SpaceError } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, sorted, visible } from './world.ts';

const folders = new Folders();
let paths: SyncPaths;
let source: MemorySpace;
let project: MemorySpace;
const containers = new Containers();

beforeEach(async () => {
  const root = folders.make();
  paths = await containerPaths(root);
  source = new MemorySpace({ identity: 'memory://source' });
  project = new MemorySpace({ identity: 'memory://project' });
  await source.makeDirectory('raw');
  await source.write('raw/mic.mrc', contentOf('micrograph'));
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

async function start(given: { project?: Space; autosaveSeconds?: number; desktopWaitMs?: number } = {}) {
  return containers.start({
    config: {
      instance: 'lab/alice',
      source: { host: 'localhost', spaceId: 's' },
      project: { host: 'localhost', spaceId: 'p' },
      autosaveIntervalSeconds: given.autosaveSeconds ?? 3600,
      graceSeconds: 60,
    },
    paths,
    spaces: { source: () => source, project: () => given.project ?? project },
    desktopWaitMs: given.desktopWaitMs ?? 1_000,
    leaseTimes: { heartbeatMs: 50 },
    tokenWaitMs: 0,
  });
}

const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check);

/** A space whose calls fail while `fault` gives an error. */
function faulty(inner: MemorySpace, fault: () => SpaceError | null): Space {
  return new Proxy(inner, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function' || key === 'close') return value;
      return (...args: unknown[]) => {
        const error = fault();
        if (error !== null) {
          if (key === 'list' || key === 'read') {
            return (async function* () {
              yield* [];
              throw error;
            })();
          }
          return Promise.reject(error);
        }
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  }) as Space;
}

const data = () => join(paths.projectVolume, 'data');

describe('the life of a container', () => {
  test('copies, opens, saves on request, saves at the end, comes back', async () => {
    const first = await start();
    await until('the desktop', (status) => status.phase === 'running' && status.ready);
    expect(existsSync(paths.ready)).toBe(true);
    expect(dumpFolder(join(paths.sourceVolume, 'data')).get('raw/mic.mrc')).toBe('micrograph');
    writeFileSync(join(data(), 'a'), 'work');
    expect(await ask(paths.syncSocket, 'POST', '/v1/save')).toMatchObject({ saved: true, generation: 1 });
    writeFileSync(join(data(), 'b'), 'last work');
    first.stop();
    first.stop();
    await first.done;
    expect(sorted(await visible(project))).toEqual([
      ['a', 'work'],
      ['b', 'last work'],
    ]);
    expect(existsSync(paths.ready)).toBe(false);

    rmSync(paths.projectVolume, { recursive: true });
    mkdirSync(paths.projectVolume);
    await prepareVolume(paths.projectVolume);
    await start();
    const status = await until('the desktop', (each) => each.ready);
    expect(status.save.generation).toBe(2);
    expect(sorted(dumpFolder(data()))).toEqual([
      ['a', 'work'],
      ['b', 'last work'],
    ]);
  });

  test('saves on the interval', async () => {
    await start({ autosaveSeconds: 0.1 });
    await until('the desktop', (status) => status.ready);
    writeFileSync(join(data(), 'a'), 'work');
    await until(
      'an autosave',
      (status) => status.save.generation === 1 && status.save.unsavedChanges === false,
    );
    expect(sorted(await visible(project))).toEqual([['a', 'work']]);
  });

  test('a drain closes the desktop, saves all, and stays closed', async () => {
    const service = await start();
    await until('the desktop', (status) => status.ready);
    const desktop = await listen(paths.vncSocket);
    writeFileSync(join(data(), 'a'), 'work');
    // The desktop writes until `ready` goes away.
    const watch = setInterval(() => {
      if (existsSync(paths.ready)) return;
      clearInterval(watch);
      writeFileSync(join(data(), 'a'), 'very last work');
      desktop.close();
    }, 20);
    const lines: string[] = [];
    const context = {
      socket: paths.syncSocket,
      out: (line: string) => lines.push(line),
      err: (line: string) => lines.push(line),
    };
    expect(await commands.guarded(context, () => commands.drain(context, 60))).toBe(0);
    expect(lines.at(-1)).toBe('everything is saved (save 1); the instance stays closed');
    expect(sorted(await visible(project))).toEqual([['a', 'very last work']]);
    expect(existsSync(paths.ready)).toBe(false);
    expect((await until('the end', () => true)).phase).toBe('drained');
    expect(await commands.guarded(context, () => commands.drain(context, 60))).toBe(0);
    service.stop();
    await service.done;
  });

  test('a drain that fails opens the desktop again and says why', async () => {
    let fault: SpaceError | null = null;
    await start({ project: faulty(project, () => fault) });
    await until('the desktop', (status) => status.ready);
    writeFileSync(join(data(), 'a'), 'work');
    fault = new SpaceError('token-expired', 'the token ended yesterday');
    const errors: string[] = [];
    const context = {
      socket: paths.syncSocket,
      out: () => undefined,
      err: (line: string) => errors.push(line),
    };
    expect(await commands.guarded(context, () => commands.drain(context, 60))).toBe(12);
    expect(errors[0]).toContain('has expired');
    expect(existsSync(paths.ready)).toBe(true);
    const status = await until('the problem', (each) => each.phase === 'running');
    expect(status.problems).toMatchObject([{ code: 'token-expired', space: 'project' }]);
    fault = null;
    expect(await commands.guarded(context, () => commands.drain(context, 60))).toBe(0);
    expect(sorted(await visible(project))).toEqual([['a', 'work']]);
  });

  test('a desktop that does not end fails the drain', async () => {
    await start({ desktopWaitMs: 300 });
    await until('the desktop', (status) => status.ready);
    const desktop = await listen(paths.vncSocket);
    const errors: string[] = [];
    const context = {
      socket: paths.syncSocket,
      out: () => undefined,
      err: (line: string) => errors.push(line),
    };
    expect(await commands.guarded(context, () => commands.drain(context, 60))).toBe(1);
    expect(errors[0]).toContain('the desktop did not end');
    expect(existsSync(paths.ready)).toBe(true);
    desktop.close();
  });

  test('a restart under a running desktop touches nothing and saves on', async () => {
    await project.write('old', contentOf('in the space'));
    const first = await start();
    await until('the desktop', (status) => status.ready);
    writeFileSync(join(data(), 'old'), 'newer here');
    rmSync(join(data(), 'gone'), { force: true });
    // As a kill leaves it: `ready` is there, no final save was made.
    first.runner.project?.close();
    containers.forgetAll();
    rmSync(paths.syncSocket);
    const again = await start();
    await until('the second run', (status) => status.phase === 'running' && status.ready);
    expect(dumpFolder(data()).get('old')).toBe('newer here');
    expect(await ask(paths.syncSocket, 'POST', '/v1/save')).toMatchObject({ saved: true });
    expect((await visible(project)).get('old')).toBe('newer here');
    again.stop();
    await again.done;
  });

  test('says what is wrong, continues automatically when it is gone', async () => {
    let fault: SpaceError | null = new SpaceError('token-invalid', 'refused');
    const service = await start({ project: faulty(project, () => fault) });
    const status = await until('the problem', (each) => each.problems.length > 0);
    expect(status.ready).toBe(false);
    expect(status.problems[0]).toMatchObject({ code: 'token-invalid', space: 'project' });
    expect(status.problems[0]?.message).toMatch(/does not accept the token of the project space/);
    expect(await ask(paths.syncSocket, 'POST', '/v1/save').catch((error: Error) => error.message)).toContain(
      'still being restored',
    );
    fault = null;
    service.runner.confirm({ what: 'merge' }); // Ends the wait early.
    const healed = await until('the desktop', (each) => each.ready);
    expect(healed.problems).toEqual([]);
  });

  test('the final save goes on until it is through', async () => {
    let fault: SpaceError | null = null;
    const service = await start({ project: faulty(project, () => fault) });
    await until('the desktop', (status) => status.ready);
    writeFileSync(join(data(), 'a'), 'work');
    fault = new SpaceError('unreachable', 'no route');
    service.stop();
    const status = await until('the problem', (each) => each.problems.length > 0);
    expect(status).toMatchObject({
      phase: 'final-saving',
      ready: false,
      problems: [{ code: 'onedata-unreachable' }],
    });
    fault = null;
    await service.done;
    expect(sorted(await visible(project))).toEqual([['a', 'work']]);
  });

  test('a volume that is not there is neither read nor written', async () => {
    rmSync(join(paths.projectVolume, 'state'), { recursive: true });
    await project.write('precious', contentOf('x'));
    await start();
    const status = await until('the problem', (each) => each.problems.length > 0);
    expect(status.problems[0]?.code).toBe('volume-not-mounted');
    expect(existsSync(join(data(), 'precious'))).toBe(false);
    expect((await visible(project)).get('precious')).toBe('x');
  });

  test('events tell of changes', async () => {
    await start();
    const { request, Agent } = await import('undici');
    const dispatcher = new Agent({ connect: { socketPath: paths.syncSocket } });
    const { body } = await request('http://sync/v1/events', { dispatcher });
    let text = '';
    for await (const chunk of body) {
      text += String(chunk);
      if (text.includes('"ready":true')) break;
    }
    await dispatcher.destroy();
    expect(text).toMatch(/^event: status\ndata: \{/);
  });
});

function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.end());
  return new Promise((done) => server.listen(path, () => done(server)));
}
