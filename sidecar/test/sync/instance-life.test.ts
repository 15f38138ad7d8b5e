import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { SyncStatus } from '../../contract/status.ts';
import type { Clock } from '../../src/clock.ts';
import { openOnedataSpace } from '../../src/spaces/onedata/index.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { contentOf, type Space } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import { onedataSpaces } from '../../src/sync/service/open-space.ts';
import { startService } from '../../src/sync/service/service.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { containerPaths, untilStatus } from './given-container.ts';
import { hurried, LifeFaults, STALL_MS } from './life-faults.ts';
import { differences, makeSource, makeTheirs, type Snapshot, snapshot, User } from './life-tree.ts';
import { fromEnvironment, Random } from './random.ts';
import { dumpFolder, Folders, quiet, visible } from './world.ts';

/**
 * Whole lives of an instance against a Onedata that fails: the container over TLS, 5 % of all requests failing in every
 * way the emulator knows, 20 ms of latency, a connection closed every 30 requests, entries missing in listings.
 * `SYNC_LIVES=50` lives so many, `SYNC_LIFE=17` that very one: the same user, the same choice of faults; which request
 * meets which fault also depends on how fast the machine is.
 */
const LIVES = fromEnvironment('SYNC_LIVES', 2);
const { SYNC_LIFE } = process.env;
const SEEDS =
  SYNC_LIFE === undefined ? Array.from({ length: LIVES }, (_, at) => at + 1) : [Number(SYNC_LIFE)];
const TIMEOUT_MS = 180_000;
const UNTIL_SECONDS = 60;
const RETRIES = { firstWaitMs: 5, maxWaitMs: 50 };

const folders = new Folders();
afterAll(() => folders.clear());

/** Waits that take a part of their time; the time of day is the true one, as files have it. */
const CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds / 20, undefined, signal && { signal }),
};

class Life {
  readonly given: GivenEmulator;
  readonly faults: LifeFaults;
  readonly random: Random;
  paths: SyncPaths | undefined;

  private constructor(given: GivenEmulator, seed: number) {
    this.given = given;
    this.random = new Random(seed);
    this.faults = new LifeFaults(given.emulator.context.faults, seed);
  }

  static async begin(seed: number): Promise<Life> {
    const [source, project] = [folders.make(), folders.make()];
    makeSource(source, new Random(seed));
    makeTheirs(project, new Random(seed));
    const given = await givenEmulator({
      spaces: [
        { id: 'source', name: 'Microscope', seedFrom: source },
        { id: 'project', name: 'Projects', seedFrom: project },
      ],
    });
    return new Life(given, seed);
  }

  /** Another client of the space, which meets the same faults. */
  other(spaceId: string): Space {
    return withRetry(hurried(this.given.open(spaceId, { stallTimeoutMs: STALL_MS })), {
      ...RETRIES,
      retries: 10,
    });
  }

  /** A container on new volumes; resolves when its desktop may open. */
  async start() {
    const paths = await containerPaths(folders.make());
    this.paths = paths;
    const { emulator } = this.given;
    for (const file of [paths.sourceToken, paths.projectToken]) writeFileSync(file, emulator.mint().token);
    const common = { host: emulator.providerHost };
    const config = {
      instance: 'lab/alice',
      source: { ...common, spaceId: 'source' },
      project: { ...common, spaceId: 'project' },
      autosaveIntervalSeconds: 20,
      graceSeconds: 60,
      certificateAuthorities: emulator.authorityPem,
    };
    const { tokens } = onedataSpaces(config, paths);
    const open = (spaceId: string) =>
      withRetry(
        hurried(
          openOnedataSpace({
            host: emulator.providerHost,
            spaceId,
            token: async () => emulator.mint().token,
            certificateAuthorities: emulator.authorityPem,
            stallTimeoutMs: STALL_MS,
          }),
        ),
        RETRIES,
      );
    const service = await startService({
      config,
      paths,
      spaces: { source: () => open('source'), project: () => open('project'), ...(tokens && { tokens }) },
      clock: CLOCK,
      log: quiet,
      probes: null,
    });
    await this.until('the desktop', ({ ready }) => ready);
    return service;
  }

  until(what: string, check: (status: SyncStatus) => boolean): Promise<SyncStatus> {
    return untilStatus(this.#paths.syncSocket, what, check, UNTIL_SECONDS);
  }

  get #paths(): SyncPaths {
    if (this.paths === undefined) throw new Error('no container was started');
    return this.paths;
  }

  data(side: 'source' | 'project'): string {
    return join(side === 'source' ? this.#paths.sourceVolume : this.#paths.projectVolume, 'data');
  }

  /** As a user asks for it on the page: again, where it failed. */
  async ask(path: '/v1/save?wait=true' | '/v1/refresh-source'): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await ask(this.#paths.syncSocket, 'POST', path);
        return;
      } catch (error) {
        if (attempt >= 10) throw error;
      }
    }
  }

  /** The next save on the interval. */
  async autosaved(): Promise<void> {
    const { save } = await this.until('a status', () => true);
    await this.until('an autosave', ({ save: now }) => now.generation > save.generation);
  }

  async end(): Promise<void> {
    this.given.emulator.context.faults.clear();
    await this.given.dispose();
  }
}

/** What others do in the project space while the instance runs. */
async function meddle(life: Life): Promise<void> {
  const project = life.other('project');
  await project.makeDirectory('theirs/new');
  await project.write('theirs/new/file', contentOf('theirs, new'));
  await project.write('theirs/changed', contentOf('theirs, changed'));
  await project.write('theirs/both', contentOf('theirs of both'));
  await project.close();
  writeFileSync(join(life.data('project'), 'theirs/both'), 'ours of both');
}

/** A day at the microscope: something new, something else under an old name, something gone. */
async function measure(life: Life): Promise<void> {
  const source = life.other('source');
  await source.write('day 2/movie 9.tiff', contentOf('a new movie'));
  await source.write('day 2/movie 1.tiff', contentOf('measured again'));
  await source.removeFile('day 1/movie 2.tiff');
  await source.close();
}

const without = (tree: Snapshot, pattern: RegExp): Snapshot =>
  new Map([...tree].filter(([path]) => !pattern.test(path)));

async function live(life: Life): Promise<void> {
  const { random } = life;
  const service = await life.start();
  const raw = snapshot(life.data('source'));
  expect([...raw].filter(([path]) => /movie|gain|nothing|first|empty/.test(path))).toHaveLength(15);
  const theirs = snapshot(life.data('project'));
  expect([...theirs.keys()].sort()).toEqual([
    'theirs/',
    'theirs/both',
    'theirs/changed',
    'theirs/deep/',
    'theirs/deep/empty/',
    'theirs/deep/kept',
    'theirs/kept',
    'theirs/link',
  ]);
  // From here on listings lack what they showed before, and what this program put there.
  life.faults.dropEntries('project', '(theirs|new|file|changed|both|deep|kept|empty|link)');

  const data = life.data('project');
  const user = new User(data, random);
  user.begin();
  const database = new DatabaseSync(join(data, 'p/project.sqlite'));
  database.exec('CREATE TABLE Objects (id INTEGER, label TEXT)');
  const insert = () => {
    for (let id = 0; id < 50; id += 1)
      database.prepare('INSERT INTO Objects VALUES (?, ?)').run(id, `object ${random.below(1e6)}`);
  };
  await life.ask('/v1/save?wait=true');
  for (const round of [1, 2, 3]) {
    user.work();
    insert();
    if (round === 1) await life.autosaved();
    else await life.ask('/v1/save?wait=true');
    if (round === 1) await meddle(life);
    if (round === 2) {
      await measure(life);
      const heal = life.faults.dropEntries('source', 'movie [19]');
      await life.ask('/v1/refresh-source');
      heal();
      const now = snapshot(life.data('source'));
      expect([...raw.keys()].filter((path) => !now.has(path) && path !== 'day 1/movie 2.tiff')).toEqual([]);
    }
  }
  user.work();
  insert();
  database.close();
  service.runner.stop();
  await service.done;
  const left = snapshot(data);

  const again = await life.start();
  const restored = snapshot(life.data('project'));
  const dumps = { project: dumpFolder(life.data('project')), source: dumpFolder(life.data('source')) };
  again.runner.stop();
  await again.done;
  expect(life.faults.missing, 'faults that never struck').toEqual([]);

  const { requests, struck } = life.faults.counts;
  expect(struck / requests, `${struck} of ${requests} requests failed`).toBeGreaterThan(0.03);
  expect(requests, 'more than the connections of two spaces can carry').toBeGreaterThan(2 * 8 * 30);
  life.given.emulator.context.faults.clear();
  life.given.emulator.context.faults.apply({ latencyMilliseconds: 0 });

  // Ours, to the last bit.
  expect(differences(without(left, /^theirs/), without(restored, /^theirs/))).toEqual({});
  // Theirs, with what they changed meanwhile, and ours beside it where both did.
  const project = await visible(life.given.open('project'));
  const both = [...project].filter(([path]) => path.startsWith('theirs/both'));
  expect(both.map(([, text]) => text).sort()).toEqual(['ours of both', 'theirs of both']);
  expect([...project.keys()].filter((path) => path.startsWith('theirs/')).sort()).toEqual(
    [...theirs.keys(), ...both.map(([path]) => path), 'theirs/new/', 'theirs/new/file']
      .filter((path, at, all) => all.indexOf(path) === at)
      .sort(),
  );
  expect(project.get('theirs/changed')).toBe('theirs, changed');
  // The space as other tools see it, and the volume as Scipion does.
  expect(differences(plain(fromBytes(dumps.project)), plain(project))).toEqual({});
  const source = await visible(life.given.open('source'));
  expect(differences(plain(fromBytes(dumps.source)), plain(source))).toEqual({});
}

/** Names as text. */
const fromBytes = (tree: Map<string, string>) =>
  new Map([...tree].map(([path, text]) => [Buffer.from(path, 'latin1').toString('utf8'), text]));
/** Without what a space cannot hold under its own name: it has another one there. */
const plain = (tree: Map<string, string>): Map<string, string> =>
  new Map(
    [...tree]
      .filter(([path]) => !path.includes('\ufffd') && !path.includes('.scipion-name-'))
      .map(([path, text]) => [
        path,
        text.length < 100 ? text : createHash('sha256').update(text).digest('hex'),
      ]),
  );

describe.concurrent('a whole life of an instance with a Onedata that fails', () => {
  test.each(SEEDS)(
    'seed %i',
    async (seed) => {
      const life = await Life.begin(seed);
      try {
        await live(life);
      } finally {
        await life.end();
      }
    },
    TIMEOUT_MS,
  );
});
