import type * as nodeFs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type * as nodeSqlite from 'node:sqlite';

/** What the disk of a volume can answer. */
export type Trouble = 'EIO' | 'ENOSPC' | 'EACCES';
/** Which calls: those to files, or those of the engine's own state, whose files SQLite opens by itself. */
export type Calls = 'files' | 'state';

const WRITES = new Set(
  'open.w mkdir rename symlink link writeFile stream.open.w stream.write stream.fsync renameSync writeSync fsync new exec run'.split(
    ' ',
  ),
);
const PATH_CALLS = new Set(
  (
    'open.r open.w mkdir rename symlink link writeFile stream.open.w unlinkSync readdirSync lstatSync readlinkSync renameSync ' +
    'openSync chmodSync utimesSync lutimesSync existsSync readdir stat rm chmod utimes lutimes unlink rmdir readFile stream.open.r new'
  ).split(' '),
);
const SYNC_CALLS =
  'readdirSync lstatSync fstatSync readlinkSync renameSync unlinkSync existsSync openSync readSync closeSync writeSync chmodSync utimesSync lutimesSync fchmodSync futimesSync'.split(
    ' ',
  );
const STATE = new Set(['new', 'exec', 'run', 'get', 'all']);
/** As SQLite names them: SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
const SQLITE_CODES: Record<Trouble, number> = { EIO: 10, ENOSPC: 13, EACCES: 14 };

/** Counts the file-system calls of the engine and makes one of them fail. Nothing happens while it is not armed. */
class FaultyFiles {
  calls = 0;
  /** The name of the call that failed. */
  fired: string | null = null;
  #armed: { trouble: Trouble; calls: Calls; at: number } | null = null;

  /** @param at number of the call that fails, from 1; 0: none, calls are only counted */
  arm(trouble: Trouble, calls: Calls, at: number): void {
    this.#armed = { trouble, calls, at };
    this.calls = 0;
    this.fired = null;
  }

  disarm(): void {
    this.#armed = null;
  }

  /** The error that this call is to fail with; null: it goes on. */
  strike(call: string): Error | null {
    if (this.#armed === null) return null;
    const { trouble, calls, at } = this.#armed;
    if ((calls === 'state') !== STATE.has(call)) return null;
    if (trouble === 'ENOSPC' && !WRITES.has(call)) return null;
    if (trouble === 'EACCES' && !PATH_CALLS.has(call)) return null;
    this.calls += 1;
    if (this.calls !== at) return null;
    this.fired = call;
    const codes =
      calls === 'state' ? { code: 'ERR_SQLITE_ERROR', errcode: SQLITE_CODES[trouble] } : { code: trouble };
    return Object.assign(new Error(`${trouble}: injected into ${call}`), codes);
  }
}
export const faultyFiles = new FaultyFiles();

type AnyFunction = (...args: never[]) => unknown;

function failing(name: string, real: AnyFunction): AnyFunction {
  return async (...args) => {
    const error = faultyFiles.strike(name);
    if (error !== null) throw error;
    return real(...args);
  };
}

function handleOf(real: FileHandle): FileHandle {
  return new Proxy(real, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      const bound = value.bind(target) as AnyFunction;
      if (key === 'read' || key === 'stat' || key === 'sync') return failing(String(key), bound);
      // A descriptor is gone even where its close reports an error.
      if (key === 'close') return async () => Promise.resolve(bound()).finally(() => throwIfStruck('close'));
      return bound;
    },
  });
}

function throwIfStruck(name: string): void {
  const error = faultyFiles.strike(name);
  if (error !== null) throw error;
}

/** For `vi.mock('node:fs/promises')`. */
export function faultyPromises(real: typeof nodeFs.promises): Record<string, unknown> {
  const result: Record<string, unknown> = { ...real };
  const names =
    'readdir stat rm mkdir rename chmod utimes lutimes symlink link unlink rmdir statfs readFile writeFile';
  for (const name of names.split(' '))
    result[name] = failing(name, (real as unknown as Record<string, AnyFunction>)[name] as AnyFunction);
  result.open = async (path: string, flags: string | number, mode?: number) => {
    throwIfStruck(typeof flags === 'number' || flags === 'r' ? 'open.r' : 'open.w');
    return handleOf(await real.open(path, flags, mode));
  };
  return { ...result, default: result };
}

/** For `vi.mock('node:fs')`. */
export function faultyFs(real: typeof nodeFs): Record<string, unknown> {
  const all = real as unknown as Record<string, AnyFunction>;
  const result: Record<string, unknown> = { ...real };
  for (const name of SYNC_CALLS) {
    const call = all[name] as AnyFunction;
    result[name] = (...args: never[]) => {
      const error = faultyFiles.strike(name);
      if (error === null) return call(...args);
      if (name === 'existsSync') return false;
      // A descriptor is gone even where its close reports an error.
      if (name === 'closeSync') call(...args);
      throw error;
    };
  }
  result.read = (...args: unknown[]) => {
    const error = faultyFiles.strike('read');
    if (error === null) (all.read as AnyFunction)(...(args as never[]));
    else process.nextTick(args.at(-1) as (error: Error) => void, error);
  };
  result.fsync = (...args: unknown[]) => {
    const error = faultyFiles.strike('fsync');
    if (error === null) (all.fsync as AnyFunction)(...(args as never[]));
    else process.nextTick(args.at(-1) as (error: Error) => void, error);
  };
  const streamCalls = (kind: 'r' | 'w'): Record<string, AnyFunction> => {
    const calls: Record<string, AnyFunction> = {};
    for (const name of ['open', 'read', 'write', 'writev', 'fsync', 'close']) {
      const call = all[name] as AnyFunction;
      const label = `stream.${name === 'open' ? `open.${kind}` : name.replace('writev', 'write')}`;
      calls[name] = (...args: unknown[]) => {
        const error = faultyFiles.strike(label);
        const done = args.at(-1) as (error: Error) => void;
        if (error === null) call(...(args as never[]));
        else if (name === 'close') call(...(args.slice(0, -1) as never[]), (() => done(error)) as never);
        else process.nextTick(done, error);
      };
    }
    return calls;
  };
  result.createReadStream = (path: string, options: object) =>
    real.createReadStream(path, { ...options, fs: streamCalls('r') } as never);
  result.createWriteStream = (path: string, options: object) =>
    real.createWriteStream(path, { ...options, fs: streamCalls('w') } as never);
  return { ...result, default: result };
}

/** For `vi.mock('node:sqlite')`: the databases of the engine, of which most calls go to its state. */
export function faultySqlite(real: typeof nodeSqlite): Record<string, unknown> {
  class DatabaseSync extends real.DatabaseSync {
    constructor(path: string | Buffer, options: nodeSqlite.DatabaseSyncOptions = {}) {
      throwIfStruck('new');
      super(path, options);
    }
    override exec(sql: string): void {
      throwIfStruck('exec');
      super.exec(sql);
    }
    override prepare(sql: string): nodeSqlite.StatementSync {
      return new Proxy(super.prepare(sql), {
        get(target, key) {
          const value = Reflect.get(target, key, target) as unknown;
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            if (STATE.has(String(key))) throwIfStruck(String(key));
            return Reflect.apply(value as AnyFunction, target, args) as unknown;
          };
        },
      });
    }
  }
  return { ...real, DatabaseSync };
}
