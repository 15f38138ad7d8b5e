import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { RUN_FILES } from '../../contract/paths.ts';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { probesApi, syncApi } from '../../src/sync/service/http-api.ts';
import type { SyncMetrics } from '../../src/sync/service/metrics.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import type { Runner } from '../../src/sync/service/runner.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { Folders, TestClock } from './world.ts';

/** docs/formats.md names what `sync` leaves on disks and answers on its socket, all of it and nothing else. */

const page = readFileSync(new URL('../../../docs/formats.md', import.meta.url), 'utf8');
const quiet = pino({ level: 'silent' });
const folders = new Folders();
afterEach(() => folders.clear());

/** The first part of each name in the first cells of the tables below a heading. */
function namesBelow(heading: string): Set<string> {
  const part = page.slice(page.indexOf(`\n## ${heading}`)).split('\n## ')[1] ?? '';
  const cells = part.split('\n').flatMap((line) => /^\| (`[^|]*) \|/.exec(line)?.[1] ?? []);
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([\w.-]+)/g)].map(([, name]) => name ?? '')));
}

async function routesOf(app: ReturnType<typeof syncApi>): Promise<string[]> {
  await app.ready();
  /** Beginnings of paths, by their depth: one that goes on from another is told below it. */
  const above: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods = ''] = /^(.*?)[├└]── (\S+)(?: \((.*)\))?$/.exec(line) ?? [];
      const depth = indent.length / 4;
      const path = (depth === 0 ? '' : (above[depth - 1] ?? '')) + part;
      above[depth] = path;
      return methods
        .split(', ')
        .filter((method) => method !== '' && method !== 'HEAD')
        .map((method) => `${method} ${path}`);
    });
}

test('the API on the socket', async () => {
  const told = [...page.matchAll(/^\| `((?:GET|POST) \/v1\/[\w-]+)` \|/gm)].map(([, route]) => route);
  const app = syncApi({} as Runner, quiet);
  expect(told.toSorted()).toEqual((await routesOf(app)).toSorted());
  const probes = probesApi({} as Runner, {} as SyncMetrics);
  for (const route of await routesOf(probes)) expect(page).toContain(`\`${route.replace('GET ', '')}\``);
});

test('the files in the directory of the pod', () => {
  for (const file of Object.values(RUN_FILES)) expect(page).toContain(`\`${basename(file)}\``);
});

test('the files beside the state and in the hidden folder', async () => {
  const root = folders.make();
  const place = join(folders.make(), 'space');
  mkdirSync(place);
  await prepareVolume(root);
  const clock = new TestClock();
  const session = await ProjectSession.open({
    root,
    space: new DirectorySpace(place),
    instance: 'lab/alice',
    clock,
    log: quiet,
    progress: new Progress(clock),
    limits: DEFAULT_LIMITS,
    signal: new AbortController().signal,
  });
  await session.acquireLease();
  await session.start({});
  for (const content of ['first', 'second']) {
    writeFileSync(join(root, 'data/file'), content);
    await session.save({});
  }
  rmSync(join(root, 'data/file'));
  await session.save({});
  const beside = namesBelow('The volume');
  for (const name of readdirSync(join(root, 'state')))
    expect(beside, name).toContain(name.replace(/^sync\.sqlite-(wal|shm)$/, 'sync.sqlite'));
  const hidden = readdirSync(join(place, '.scipion-sync'));
  expect(hidden).toContain('history');
  for (const name of hidden) expect(namesBelow('The space'), name).toContain(name);
  session.close();
});
