import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { FaultOrder } from './fault-order.ts';

/**
 * Loaded into the real `sync` before its own code (`node --import`), in each of its threads. Calls to the file system
 * that concern one path fail as a disk would make them fail; everything else goes through. Orders are read from a file,
 * so that a test gives and takes them while the process runs. It also shows a mounted space where there is no right to
 * mount, and lets long waits take a part of their time.
 */
const { SYNC_ATTACK_ORDERS, SYNC_ATTACK_MOUNTS, SYNC_ATTACK_HURRY } = process.env;
type AnyFunction = (...args: never[]) => unknown;
type Table = Record<string, AnyFunction>;

const real = { readFileSync: fs.readFileSync, statSync: fs.statSync, appendFileSync: fs.appendFileSync };
const sync = fs as unknown as Table;
const promises = fs.promises as unknown as Table;

const RealDate = Date;

// A run of the tests that is killed leaves nothing behind.
const maker = process.ppid;
if (isMainThread)
  setInterval(() => process.ppid === maker || process.kill(process.pid, 'SIGKILL'), 1000).unref();

let orders: { order: FaultOrder; path: RegExp; left: number }[] = [];
let readAt = 0;
let version = '';
/** What an open descriptor stands for. */
const opened = new Map<number, string>();

function current(): typeof orders {
  if (SYNC_ATTACK_ORDERS === undefined || RealDate.now() - readAt < 10) return orders;
  readAt = RealDate.now();
  const { mtimeMs, size } = real.statSync(SYNC_ATTACK_ORDERS);
  if (version === `${mtimeMs} ${size}`) return orders;
  version = `${mtimeMs} ${size}`;
  const given = JSON.parse(real.readFileSync(SYNC_ATTACK_ORDERS, 'utf8')) as FaultOrder[];
  orders = given.map((order) => ({ order, path: new RegExp(order.path, 's'), left: order.times ?? 1e9 }));
  return orders;
}

function strike(call: string, path: unknown, bytes?: unknown): Error | null {
  const found = current();
  if (typeof path === 'number' && ArrayBuffer.isView(bytes)) tag(path, bytes, found);
  const text =
    typeof path === 'number' ? opened.get(path) : Buffer.isBuffer(path) ? path.toString('latin1') : path;
  for (const each of found) {
    const { order } = each;
    if (each.left <= 0 || !order.calls.includes(call)) continue;
    const isMeant =
      typeof text === 'string' &&
      (each.path.test(text) || (order.marker !== undefined && text === order.marker));
    if (!isMeant) continue;
    each.left -= 1;
    real.appendFileSync(`${SYNC_ATTACK_ORDERS}.struck`, `${call} ${order.errno} ${String(text)}\n`);
    return Object.assign(new Error(`${order.errno}: injected, ${call} '${String(text)}'`), {
      code: order.errno,
      syscall: call,
    });
  }
  return null;
}

/** A file without a name of its own yet is known by its first bytes. */
function tag(descriptor: number, bytes: ArrayBufferView, found: typeof orders): void {
  const markers = found.flatMap(({ order }) => order.marker ?? []);
  if (markers.length === 0) return;
  const text = asText(bytes);
  const marker = markers.find((each) => text.includes(each));
  if (marker !== undefined) opened.set(descriptor, marker);
}

const asText = (view: ArrayBufferView) =>
  Buffer.from(view.buffer, view.byteOffset, Math.min(view.byteLength, 4096)).toString('latin1');

/** Of `rename`, `link` and `symlink` the second path is the one that comes to be. */
const TARGETS = new Set(['rename', 'link', 'symlink']);
const subject = (call: string, args: readonly unknown[]) => (TARGETS.has(call) ? args[1] : args[0]);

const CALLS =
  'open read write writev close fsync fdatasync stat lstat fstat readlink readdir rename link symlink mkdir rmdir rm unlink chmod fchmod utimes lutimes futimes ftruncate truncate access copyFile readFile writeFile statfs';
for (const call of CALLS.split(' ')) {
  wrap(`${call}Sync`, (original, args) => {
    const error = strike(call, subject(call, args), args[1]);
    // A descriptor is gone even where its close reports an error.
    if (error === null || call === 'close') {
      const result = original(...(args as never[]));
      note(call, args, result);
      if (error === null) return result;
    }
    throw error;
  });
  wrap(call, (original, args) => {
    const error = strike(call, subject(call, args), args[1]);
    const done = args.at(-1) as AnyFunction;
    if (typeof done !== 'function') return original(...(args as never[]));
    if (error !== null) {
      process.nextTick(done as () => void, error);
      return undefined;
    }
    const noted = (...answer: unknown[]) => {
      if (answer[0] === null) note(call, args, answer[1]);
      return (done as (...given: unknown[]) => unknown)(...answer);
    };
    return original(...([...args.slice(0, -1), noted] as never[]));
  });
  const promised = promises[call];
  if (promised !== undefined)
    promises[call] = (async (...args: unknown[]) => {
      if (call === 'readFile' && args[0] === '/proc/self/mountinfo' && SYNC_ATTACK_MOUNTS) return mounts();
      const error = strike(call, subject(call, args), args[1]);
      if (error !== null) throw error;
      const result = await promised(...(args as never[]));
      if (call === 'open') opened.set((result as fs.promises.FileHandle).fd, pathText(args[0]));
      return result;
    }) as AnyFunction;
}

function wrap(name: string, around: (original: AnyFunction, args: readonly unknown[]) => unknown): void {
  const original = sync[name];
  if (original === undefined) return;
  sync[name] = ((...args: unknown[]) => around(original, args)) as AnyFunction;
}

function note(call: string, args: readonly unknown[], result: unknown): void {
  if (call === 'open') opened.set(result as number, pathText(args[0]));
  if (call === 'close') opened.delete(args[0] as number);
}

const pathText = (path: unknown) => (Buffer.isBuffer(path) ? path.toString('latin1') : String(path));

function mounts(): string {
  const lines = (SYNC_ATTACK_MOUNTS as string).split(':');
  return lines
    .map((at, index) => `${40 + index} 21 0:44 / ${at} rw - fuse.oneclient oneclient rw\n`)
    .join('');
}

const handle = await fs.promises.open('/dev/null', 'r');
const prototype = Object.getPrototypeOf(handle) as Record<string, AnyFunction>;
await handle.close();
const HANDLE_CALLS = {
  read: 'read',
  stat: 'fstat',
  write: 'write',
  writev: 'writev',
  sync: 'fsync',
  chmod: 'fchmod',
};
for (const [name, call] of Object.entries({ ...HANDLE_CALLS, datasync: 'fdatasync', utimes: 'futimes' })) {
  const original = prototype[name] as AnyFunction;
  prototype[name] = async function (this: fs.promises.FileHandle, ...args: unknown[]) {
    const error = strike(call, this.fd, args[0]);
    if (error !== null) throw error;
    return Reflect.apply(original, this, args) as unknown;
  } as AnyFunction;
}

const wrongNow = () => current().reduce((now, { order }) => now + (order.clockMs ?? 0), RealDate.now());
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [wrongNow()] : args) as Date,
  get: (target, key) => (key === 'now' ? wrongNow : (Reflect.get(target, key) as unknown)),
});

if (SYNC_ATTACK_HURRY !== undefined) {
  const factor = Number(SYNC_ATTACK_HURRY);
  const timers = (await import('node:timers/promises')).default as unknown as Table;
  const waiting = timers.setTimeout as AnyFunction;
  timers.setTimeout = ((ms: number, ...rest: unknown[]) =>
    waiting(...([ms >= 1_000 ? ms / factor : ms, ...rest] as never[]))) as AnyFunction;
  // In the other threads waits are those of connections.
  if (isMainThread) {
    const original = globalThis.setTimeout;
    const hurried = (work: () => void, ms = 0, ...rest: never[]) =>
      (original as AnyFunction)(...([work, ms >= 1_000 ? ms / factor : ms, ...rest] as never[]));
    globalThis.setTimeout = Object.assign(hurried, original) as typeof setTimeout;
  }
}
syncBuiltinESMExports();
