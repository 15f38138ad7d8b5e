import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { Containers, containerPaths, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, sorted, visible } from './world.ts';

const folders = new Folders();
const containers = new Containers();
let paths: SyncPaths;
let project: MemorySpace;
beforeEach(async () => {
  paths = await containerPaths(folders.make());
  project = new MemorySpace({ identity: 'memory://project' });
});
afterEach(async () => {
  await containers.stopAll();
  folders.clear();
});

const start = () =>
  containers.start({
    config: QUIET_CONFIG,
    paths,
    spaces: { source: () => new MemorySpace({ identity: 'memory://source' }), project: () => project },
    desktopWaitMs: 300,
    leaseTimes: { heartbeatMs: 50 },
  });
const opened = () =>
  untilStatus(paths.syncSocket, 'the desktop', ({ ready, phase }) => ready && phase === 'running', 30);
const data = (name = '') => join(paths.projectVolume, 'data', name);
const stateFile = () => join(paths.projectVolume, 'state/sync.sqlite');

function inState(sql: string): void {
  const state = new DatabaseSync(stateFile());
  state.exec(sql);
  state.close();
}

/** What a state may hold that no start can apply. */
const FAULTS: [string, string][] = [
  ['a save that is no JSON', "INSERT OR REPLACE INTO meta VALUES ('deciding', '{\"saveId\":')"],
  ['a save without a head', "INSERT OR REPLACE INTO meta VALUES ('deciding', 'null')"],
  ['sessions that are no list', "INSERT OR REPLACE INTO meta VALUES ('sessions', '{')"],
  ['segments that are no JSON', "INSERT OR REPLACE INTO meta VALUES ('manifest-segments', '[[')"],
  ['an entry of no kind', "UPDATE base SET kind = 'socket' WHERE kind = 'file'"],
];

describe('a state that cannot be applied', () => {
  test.each(FAULTS)('%s: the desktop opens, nothing is lost, the evidence is kept', async (_, sql) => {
    const first = await start();
    await opened();
    for (let n = 0; n < 12; n += 1) writeFileSync(data(`file-${n}`), `work ${n}`);
    await ask(paths.syncSocket, 'POST', '/v1/save');
    first.stop();
    await first.done;
    containers.forgetAll();
    // As a killed run leaves it.
    writeFileSync(data('file-1'), 'not saved yet');
    rmSync(data('file-2'));
    const wanted = sorted(dumpFolder(data()));
    inState(sql);

    await start();
    await opened();
    await ask(paths.syncSocket, 'POST', '/v1/save');
    const found = sorted(dumpFolder(data()));
    const known = new Set(wanted.map(([path, text]) => `${path}: ${text}`));
    for (const line of known) expect(found.map(([path, text]) => `${path}: ${text}`)).toContain(line);
    expect((await visible(project)).get('file-1')).toBe('not saved yet');
    for (const [path, text] of wanted) expect((await visible(project)).get(path), path).toBe(text);
  });

  test('is put aside, not thrown away', async () => {
    const first = await start();
    await opened();
    writeFileSync(data('a'), 'work');
    await ask(paths.syncSocket, 'POST', '/v1/save');
    first.stop();
    await first.done;
    containers.forgetAll();
    inState("INSERT OR REPLACE INTO meta VALUES ('deciding', '{')");
    await start();
    await opened();
    const aside = readdirSync(join(paths.projectVolume, 'state')).filter((name) =>
      name.includes('.damaged-'),
    );
    expect(aside.length).toBeGreaterThan(0);
    expect(sorted(dumpFolder(data()))).toEqual([['a', 'work']]);
    expect(sorted(await visible(project))).toEqual([['a', 'work']]);
  });
});
