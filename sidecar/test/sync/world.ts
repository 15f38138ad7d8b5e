import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock } from '../../src/clock.ts';
import type { Space } from '../../src/spaces/space.ts';
import { ENGINE_FOLDER } from '../../src/spaces/space.ts';
import { DEFAULT_LIMITS, type DeletionLimits } from '../../src/sync/plan/guards.ts';
import { Progress } from '../../src/sync/progress.ts';
import { Lease, LeaseHeldError } from '../../src/sync/save/lease.ts';
import type { ProjectContext } from '../../src/sync/service/project-context.ts';
import { openVolume, prepareVolume } from '../../src/sync/volume/volume.ts';
import { dumpSpace } from '../spaces/memory-space.ts';

export const quiet = pino({ level: 'silent' });

/** Time that passes only where somebody sleeps, a little more with each look. */
export class TestClock implements Clock {
  #now = Date.now();
  #set = 0;
  now(): number {
    this.#now += 1;
    return this.#now + this.#set;
  }
  monotonic(): number {
    this.#now += 1;
    return this.#now;
  }
  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#now += milliseconds;
    await new Promise((done) => setImmediate(done));
  }
  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
  /** Somebody sets it: no time passes. */
  set(milliseconds: number): void {
    this.#set += milliseconds;
  }
}

/** Memory where there is some: these tests crash processes, not kernels, and need not wait for a disk. */
const FAST = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Temporary folders of one test file. */
export class Folders {
  readonly #made: string[] = [];
  make(): string {
    const folder = mkdtempSync(join(FAST, 'sync-'));
    this.#made.push(folder);
    return folder;
  }
  clear(): void {
    for (const folder of this.#made.splice(0)) {
      openUp(folder);
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function openUp(folder: string): void {
  if (!lstatSync(folder).isDirectory()) return;
  chmodSync(folder, 0o755);
}

/** A volume with its engine context, as one run of the container has it. `close` is the end of that run. */
export async function openProject(
  root: string,
  space: Space,
  options: { instance?: string; clock?: Clock; limits?: DeletionLimits; lease?: boolean | 'patient' } = {},
): Promise<ProjectContext & { close(): void; data: string }> {
  const clock = options.clock ?? new TestClock();
  await prepareVolume(root);
  const volume = await openVolume(root, 'project', space, clock.now());
  const instance = options.instance ?? 'lab/alice';
  const lease = new Lease(space, { holder: instance, clock });
  const context = {
    ...volume,
    space,
    clock,
    lease,
    instance,
    log: quiet,
    progress: new Progress(clock),
    limits: options.limits ?? DEFAULT_LIMITS,
    data: join(root, 'data'),
    close: () => volume.state.close(),
  };
  if (options.lease !== false) await takeLease(context, options.lease === 'patient');
  return context;
}

export async function takeLease(context: ProjectContext, patient = false): Promise<void> {
  const sessions = context.state.json<string[]>('sessions', []);
  context.state.setJson('sessions', [...sessions, context.lease.session].slice(-20));
  for (let attempt = 1; ; attempt += 1) {
    try {
      await context.lease.acquire(sessions);
      return;
    } catch (error) {
      // As the runner does it: ask again until the other one has been silent for long enough.
      if (!(error instanceof LeaseHeldError) || !patient || attempt > 100) throw error;
      await context.clock.sleep(10_000);
    }
  }
}

/** Every path below a folder with its bytes, link target or `''` for a directory (whose path ends in `/`). */
export function dumpFolder(folder: string | Buffer, prefix = ''): Map<string, string> {
  const result = new Map<string, string>();
  const base = Buffer.from(folder);
  for (const raw of readdirSync(base, { encoding: 'buffer' })) {
    const name = raw.toString('latin1');
    const at = Buffer.concat([base, Buffer.from('/'), raw]);
    const found = lstatSync(at);
    if (found.isDirectory()) {
      result.set(`${prefix}${name}/`, '');
      for (const [key, value] of dumpFolder(at, `${prefix}${name}/`)) result.set(key, value);
    } else if (found.isSymbolicLink()) result.set(prefix + name, `→ ${readlinkSync(at)}`);
    else result.set(prefix + name, readFileSync(at).toString('latin1'));
  }
  return result;
}

/** What other tools see in the space: everything but the engine's own folder. */
export async function visible(space: Space): Promise<Map<string, string>> {
  const all = await dumpSpace(space);
  return new Map([...all].filter(([path]) => !path.startsWith(`${ENGINE_FOLDER}/`)));
}

export async function trashOf(space: Space): Promise<string[]> {
  const all = await dumpSpace(space);
  const prefix = `${ENGINE_FOLDER}/trash/`;
  return [...all.keys()].filter((path) => path.startsWith(prefix) && !path.endsWith('/'));
}

export function sorted(map: Map<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
