import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ENGINE_FOLDER, type Space } from '../../src/spaces/space.ts';
import { BaseTable } from '../../src/sync/state/base-table.ts';
import { ManifestTable } from '../../src/sync/state/manifest-table.ts';
import { PendingTable } from '../../src/sync/state/pending-table.ts';
import { StagedTable } from '../../src/sync/state/staged-table.ts';
import { StateStore } from '../../src/sync/state/state.ts';
import { LocalTree } from '../../src/sync/volume/local-tree.ts';

const SPACE_CALLS = [
  'write',
  'writePart',
  'copy',
  'makeDirectory',
  'makeSymlink',
  'move',
  'removeFile',
  'removeEmptyDirectory',
  'removeTree',
];
/** Every method of these that writes; a test holds that the rest only reads. */
export const STATE_WRITES = [
  { name: 'base', of: BaseTable, calls: ['put', 'delete', 'clear'] },
  { name: 'manifest', of: ManifestTable, calls: ['put', 'delete', 'clear'] },
  { name: 'staged', of: StagedTable, calls: ['put', 'clear'] },
  { name: 'pending', of: PendingTable, calls: ['add', 'update', 'delete', 'clear'] },
] as const;
export const VOLUME_WRITES = [
  'makeDirectory',
  'place',
  'placeOpen',
  'placeNew',
  'makeSymlink',
  'newSymlink',
  'link',
  'newLink',
  'removeFile',
  'removeEmptyDirectory',
  'openFolders',
  'setMode',
  'setTimes',
];
/** The lease has its own order and its own tests. */
const OF_LEASE = /^(claims|fences|lease)/;
/** What the engine keeps on a volume beside its files: made again by each run, or the state itself. */
const OWN_FILES = /^(scratch|partial|reserve|looks|sync\.sqlite(-wal|-shm)?)$/;

/** One change that lasts. */
export interface Write {
  /** As the tables of docs/sync-semantics.md name it. */
  readonly call: string;
  /** Which transaction of the state it is part of; null: of none. */
  readonly transaction: number | null;
  /** The state is on the disk when it returns. */
  readonly isDurable: boolean;
}

export class Killed extends Error {
  override readonly name = 'Killed';
}

/** `.scipion-sync/commits/7.jsonl` → `commits/…`; what is not the engine's → `PATH` */
function place(path: string): string {
  if (!path.startsWith(`${ENGINE_FOLDER}/`)) return 'PATH';
  const own = path.slice(ENGINE_FOLDER.length + 1);
  const [folder, name = '', file] = own.split('/');
  if (folder === 'staging') {
    if (file === undefined) return 'staging/VOLUME';
    return `staging/VOLUME/${/^(head|copy)-/.exec(file)?.[0] ?? ''}…`;
  }
  return name === '' ? own : `${folder}/…${name.endsWith('.new') ? '.new' : ''}`;
}

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/**
 * What lasts of one run of the engine, in its order, whoever in it asks for it: changes of the space, of the state, and of
 * the files of the volume. The run can be killed after one of them; from then on nothing that it does lasts.
 */
export class RecordedWrites {
  readonly seen: Write[] = [];
  readonly #at: number;
  readonly #volume: string | null;
  #files = '';
  #transaction: number | null = null;
  #transactions = 0;
  #isDurable = false;
  #isInside = false;
  #isRunning = false;

  /**
   * @param at number of the change after which the process is dead
   * @param volume its files change only through the class that holds them; absent: they may
   */
  constructor({ at = Number.POSITIVE_INFINITY, volume }: { at?: number; volume?: string } = {}) {
    this.#at = at;
    this.#volume = volume ?? null;
  }

  get calls(): string[] {
    return this.seen.map(({ call }) => call);
  }

  get isDead(): boolean {
    return this.seen.length >= this.#at;
  }

  /** As `given`, with its changes noted; to be used within `during`. */
  space(given: Space): Space {
    return new Proxy(given, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name, object);
        if (typeof value !== 'function') return value;
        const call = String(name);
        if (!SPACE_CALLS.includes(call)) return value.bind(object);
        return async (...args: unknown[]) => {
          this.#assertAlive();
          const [first, second] = args;
          const from = place(typeof first === 'string' ? first : (first as { path: string }).path);
          const to = call === 'move' || call === 'copy' ? ` → ${place(second as string)}` : '';
          const result: unknown = await value.apply(object, args);
          this.#assertAlive();
          if (this.#isRunning && !OF_LEASE.test(from)) this.#note(`${call} ${from}${to}`);
          return result;
        };
      },
    });
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    const restore: (() => void)[] = [];
    const patch = (target: object, name: string, make: (real: AnyFunction) => AnyFunction): void => {
      const real = Reflect.get(target, name) as AnyFunction;
      Reflect.set(target, name, make(real));
      restore.push(() => Reflect.set(target, name, real));
    };
    const writes = (
      target: object,
      name: string,
      nameOf: (self: unknown, args: unknown[]) => string | null,
    ) => patch(target, name, (real) => this.#recorded(real, nameOf));
    patch(StateStore.prototype, 'transaction', (real) => this.#inTransaction(real));
    patch(StateStore.prototype, 'durably', (real) => this.#durably(real));
    writes(
      StateStore.prototype,
      'setMeta',
      (_, [key, value]) => `state ${String(key)}${value === null ? ' removed' : ''}`,
    );
    for (const { name, of, calls } of STATE_WRITES)
      for (const call of calls)
        writes(of.prototype, call, (_, [first]) => {
          // Until a save is decided, it is the plan, which each comparison makes again.
          if (name === 'pending' && !this.#isDecided()) return null;
          const { kind } = (call === 'put' ? first : {}) as { kind?: string };
          return `state ${name}.${call}${name === 'base' ? kindOf(kind) : ''}`;
        });
    for (const call of VOLUME_WRITES)
      writes(LocalTree.prototype, call, (tree, [first]) => {
        const isOfEither = call === 'setMode' || call === 'setTimes';
        return `volume ${call}${isOfEither ? kindOf((tree as LocalTree).look(first as string)?.kind) : ''}`;
      });
    this.#files = this.#filesNow();
    this.#isRunning = true;
    try {
      const result = await work();
      this.#noteFiles();
      return result;
    } finally {
      this.#isRunning = false;
      for (const each of restore.reverse()) each();
    }
  }

  #recorded(real: AnyFunction, nameOf: (self: unknown, args: unknown[]) => string | null): AnyFunction {
    const recorder = this;
    return function (this: unknown, ...args) {
      // One that another one makes is a part of it.
      if (recorder.#isInside) return real.apply(this, args);
      recorder.#assertAlive();
      const call = nameOf(this, args);
      recorder.#noteFiles();
      recorder.#isInside = true;
      let result: unknown;
      try {
        result = real.apply(this, args);
      } finally {
        recorder.#isInside = false;
      }
      if (call === null) return result;
      if (!(result instanceof Promise)) {
        recorder.#note(call, true);
        return result;
      }
      return result.then((value: unknown) => {
        recorder.#assertAlive();
        recorder.#note(call, true);
        return value;
      });
    };
  }

  #inTransaction(real: AnyFunction): AnyFunction {
    const recorder = this;
    return function (this: unknown, ...args) {
      recorder.#assertAlive();
      const isOuter = recorder.#transaction === null;
      if (isOuter) {
        recorder.#transactions += 1;
        recorder.#transaction = recorder.#transactions;
      }
      try {
        return real.apply(this, args);
      } finally {
        if (isOuter) recorder.#transaction = null;
      }
    };
  }

  /** Before the transaction that is under way. */
  #isDecided(): boolean {
    const last = this.seen.findLast(
      ({ call, transaction }) =>
        call.startsWith('state deciding') && (transaction === null || transaction !== this.#transaction),
    );
    return last?.call === 'state deciding';
  }

  #durably(real: AnyFunction): AnyFunction {
    const recorder = this;
    return function (this: unknown, ...args) {
      const before = recorder.#isDurable;
      recorder.#isDurable = true;
      try {
        return real.apply(this, args);
      } finally {
        recorder.#isDurable = before;
      }
    };
  }

  #assertAlive(): void {
    if (this.isDead) throw new Killed('the process is gone');
  }

  /** @param isOfFiles it is one of the changes of files that may be made */
  #note(call: string, isOfFiles = false): void {
    if (!isOfFiles || !call.startsWith('volume ')) this.#noteFiles();
    this.seen.push({ call, transaction: this.#transaction, isDurable: this.#isDurable });
    if (isOfFiles) this.#files = this.#filesNow();
    if (this.isDead) throw new Killed(`killed after ${call}`);
  }

  /** What was written to the volume in another way. */
  #noteFiles(): void {
    if (this.#volume === null) return;
    const now = this.#filesNow();
    if (now === this.#files) return;
    const before = new Set(this.#files.split('\n'));
    this.#files = now;
    const changed = now.split('\n').find((line) => !before.has(line)) ?? 'something that is gone';
    this.seen.push({
      call: `volume ${changed.split('\0')[0]}`,
      transaction: this.#transaction,
      isDurable: false,
    });
  }

  #filesNow(): string {
    return this.#volume === null ? '' : [...filesBelow(this.#volume, '')].join('\n');
  }
}

function kindOf(kind: string | undefined): string {
  return kind === 'directory' ? ' (folder)' : '';
}

/** A line for each file: its path, and what changes with it. */
function* filesBelow(root: string, prefix: string): Iterable<string> {
  for (const name of readdirSync(join(root, prefix)).sort()) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    if (prefix === 'state' && OWN_FILES.test(name)) continue;
    const found = lstatSync(join(root, path), { bigint: true });
    const isFolder = found.isDirectory();
    const facts = isFolder ? [found.mode] : [found.ino, found.mode, found.size, found.mtimeNs];
    yield `${path}\0${facts.join()}`;
    if (isFolder) yield* filesBelow(root, path);
  }
}
