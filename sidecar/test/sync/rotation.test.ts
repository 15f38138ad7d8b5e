import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { contentOf } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { onedataSpaces } from '../../src/sync/service/open-space.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { Containers, containerPaths, untilStatus } from './given-container.ts';
import { dumpFolder, Folders, visible } from './world.ts';

/** The container against a Onedata server whose tokens end in the middle of the work; a new one comes as a file. */

/** So many that, at the latency of `slowDown`, they cannot all be copied before the first token of a test ends. */
const FILES = 160;
const folders = new Folders();
let given: GivenEmulator;
let paths: SyncPaths;
let spaces: { source: string; project: string };
const containers = new Containers();

beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(() => given.dispose());

beforeEach(async () => {
  const root = folders.make();
  paths = await containerPaths(root);
  spaces = { source: await given.addSpace(), project: await given.addSpace() };
  const source = given.open(spaces.source);
  for (let index = 0; index < FILES; index += 1)
    await source.write(`mic ${index}.mrc`, contentOf(`micrograph ${index}`));
  setToken('source', null);
  setToken('project', null);
});
afterEach(async () => {
  given.emulator.context.faults.apply({ latencyMilliseconds: 0 });
  for (const which of ['source', 'project'] as const) setToken(which, null);
  await containers.stopAll();
  folders.clear();
});

/** As the kubelet does it: another content under the same name. @param seconds until it ends; null: never */
function setToken(which: 'source' | 'project', seconds: number | null): void {
  const validUntil = Math.floor(Date.now() / 1000) + (seconds ?? 0);
  const caveats = seconds === null ? [] : [{ type: 'time', validUntil } as const];
  writeFileSync(
    which === 'source' ? paths.sourceToken : paths.projectToken,
    given.emulator.mint({ caveats }).token,
  );
}

const slowDown = () => given.emulator.context.faults.apply({ latencyMilliseconds: 300 });
const speedUp = () => given.emulator.context.faults.apply({ latencyMilliseconds: 0 });

async function start(found = false) {
  const host = found ? {} : { host: given.emulator.providerHost };
  const config = {
    instance: 'lab/alice',
    source: { ...host, spaceId: spaces.source },
    project: { ...host, spaceId: spaces.project },
    autosaveIntervalSeconds: 3600,
    graceSeconds: 60,
    certificateAuthorities: given.emulator.authorityPem,
  };
  return containers.start({
    config,
    paths,
    spaces: onedataSpaces(config, paths, { firstWaitMs: 20 }, given.emulator.zoneHost),
    desktopWaitMs: 1_000,
  });
}

const until = (what: string, check: (status: SyncStatus) => boolean) =>
  untilStatus(paths.syncSocket, what, check, 30);

const work = () => {
  for (let index = 0; index < FILES; index += 1)
    writeFileSync(join(paths.projectVolume, 'data', `run ${index}`), `work ${index}`);
};
const isExpired = (side: 'source' | 'project') => (status: SyncStatus) =>
  status.problems.some(({ code, space }) => code === 'token-expired' && space === side);

describe('a token that ends', () => {
  test('in the middle of the stage-in: waits, says why, goes on with a new one', async () => {
    setToken('source', 3);
    slowDown();
    await start();
    const status = await until('the problem', isExpired('source'));
    expect(status.ready).toBe(false);
    expect(status.problems[0]?.message).toMatch(/source space has expired.*scipion:sourceToken/);
    const some = dumpFolder(join(paths.sourceVolume, 'data')).size;
    expect(some).toBeLessThan(FILES);
    speedUp();
    setToken('source', null);
    const healed = await until('the desktop', ({ ready }) => ready);
    expect(healed.problems).toEqual([]);
    expect(dumpFolder(join(paths.sourceVolume, 'data')).size).toBe(FILES);
  });

  test('in the middle of the save at the end: waits, says why, goes on with a new one', async () => {
    const service = await start();
    await until('the desktop', ({ ready }) => ready);
    work();
    setToken('project', 2);
    slowDown();
    service.stop();
    const status = await until('the problem', isExpired('project'));
    expect(status.phase).toBe('final-saving');
    expect((await visible(given.open(spaces.project))).size).toBeLessThan(FILES);
    speedUp();
    setToken('project', null);
    await service.done;
    expect((await visible(given.open(spaces.project))).size).toBe(FILES);
  });

  test('in the middle of a drain: the drain waits for a new one', async () => {
    await start();
    await until('the desktop', ({ ready }) => ready);
    work();
    setToken('project', 2);
    slowDown();
    const drained = ask(paths.syncSocket, 'POST', '/v1/drain');
    const status = await until('the problem', isExpired('project'));
    expect(status.phase).toBe('draining');
    speedUp();
    setToken('project', null);
    await drained;
    expect((await visible(given.open(spaces.project))).size).toBe(FILES);
  });
});

test('what a token may do is told before anything is copied', async () => {
  const caveats = [{ type: 'data.readonly' } as const];
  writeFileSync(paths.projectToken, given.emulator.mint({ caveats }).token);
  rmSync(paths.sourceToken);
  await start();
  const status = await until('both problems', ({ problems }) => problems.length === 2);
  const found = Object.fromEntries(status.problems.map(({ space, code }) => [space, code]));
  expect(found).toEqual({ source: 'token-invalid', project: 'token-not-permitted' });
  setToken('source', null);
  setToken('project', 3600);
  const healed = await until('the desktop', ({ ready }) => ready);
  expect(healed.warnings?.map(({ code, space }) => `${space} ${code}`).sort()).toEqual([
    'project token-expires-soon',
    'source token-advice',
  ]);
  expect(healed.tokenExpiresAt).toMatchObject({ source: null, project: expect.any(String) });
});

test('swapped tokens are told to be so, with both keys, and used once they are exchanged', async () => {
  const only = (spaceId: string) => ({
    type: 'data.path' as const,
    whitelist: [Buffer.from(`/${spaceId}`).toString('base64')],
  });
  const { token: forSource } = given.emulator.mint({
    caveats: [only(spaces.source), { type: 'data.readonly' }],
  });
  const { token: forProject } = given.emulator.mint({ caveats: [only(spaces.project)] });
  writeFileSync(paths.sourceToken, forProject);
  writeFileSync(paths.projectToken, forSource);
  await start();
  const { problems } = await until('both problems', ({ problems }) => problems.length === 2);
  for (const { code, message } of problems) {
    expect(code).toBe('token-not-permitted');
    expect(message).toMatch(/^The two Onedata tokens are swapped/);
    expect(message).toContain('Exchange scipion:sourceToken and scipion:projectToken');
  }
  writeFileSync(paths.sourceToken, forSource);
  writeFileSync(paths.projectToken, forProject);
  const healed = await until('the desktop', ({ ready }) => ready);
  expect([healed.problems, healed.warnings]).toEqual([[], []]);
});

test('without a host the tokens are enough, and what is wrong with them is told as ever', async () => {
  setToken('project', -1);
  const service = await start(true);
  const { problems } = await until('the problem', ({ problems }) => problems.length > 0);
  expect(problems).toMatchObject([{ code: 'token-expired', space: 'project' }]);
  setToken('project', null);
  await until('the desktop', ({ ready }) => ready);
  writeFileSync(join(paths.projectVolume, 'data/work'), 'work');
  service.stop();
  await service.done;
  expect((await visible(given.open(spaces.project))).get('work')).toBe('work');
  const kept = JSON.parse(readFileSync(join(paths.projectVolume, 'state/provider.json'), 'utf8'));
  expect(kept).toEqual({ spaceId: spaces.project, host: given.emulator.providerHost });
});
