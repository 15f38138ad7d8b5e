import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SyncStatus, syncStatusSchema } from '../../contract/status.ts';
import { DirectorySpace } from '../../src/spaces/directory-space.ts';
import { withRetry } from '../../src/spaces/retry.ts';
import type { Space } from '../../src/spaces/space.ts';
import { ask } from '../../src/sync/service/api-client.ts';
import * as commands from '../../src/sync/service/commands.ts';
import type { SyncPaths } from '../../src/sync/service/sync-paths.ts';
import { prepareVolume } from '../../src/sync/volume/volume.ts';
import { type GivenEmulator, givenEmulator } from '../spaces/given-emulator.ts';
import { pathsBelow, QUIET_CONFIG } from '../sync/given-container.ts';
import type { FaultOrder } from './fault-order.ts';

/** How the spaces are reached: over REST from the emulator, or as directories. */
export type Kind = 'rest' | 'mounted';
export const KINDS: readonly Kind[] = ['rest', 'mounted'];

/** The user of the container. As root nothing is unreadable, so the process gets this one where the tests run as root. */
const UID = 1000;
export const IS_ROOT = process.getuid?.() === 0;
const owner = IS_ROOT ? { uid: UID, gid: UID } : {};

/** A wait of a second and more takes this part of its time. */
const HURRY = '20';
/** Nothing may take longer, on a machine that does other things too. */
export const BOUND_SECONDS = 90;
/** About files that are missing: as often a person would answer. */
const MAX_QUESTIONS = 6;
/** A drain waits for each locked database, five times over. */
const DRAIN_SECONDS = 240;

const PROGRAM = new URL('../sync/sync-process.ts', import.meta.url).pathname;
const FAULTS = new URL('./process-faults.ts', import.meta.url).pathname;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One emulator for all worlds of a test file. */
let given: Promise<GivenEmulator> | null = null;
export async function sharedEmulator(): Promise<GivenEmulator> {
  given ??= givenEmulator();
  return given;
}
export async function closeEmulator(): Promise<void> {
  await (await given)?.dispose();
  given = null;
}

/** Two spaces, and the folder in which all of a world lies. */
export class World {
  readonly kind: Kind;
  readonly root: string;
  readonly spaces: { readonly source: Space; readonly project: Space };
  readonly ids: { readonly source: string; readonly project: string };
  readonly #instances: Instance[] = [];

  private constructor(kind: Kind, root: string, ids: World['ids'], spaces: World['spaces']) {
    Object.assign(this, {});
    this.kind = kind;
    this.root = root;
    this.ids = ids;
    this.spaces = spaces;
  }

  static async make(kind: Kind): Promise<World> {
    const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'attack-'));
    give(root);
    if (kind === 'mounted') {
      const [source, project] = [join(root, 'space-source'), join(root, 'space-project')];
      for (const at of [source, project]) give(at, mkdirSync(at));
      const spaces = { source: new DirectorySpace(source), project: new DirectorySpace(project) };
      return new World(kind, root, { source, project }, spaces);
    }
    const emulator = await sharedEmulator();
    const ids = { source: await emulator.addSpace(), project: await emulator.addSpace() };
    const open = (id: string) => withRetry(emulator.open(id));
    return new World(kind, root, ids, { source: open(ids.source), project: open(ids.project) });
  }

  /** New volumes on the same spaces. */
  async instance(name = 'lab/alice'): Promise<Instance> {
    const root = join(this.root, `i${this.#instances.length}`);
    give(root, mkdirSync(root));
    const paths = pathsBelow(root);
    const instance = new Instance(this, root, paths);
    this.#instances.push(instance);
    // As others use the machine too, it is not to yield to them.
    const config = { ...QUIET_CONFIG, priority: 'normal', instance: name, ...(await this.#config(paths)) };
    writeFileSync(paths.config, JSON.stringify(config));
    for (const volume of [paths.sourceVolume, paths.projectVolume]) {
      mkdirSync(volume);
      await prepareVolume(volume);
    }
    if (IS_ROOT) spawnSync('chown', ['-R', `${UID}:${UID}`, root]);
    return instance;
  }

  /** A second container on the volumes of another one. */
  async beside({ paths: { sourceVolume, projectVolume } }: Instance, name: string): Promise<Instance> {
    const other = await this.instance(name);
    Object.assign(other.paths, { sourceVolume, projectVolume });
    return other;
  }

  async #config(paths: SyncPaths): Promise<object> {
    if (this.kind === 'mounted') {
      const of = (directory: string, spaceId: string) => ({ directory, spaceId });
      return { source: of(this.ids.source, 'source'), project: of(this.ids.project, 'project') };
    }
    const { emulator } = await sharedEmulator();
    const { token } = emulator.mint();
    for (const file of [paths.sourceToken, paths.projectToken]) writeFileSync(file, token);
    const host = emulator.providerHost;
    return {
      source: { host, spaceId: this.ids.source },
      project: { host, spaceId: this.ids.project },
      certificateAuthorities: emulator.authorityPem,
    };
  }

  /** What the test itself wrote into the spaces belongs to whoever owns them. */
  handOver(): void {
    if (this.kind === 'mounted' && IS_ROOT)
      spawnSync('chown', ['-hR', `${UID}:${UID}`, this.ids.source, this.ids.project]);
  }

  async dispose(): Promise<void> {
    for (const instance of this.#instances) await instance.kill();
    await Promise.all([this.spaces.source.close(), this.spaces.project.close()]);
    spawnSync('chmod', ['-R', 'u+rwX', this.root]);
    spawnSync('rm', ['-rf', this.root]);
  }
}

/** Hands what was made to the user of the process. */
export function give(at: string, _made?: unknown): void {
  if (IS_ROOT) chownSync(at, UID, UID);
}

/** One pod: two volumes and the real `sync` on them. */
export class Instance {
  readonly world: World;
  readonly paths: SyncPaths;
  /** The data of the project volume, and of the source volume. */
  readonly data: string;
  readonly sourceData: string;
  readonly #orders: string;
  #child: ChildProcess | null = null;
  #log = '';

  constructor(world: World, root: string, paths: SyncPaths) {
    this.world = world;
    this.paths = paths;
    this.data = join(paths.projectVolume, 'data');
    this.sourceData = join(paths.sourceVolume, 'data');
    this.#orders = join(root, 'orders.json');
    writeFileSync(this.#orders, '[]');
    writeFileSync(`${this.#orders}.struck`, '');
  }

  /** What the process has written: its log, its stack where it ended by an error. */
  get log(): string {
    return this.#log;
  }
  get state(): string {
    return join(this.paths.projectVolume, 'state');
  }

  /** From now on these calls fail. */
  order(orders: readonly FaultOrder[]): void {
    writeFileSync(this.#orders, JSON.stringify(orders));
  }
  /** The calls that failed so. */
  get struck(): string[] {
    return readFileSync(`${this.#orders}.struck`, 'utf8').split('\n').filter(Boolean);
  }

  #spawn(): ChildProcess {
    const { ids, kind } = this.world;
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      SYNC_ATTACK_ORDERS: this.#orders,
      SYNC_ATTACK_HURRY: HURRY,
      ...(kind === 'mounted' ? { SYNC_ATTACK_MOUNTS: `${ids.source}:${ids.project}` } : {}),
    };
    const given = ['--import', FAULTS, PROGRAM, JSON.stringify(this.paths), 'run'];
    return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...given], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
      ...owner,
    });
  }

  /** Starts the container, as a new pod or after a restart in the same one. */
  launch(): void {
    const child = this.#spawn();
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        this.#log = (this.#log + String(chunk)).slice(-200_000);
      });
  }

  /** What the command line does, prints and ends with; in this process, as each of its own costs a second. */
  async command(name: 'save' | 'drain' | 'refresh'): Promise<Outcome> {
    let [out, err] = ['', ''];
    const context: commands.CommandContext = {
      socket: this.paths.syncSocket,
      json: true,
      out: (line) => {
        out += line;
      },
      err: (line) => {
        err += line;
      },
    };
    const work = {
      save: () => commands.saveNow(context),
      drain: () => commands.drain(context, DRAIN_SECONDS),
      refresh: () => commands.refreshSource(context),
    }[name];
    const seconds = name === 'drain' ? DRAIN_SECONDS : BOUND_SECONDS;
    const isLate = sleep(seconds * 1000, 'late' as const, { ref: false });
    const code = await Promise.race([commands.guarded(context, work), isLate]);
    if (code === 'late')
      throw new Error(`sync ${name} hangs: no end within ${seconds} s. ${await this.told()}`);
    return { code, out, err };
  }

  async status(): Promise<SyncStatus | null> {
    return ask(this.paths.syncSocket, 'GET', '/v1/status').then(
      (json) => syncStatusSchema.parse(json),
      () => null,
    );
  }

  async until(
    what: string,
    check: (status: SyncStatus) => boolean,
    seconds = BOUND_SECONDS,
  ): Promise<SyncStatus> {
    const deadline = Date.now() + seconds * 1000;
    while (Date.now() < deadline) {
      const status = await this.status();
      if (status !== null && check(status)) return status;
      if (this.#child !== null && (this.#child.exitCode ?? this.#child.signalCode) !== null)
        throw new Error(`the process ended before ${what}: ${this.#log.slice(-1500)}`);
      await sleep(40);
    }
    throw new Error(`${what} did not come within ${seconds} s. ${await this.told()}`);
  }

  ready(): Promise<SyncStatus> {
    return this.until('the desktop', ({ ready }) => ready);
  }

  /** Opens the desktop; where project files are missing, by the choice to go without so many. */
  async readyWithout(most: number): Promise<SyncStatus> {
    const asks = ({ problems }: SyncStatus) => problems.some(({ code }) => String(code) === 'files-missing');
    const agreed = new Set<string>();
    // What never stands still may be another at each attempt: who answers is asked about what is new.
    const isNew = ({ fileProblems }: SyncStatus) => !agreed.has(JSON.stringify(fileProblems));
    for (;;) {
      const status = await this.until(
        'the desktop, or the question',
        (found) => found.ready || (asks(found) && isNew(found)),
      );
      if (status.ready) return status;
      const { total } = status.fileProblems ?? { total: 0 };
      if (total > most) throw new Error(`${total} files are missing, expected at most ${most}`);
      if (agreed.size > MAX_QUESTIONS) throw new Error(`${agreed.size} times was asked about missing files`);
      agreed.add(JSON.stringify(status.fileProblems));
      await ask(this.paths.syncSocket, 'POST', '/v1/confirm', { what: 'missing', count: total });
    }
  }

  /** What a person would find out. */
  async told(): Promise<string> {
    const status = await this.status();
    const problems = status?.problems.map(({ code, message }) => `${code}: ${message}`) ?? ['no status'];
    return `phase ${status?.phase}; problems: ${problems.join(' | ') || 'none'}; log: ${this.#log.slice(-400)}`;
  }

  /** SIGTERM, as the end of a pod. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.kill('SIGTERM');
    const isOver = await this.#over(child, BOUND_SECONDS);
    if (!isOver) throw new Error(`the process does not end after SIGTERM. ${await this.told()}`);
    this.#child = null;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || (child.exitCode ?? child.signalCode) !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async #over(child: ChildProcess, seconds: number): Promise<boolean> {
    for (let waited = 0; waited < seconds * 10; waited += 1) {
      if ((child.exitCode ?? child.signalCode) !== null) return true;
      await sleep(100);
    }
    return false;
  }
}

/** Bytes of a path as text, each byte a character: names need not be UTF-8. */
const bytesOf = (text: string) => Buffer.from(text, 'latin1');

/**
 * Everything that a restore brings back below a folder: kinds, contents, targets, modes, times to the microsecond.
 * Paths have one character for each byte.
 * @param isMeant by the name of an entry of the folder itself
 */
export function snapshot(
  folder: string,
  isMeant: (name: string) => boolean,
  prefix = '',
): Map<string, string> {
  const result = new Map<string, string>();
  // By its descriptor: a path may be longer than the system takes.
  const descriptor = openSync(bytesOf(folder), 'r');
  const here = `/proc/self/fd/${descriptor}`;
  try {
    for (const raw of readdirSync(here, { encoding: 'buffer' })) {
      const name = raw.toString('latin1');
      if (!isMeant(name)) continue;
      const at = bytesOf(`${here}/${name}`);
      const found = lstatSync(at, { bigint: true });
      const path = prefix + name;
      const mode = (found.mode & 0o777n).toString(8);
      if (found.isDirectory()) {
        result.set(`${path}/`, mode);
        for (const [key, value] of snapshot(`${here}/${name}`, () => true, `${path}/`))
          result.set(key, value);
      } else if (found.isSymbolicLink()) result.set(path, `→ ${readlinkSync(at, 'latin1')}`);
      else if (found.isFile())
        result.set(path, `${mode} ${found.mtimeNs / 1_000n} ${found.size} ${digest(at)}`);
    }
  } finally {
    closeSync(descriptor);
  }
  return result;
}

function digest(at: Buffer): string {
  return createHash('sha256').update(readFileSync(at)).digest('hex').slice(0, 16);
}
