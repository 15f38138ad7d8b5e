import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SyncStatus, syncStatusSchema } from '../../contract/status.ts';
import { systemClock } from '../../src/clock.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import { startProject } from '../../src/sync/restore/start.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { pathsBelow, QUIET_CONFIG } from './given-container.ts';
import { fromEnvironment, Random, SEEDS } from './random.ts';
import { Folders, openProject } from './world.ts';

const KILLS = fromEnvironment('SYNC_KILLS', 8);
const SEED = process.env.SYNC_SEED === undefined ? 20_261 : Number(SEEDS[0]);

const folders = new Folders();
let given: GivenEmulator;
let child: ChildProcess | null = null;
beforeAll(async () => {
  given = await givenEmulator();
});
afterAll(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await given.dispose();
  folders.clear();
});

/** Everything that a restore brings back of a folder: kinds, contents, targets, modes, times, names of one file. */
function snapshot(folder: string, prefix = ''): string[] {
  const lines: string[] = [];
  for (const name of readdirSync(folder).sort()) {
    const at = join(folder, name);
    const found = lstatSync(at, { bigint: true });
    const path = prefix + name;
    const meta = `${(found.mode & 0o777n).toString(8)} ${found.mtimeNs / 1_000n}`;
    if (found.isDirectory()) lines.push(`${path}/ ${meta}`, ...snapshot(at, `${path}/`));
    else if (found.isSymbolicLink()) lines.push(`${path} → ${readlinkSync(at)}`);
    else lines.push(`${path} ${meta} ${found.nlink} ${readFileSync(at).toString('base64')}`);
  }
  return lines;
}

/** The lines that only one of two snapshots has, cut to what a person can read. */
function apart(one: string, two: string): string[] {
  const [a, b] = [one.split('\n'), two.split('\n')];
  const only = (these: string[], those: string[], mark: string) =>
    these.filter((line) => !those.includes(line)).map((line) => mark + line.slice(0, 100));
  return [...only(a, b, '+ '), ...only(b, a, '- ')];
}

/** Makes the next version of the project: some files change, some come, go, move or become something else. */
function writeVersion(data: string, version: number, random: Random): void {
  const at = (path: string) => join(data, path);
  mkdirSync(at('p/Runs/000002_Import/extra'), { recursive: true });
  writeFileSync(at('p/VERSION'), `${version}`);
  for (let index = 0; index < 16; index += 1) {
    const path = at(`p/Runs/000002_Import/mic ${index}.mrc`);
    if (existsSync(path) && random.chance(0.55)) continue;
    if (random.chance(0.15)) rmSync(path, { force: true });
    else writeFileSync(path, Buffer.concat([Buffer.from(`${version} `), random.bytes(random.below(20_000))]));
  }
  if (random.chance(0.3)) writeFileSync(at('p/large.mrcs'), random.bytes(600_000));
  const [one, two] = [at('p/Runs/one'), at('p/Runs/two')];
  if (existsSync(one)) renameSync(one, two);
  else if (existsSync(two)) renameSync(two, one);
  else mkdirSync(one);
  writeFileSync(join(existsSync(one) ? one : two, 'moved'), `${version}`);
  // `force` alone leaves a link that points nowhere.
  if (lstatSync(at('p/odd'), { throwIfNoEntry: false })?.isSymbolicLink() === true) unlinkSync(at('p/odd'));
  rmSync(at('p/odd'), { recursive: true, force: true });
  if (version % 3 === 0) mkdirSync(at('p/odd/inside'), { recursive: true });
  else if (version % 3 === 1) writeFileSync(at('p/odd'), `a file in ${version}`);
  else symlinkSync(`target of ${version}`, at('p/odd'));
  rmSync(at('p/second name'), { force: true });
  if (random.chance(0.7)) linkSync(at('p/VERSION'), at('p/second name'));
}

interface Instance {
  readonly paths: SyncPaths;
  readonly data: string;
  readonly spaceId: string;
}

async function makeInstance(): Promise<Instance> {
  const paths = pathsBelow(folders.make());
  const [source, project] = [await given.addSpace(), await given.addSpace()];
  const { token } = given.emulator.mint();
  for (const file of [paths.sourceToken, paths.projectToken]) writeFileSync(file, token, { mode: 0o600 });
  const host = given.emulator.providerHost;
  writeFileSync(
    paths.config,
    JSON.stringify({
      ...QUIET_CONFIG,
      source: { host, spaceId: source },
      project: { host, spaceId: project },
      certificateAuthorities: given.emulator.authorityPem,
    }),
  );
  for (const volume of [paths.sourceVolume, paths.projectVolume]) mkdirSync(volume);
  await exited(launch(paths, 'prepare'));
  return { paths, data: join(paths.projectVolume, 'data'), spaceId: project };
}

function launch(paths: SyncPaths, command: string): ChildProcess {
  const program = new URL('./sync-process.ts', import.meta.url).pathname;
  const nodeArguments = ['--disable-warning=ExperimentalWarning', program, JSON.stringify(paths), command];
  child = spawn(process.execPath, nodeArguments, { stdio: ['ignore', 'ignore', 'inherit'] });
  return child;
}

async function exited(process: ChildProcess): Promise<NodeJS.Signals | number | null> {
  if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
  return process.signalCode ?? process.exitCode;
}

async function running(paths: SyncPaths): Promise<SyncStatus> {
  let last: unknown;
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    last = await ask(paths.syncSocket, 'GET', '/v1/status').catch((error: Error) => error.message);
    const status = syncStatusSchema.safeParse(last);
    if (status.data?.ready === true && status.data.phase === 'running') return status.data;
    await sleep(25);
  }
  throw new Error(`sync did not come up: ${JSON.stringify(last)}`);
}

/** What another instance gets from the space, on a new volume. */
async function restored(spaceId: string): Promise<string> {
  const space = withRetry(given.open(spaceId));
  const root = folders.make();
  const context = await openProject(root, space, {
    clock: systemClock,
    instance: 'lab/other',
    lease: false,
  });
  try {
    await context.lease.acquire([], true);
    const { warnings } = await startProject(context);
    expect(warnings).toEqual([]);
    await context.lease.release();
    return snapshot(context.data).join('\n');
  } finally {
    context.close();
    await space.close();
    rmSync(join(root, 'data'), { recursive: true, force: true });
  }
}

test(
  `${KILLS} kills of the real process during saves and starts: each restore is one complete save`,
  async () => {
    const random = new Random(SEED);
    const { paths, data, spaceId } = await makeInstance();
    const tally = { inSave: 0, inStart: 0, before: 0, decided: 0, answered: 0 };
    let saveMs = 400;
    let startMs = 1_000;
    // What the space may hold: the version that was last seen in it, and the one of the volume.
    let inSpace = '';
    let onVolume = '';
    const kill = async (process: ChildProcess): Promise<void> => {
      process.kill('SIGKILL');
      expect(await exited(process), 'the process still lived').toBe('SIGKILL');
    };
    const examine = async (round: number, isSaved: boolean): Promise<void> => {
      const found = await restored(spaceId);
      const where = `round ${round} of seed ${SEED}`;
      expect(snapshot(data).join('\n'), `the volume is untouched in ${where}`).toBe(onVolume);
      const mixed = [inSpace, onVolume].includes(found)
        ? []
        : [apart(found, inSpace), apart(found, onVolume)];
      expect(mixed, `one complete save in ${where}`).toEqual([]);
      if (isSaved) expect(found, `a save that was said to be complete is, in ${where}`).toBe(onVolume);
      if (isSaved) tally.answered += 1;
      else if (found === onVolume) tally.decided += 1;
      else tally.before += 1;
      inSpace = found;
    };

    for (let round = 1; round <= KILLS; round += 1) {
      // A container that was killed leaves `ready`; a new pod has none.
      if (random.chance(0.5)) rmSync(paths.ready, { force: true });
      const isNewPod = !existsSync(paths.ready);
      const process = launch(paths, 'run');
      if (round > 1 && random.chance(0.3)) {
        await sleep(startMs * (0.3 + random.next()));
        await kill(process);
        tally.inStart += 1;
        await examine(round, false);
        continue;
      }
      const launched = Date.now();
      await running(paths);
      startMs = Date.now() - launched;
      expect(snapshot(data).join('\n'), 'a start leaves the work of the volume alone').toBe(onVolume);
      // A start saves what is not saved yet before it opens the desktop.
      if (isNewPod) inSpace = onVolume;
      writeVersion(data, round, random);
      onVolume = snapshot(data).join('\n');
      const began = Date.now();
      let isSaved = false;
      const saving = ask(paths.syncSocket, 'POST', '/v1/save?wait=true').then(
        () => {
          isSaved = true;
          saveMs = Date.now() - began;
        },
        () => undefined,
      );
      await Promise.race([sleep(saveMs * 1.2 * random.next()), saving]);
      await kill(process);
      await saving;
      tally.inSave += 1;
      await examine(round, isSaved);
    }

    const last = launch(paths, 'run');
    await running(paths);
    last.kill('SIGTERM');
    expect(await exited(last)).toBe(0);
    expect(snapshot(data).join('\n')).toBe(onVolume);
    expect(await restored(spaceId)).toBe(onVolume);
    expect(tally.inSave + tally.inStart).toBe(KILLS);
    if (process.env.SYNC_KILLS !== undefined)
      console.info(`kills with seed ${SEED}: ${JSON.stringify(tally)}`);
  },
  KILLS * 30_000,
);
