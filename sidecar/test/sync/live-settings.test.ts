import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import { DEFAULT_LIMITS } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import type { SaveRetention } from '../../src/sync/save/retention.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { ConfigError, readConfig } from '../../src/sync/service/config.ts';
import { LiveSettings } from '../../src/sync/service/live-settings.ts';
import { printable } from '../../src/sync/service/printable.ts';
import { ProjectSession } from '../../src/sync/service/project-session.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { MemorySpace } from '../spaces/memory-space.ts';
import { containerPaths, pathsBelow, QUIET_CONFIG, untilStatus } from './given-container.ts';
import { Folders, quiet, TestClock } from './world.ts';

const folders = new Folders();
afterAll(() => folders.clear());

describe('the real process under a configuration that changes', () => {
  let given: GivenEmulator;
  let child: ChildProcess;
  let paths: SyncPaths;
  let config: Record<string, unknown>;
  let swaps = 0;

  /** As the kubelet changes a mounted ConfigMap: a new directory, then the link to it in one step. */
  const swap = (text: string) => {
    const folder = dirname(paths.config);
    swaps += 1;
    mkdirSync(join(folder, `..${swaps}`));
    writeFileSync(join(folder, `..${swaps}`, 'sync.json'), text);
    symlinkSync(`..${swaps}`, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  const change = (settings: Record<string, unknown>) => swap(JSON.stringify({ ...config, ...settings }));
  const until = (what: string, check: (status: SyncStatus) => boolean, seconds = 120) =>
    untilStatus(paths.syncSocket, what, check, seconds);
  const refusal = ({ warnings = [] }: SyncStatus) => warnings.find(({ code }) => code === 'settings-refused');
  const writeWork = (name: string, bytes: string | Buffer) =>
    writeFileSync(join(paths.projectVolume, 'data', name), bytes);

  /** The answer to the request comes before the end of a save that takes longer. */
  const savedNow = async () => {
    const { generation } = (await until('the status', () => true)).save;
    await ask(paths.syncSocket, 'POST', '/v1/save');
    const { save } = await until('the save', (status) => status.save.generation > generation, 500);
    return { lastSaveDurationSeconds: save.lastSaveDurationSeconds ?? 0 };
  };

  beforeAll(async () => {
    given = await givenEmulator();
    const root = folders.make();
    await containerPaths(root);
    paths = { ...pathsBelow(root), config: join(root, 'config/sync.json') };
    const [source, project] = [await given.addSpace(), await given.addSpace()];
    const { token } = given.emulator.mint();
    for (const file of [paths.sourceToken, paths.projectToken]) writeFileSync(file, token, { mode: 0o600 });
    const host = given.emulator.providerHost;
    config = {
      ...QUIET_CONFIG,
      source: { host, spaceId: source },
      project: { host, spaceId: project },
      certificateAuthorities: given.emulator.authorityPem,
    };
    mkdirSync(dirname(paths.config));
    symlinkSync('..data/sync.json', paths.config);
    change({});
    const program = new URL('./sync-process.ts', import.meta.url).pathname;
    const nodeArguments = ['--disable-warning=ExperimentalWarning', program, JSON.stringify(paths), 'run'];
    child = spawn(process.execPath, nodeArguments, { stdio: ['ignore', 'ignore', 'inherit'] });
    await until('the desktop', ({ ready, phase }) => ready && phase === 'running');
  }, 180_000);
  afterAll(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await given.dispose();
  });

  test('keeps the last good one under a file that is cut or wrong, and says so until it is right again', async () => {
    swap('{ "instance": "lab/al');
    const cut = await until('the refusal', (status) => refusal(status) !== undefined);
    expect(refusal(cut)?.message).toMatch(/those before stay in use.*cannot be read/);
    change({ autosaveIntervalSeconds: 1 });
    const wrong = await until(
      'the other',
      (each) => refusal(each)?.message.includes('is not valid') === true,
    );
    expect(refusal(wrong)?.message).toContain('autosaveIntervalSeconds: ');
    writeWork('first', 'work');
    expect(await ask(paths.syncSocket, 'POST', '/v1/save')).toMatchObject({ saved: true, generation: 1 });
    const { save } = await until('the next wait', ({ phase }) => phase === 'running');
    expect(Date.parse(save.nextSaveAt ?? '') - Date.now()).toBeGreaterThan(1_800_000);
    change({});
    await until('the end of the refusal', (status) => refusal(status) === undefined);
  }, 300_000);

  test('a shorter interval wakes the autosave that waits, a longer one puts it off', async () => {
    writeWork('second', 'work');
    change({ autosaveIntervalSeconds: 10 });
    await until('an autosave', ({ save }) => save.generation === 2);
    change({ autosaveIntervalSeconds: 7_200 });
    await until('a longer wait', ({ save }) => Date.parse(save.nextSaveAt ?? '') - Date.now() > 3_600_000);
  }, 300_000);

  test('a limit of bandwidth begins and ends under a running process', async () => {
    change({ uploadBytesPerSecond: 65_536 });
    for (let round = 1, seconds = 0; seconds < 15; round += 1) {
      expect(round, 'saves until the limit was seen').toBeLessThan(20);
      writeWork('limited', randomBytes(65_536 * 20));
      ({ lastSaveDurationSeconds: seconds } = await savedNow());
      if (seconds < 15) await new Promise((done) => setTimeout(done, 1_000));
    }
    // It would take ten minutes at that rate.
    writeWork('large', randomBytes(65_536 * 600));
    change({});
    expect((await savedNow()).lastSaveDurationSeconds).toBeLessThan(300);
  }, 600_000);
});

test('a configuration that is not valid is refused in one line, with each problem of it', async () => {
  const file = join(folders.make(), 'sync.json');
  writeFileSync(file, JSON.stringify({ instance: 7, nosuch: 1 }));
  const refused = await readConfig(file).catch((error: Error) => error);
  expect(refused).toBeInstanceOf(ConfigError);
  const { message } = refused as Error;
  expect(message).toMatch(/is not valid: .*instance: .*; .*nosuch/);
  expect(printable(message)).toBe(message);
});

describe('live settings', () => {
  test('tell which of them have changed, and only where one has', () => {
    const settings = new LiveSettings({ autosaveIntervalSeconds: 300, keepSaves: { last: 3 } });
    const { changed } = settings;
    expect(settings.use({ keepSaves: { last: 3 }, autosaveIntervalSeconds: 300 })).toEqual([]);
    expect(changed.aborted).toBe(false);
    expect(settings.use({ keepSaves: { last: 4 }, autosaveIntervalSeconds: 60 })).toEqual([
      'autosaveIntervalSeconds',
      'keepSaves',
    ]);
    expect(changed.aborted).toBe(true);
    expect(settings.changed.aborted).toBe(false);
    expect(settings.now.autosaveIntervalSeconds).toBe(60);
  });

  test('which saves are kept is asked whenever the trash is tidied', async () => {
    const [root, space, clock] = [folders.make(), new MemorySpace(), new TestClock()];
    await prepareVolume(root);
    let retention: SaveRetention = { last: 10, hourly: 24, daily: 14, weekly: 0, maxBytes: null };
    const session = await ProjectSession.open({
      ...{ root, space, clock, log: quiet, instance: 'lab/alice', progress: new Progress(clock) },
      ...{ limits: DEFAULT_LIMITS, signal: new AbortController().signal, retention: () => retention },
    });
    await session.acquireLease();
    await session.start({});
    const saveVersion = async (text: string) => {
      clock.advance(3_700_000);
      writeFileSync(join(root, 'data/file'), text);
      await session.acquireLease(true);
      expect(await session.save({})).toMatchObject({ saved: true });
      return (await session.saves()).saves.length;
    };
    await saveVersion('one');
    await saveVersion('two');
    expect(await saveVersion('three')).toBe(3);
    retention = { ...retention, last: 1, hourly: 0, daily: 0 };
    expect(await saveVersion('four')).toBe(1);
    session.close();
  });
});
