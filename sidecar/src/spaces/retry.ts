import { backOffMs } from '../back-off.ts';
import {
  type CallOptions,
  type Content,
  type Locator,
  type ReadOnlySpace,
  type ReadOptions,
  type Space,
  type SpaceEntry,
  SpaceError,
  type WriteOptions,
} from './space.ts';

export interface RetryPolicy {
  /** Attempts after the first one, for errors of class `soon`. */
  readonly retries: number;
  /** Wait before the second attempt; doubles with each, with jitter. */
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
  /** A body without a byte for this long is given up. */
  readonly stallMs: number;
  /** Told of every attempt that failed and will be repeated. */
  onRetry?(error: SpaceError, operation: string): void;
}

export const DEFAULT_RETRY: RetryPolicy = {
  retries: 5,
  firstWaitMs: 500,
  maxWaitMs: 20_000,
  stallMs: 60_000,
};

/** The one place that repeats calls. Reads go on at the byte where they broke; nothing else is done twice in part. */
export function withRetry<Given extends ReadOnlySpace>(
  space: Given,
  policy?: Partial<RetryPolicy>,
): Given extends Space ? Space : ReadOnlySpace;
export function withRetry(space: Space | ReadOnlySpace, given: Partial<RetryPolicy> = {}): Space {
  const policy = { ...DEFAULT_RETRY, ...given };
  const writable = space as Space;
  const health: Health = { succeeded: 0 };
  const call = <T>(
    operation: string,
    options: CallOptions | undefined,
    action: (o: CallOptions) => Promise<T>,
  ) => attempt(policy, operation, options, (inner) => guardStall(policy, operation, inner, (o) => action(o)));
  return {
    identity: space.identity,
    get capabilities() {
      return space.capabilities;
    },
    check: (options) =>
      options?.once === true
        ? guardStall(policy, 'check', options, (o) => space.check(o))
        : call('check', options, (o) => space.check(o)),
    stat: (entry, options) => call('stat', options, (o) => space.stat(entry, o)),
    readSymlink: (link, options) => call('readSymlink', options, (o) => space.readSymlink(link, o)),
    list: (directory, options) =>
      space.list(directory, { ...options, repeat: (request) => call('list', options, request) }),
    read: (file, options) => readOn(space, policy, health, file, options ?? {}),
    write: (path, content, options) =>
      attemptContent(policy, health, options, (inner) =>
        writeWatched(policy, content, inner, (given, o) => writable.write(path, given, o)),
      ),
    ...(writable.writePart === undefined
      ? {}
      : { writePart: (...args: PartArguments) => writePartPatiently(writable, policy, health, ...args) }),
    ...(writable.copy === undefined
      ? {}
      : { copy: (...args: CopyArguments) => copyOnce(writable, call, ...args) }),
    makeDirectory: (path, options) => call('makeDirectory', options, (o) => writable.makeDirectory(path, o)),
    makeSymlink: (path, target, options) => makeSymlinkOnce(writable, call, path, target, options),
    move: (from, to, options) => moveOnce(writable, call, from, to, options),
    removeFile: (path, options) => call('removeFile', options, (o) => writable.removeFile(path, o)),
    removeEmptyDirectory: (path, options) =>
      call('removeEmptyDirectory', options, (o) => writable.removeEmptyDirectory(path, o)),
    removeTree: (path, options) => call('removeTree', options, (o) => writable.removeTree(path, o)),
    close: () => space.close(),
  };
}

type PartArguments = Parameters<NonNullable<Space['writePart']>>;

function writePartPatiently(
  space: Space,
  policy: RetryPolicy,
  health: Health,
  ...[file, offset, content, options]: PartArguments
): Promise<void> {
  return attemptContent(policy, health, options, (inner) =>
    writeWatched(policy, content, inner, async (given, o) => space.writePart?.(file, offset, given, o)),
  );
}

type Call = <T>(
  operation: string,
  options: CallOptions | undefined,
  action: (options: CallOptions) => Promise<T>,
) => Promise<T>;

type CopyArguments = Parameters<NonNullable<Space['copy']>>;

/** The source is looked up patiently; the copy itself, which may still be under way after an error, is not repeated. */
async function copyOnce(space: Space, call: Call, ...[from, to, options]: CopyArguments): Promise<void> {
  const id = from.id ?? (await call('copy', options, (inner) => space.stat(from, inner)))?.id;
  if (id === undefined)
    throw new SpaceError('not-found', `${from.path} is not in the space`, { path: from.path });
  await space.copy?.({ path: from.path, id }, to, options);
}

/** A repeated making that finds the same link there may have been done by the attempt whose answer was lost. */
async function makeSymlinkOnce(
  space: Space,
  call: Call,
  path: string,
  target: string,
  options: CallOptions | undefined,
): Promise<SpaceEntry> {
  let attempts = 0;
  return call('makeSymlink', options, async (inner) => {
    attempts += 1;
    try {
      return await space.makeSymlink(path, target, inner);
    } catch (error) {
      const lost = attempts > 1 && error instanceof SpaceError && error.code === 'exists';
      const there = lost ? await space.stat({ path }, inner) : null;
      if (there?.kind !== 'symlink' || (await space.readSymlink(there, inner)) !== target) throw error;
      return there;
    }
  });
}

/** A repeated move that finds its source gone may have been done by the attempt whose answer was lost. */
async function moveOnce(
  space: Space,
  call: Call,
  from: Parameters<Space['move']>[0],
  to: string,
  options: CallOptions | undefined,
): Promise<void> {
  let attempts = 0;
  await call('move', options, async (inner) => {
    attempts += 1;
    try {
      await space.move(from, to, inner);
    } catch (error) {
      const lost = attempts > 1 && error instanceof SpaceError && error.code === 'not-found';
      if (!lost) throw error;
      const arrived = await space.stat({ path: to }, inner);
      if (arrived?.kind !== from.kind || (await space.stat({ path: from.path }, inner)) !== null) throw error;
    }
  });
}

/** Of one space. */
interface Health {
  /** Contents that went well. */
  succeeded: number;
}

/** Contents of others that went well while one was tried: then it is that one, and not the space. */
const OTHERS_WELL = 8;
/** No wait makes room for anybody then, and others would wait for this one. */
const SHORT_WAIT_MS = 100;

/** Waits before the next attempt. @param othersWell contents of others that went well meanwhile */
async function waitAfter(
  policy: RetryPolicy,
  failures: number,
  { retryAfterMs = 0 }: SpaceError,
  othersWell: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const maxMs = othersWell >= OTHERS_WELL ? SHORT_WAIT_MS : policy.maxWaitMs;
  const wait = backOffMs(failures, { firstMs: policy.firstWaitMs, maxMs }) * (1 + Math.random());
  await pause(Math.max(wait, retryAfterMs), signal);
}

/** @throws the reason of the signal, at once: who ends must not wait for a provider that wants to be asked later */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const listeners = signal === undefined ? undefined : listenersOf(signal);
    const end = () => {
      clearTimeout(timer);
      listeners?.delete(end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    listeners?.add(end);
    if (signal?.aborted) end();
  });
}

/** @param othersWell asked for how many contents of others went well so far. @default none: its call is no content */
async function attempt<Options extends CallOptions, T>(
  policy: RetryPolicy,
  operation: string,
  options: Options | undefined,
  action: (options: Options) => Promise<T>,
  othersWell: () => number = () => 0,
): Promise<T> {
  const before = othersWell();
  for (let failures = 1; ; failures += 1) {
    options?.signal?.throwIfAborted();
    try {
      return await action(options ?? ({} as Options));
    } catch (error) {
      if (!mayPass(policy, failures, error)) throw error;
      policy.onRetry?.(error, operation);
      await waitAfter(policy, failures, error, othersWell() - before, options?.signal);
    }
  }
}

/** As `attempt`, for the content of one file among many. */
async function attemptContent<T>(
  policy: RetryPolicy,
  health: Health,
  options: WriteOptions | undefined,
  action: (options: WriteOptions) => Promise<T>,
): Promise<T> {
  const result = await attempt(policy, 'write', options, action, () => health.succeeded);
  health.succeeded += 1;
  return result;
}

function mayPass(policy: RetryPolicy, failures: number, error: unknown): error is SpaceError {
  return error instanceof SpaceError && error.retry === 'soon' && failures <= policy.retries;
}

/** Who waits for a signal, through one listener of ours: a signal looks through all it has whenever one comes or goes. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

function listenersOf(signal: AbortSignal): Set<() => void> {
  const known = waiting.get(signal);
  if (known !== undefined) return known;
  const listeners = new Set<() => void>();
  waiting.set(signal, listeners);
  signal.addEventListener('abort', () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}

/** Gives up what does not move. Waiting is watched, the time between two waits is not: the consumer may be slow. */
class StallWatch {
  readonly #abort = new AbortController();
  readonly #error: () => SpaceError;
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = () => this.#abort.abort(this.#outer?.reason);
  #giveUp: ((reason: SpaceError) => void) | null = null;

  constructor(policy: RetryPolicy, operation: string, outer: AbortSignal | undefined) {
    this.#error = () =>
      new SpaceError('stalled', `${operation}: nothing moved for ${policy.stallMs / 1000} s`);
    this.#outer = outer;
    // `AbortSignal.any` costs as much as the rest of a small request: what it joins is found again by the collector.
    if (outer?.aborted) this.#onAbort();
    else if (outer !== undefined) listenersOf(outer).add(this.#onAbort);
    this.#timer = setTimeout(() => this.#stalled(), policy.stallMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  #stalled(): void {
    if (this.#giveUp === null) return;
    const error = this.#error();
    this.#abort.abort(error);
    this.#giveUp(error);
  }

  alive(): void {
    this.#timer.refresh();
  }

  /** One at a time. */
  wait<T>(action: () => Promise<T>): Promise<T> {
    this.alive();
    // No `Promise.race`: with a promise that lives as long as the transfer it would keep every chunk's outcome.
    return new Promise<T>((resolve, reject) => {
      this.#giveUp = reject;
      action().then(
        (value) => {
          this.#giveUp = null;
          resolve(value);
        },
        (error: unknown) => {
          this.#giveUp = null;
          reject(error);
        },
      );
    });
  }

  /** Also ends what is still under way, where `abort` says so. */
  end(abort: boolean): void {
    clearTimeout(this.#timer);
    if (this.#outer !== undefined) listenersOf(this.#outer).delete(this.#onAbort);
    if (abort) this.#abort.abort();
  }
}

/** Aborts what is under way when nobody calls `alive` for the stall time. */
async function guardStall<T>(
  policy: RetryPolicy,
  operation: string,
  options: CallOptions,
  action: (options: CallOptions, alive: () => void) => Promise<T>,
): Promise<T> {
  const watch = new StallWatch(policy, operation, options.signal);
  try {
    return await watch.wait(() => action({ ...options, signal: watch.signal }, () => watch.alive()));
  } finally {
    watch.end(false);
  }
}

/** Gives up an upload of which nothing was asked for in the stall time. */
function writeWatched<T>(
  policy: RetryPolicy,
  content: Content,
  options: WriteOptions,
  write: (content: Content, options: WriteOptions) => Promise<T>,
): Promise<T> {
  return guardStall(policy, 'write', options, (inner, alive) => {
    const watched: Content = {
      size: content.size,
      async *open() {
        for await (const chunk of content.open()) {
          alive();
          yield chunk;
        }
        alive();
      },
    };
    return write(watched, inner);
  });
}

async function* readOn(
  space: ReadOnlySpace,
  policy: RetryPolicy,
  health: Health,
  file: Locator,
  options: ReadOptions,
): AsyncIterable<Uint8Array> {
  const before = health.succeeded;
  const start = options.offset ?? 0;
  let got = 0;
  let failures = 0;
  for (;;) {
    const rest = options.length === undefined ? {} : { length: options.length - got };
    const watch = new StallWatch(policy, `read ${file.path}`, options.signal);
    const iterator = space
      .read(file, { ...options, ...rest, offset: start + got, signal: watch.signal })
      [Symbol.asyncIterator]();
    let finished = false;
    try {
      for (;;) {
        const step = await watch.wait(() => iterator.next());
        if (step.done === true) {
          finished = true;
          health.succeeded += 1;
          return;
        }
        got += step.value.byteLength;
        failures = 0;
        yield step.value;
        if (options.length === undefined || got < options.length) continue;
        health.succeeded += 1;
        return;
      }
    } catch (error) {
      failures += 1;
      if (!mayPass(policy, failures, error)) throw error;
      policy.onRetry?.(error, 'read');
      await waitAfter(policy, failures, error, health.succeeded - before, options.signal);
    } finally {
      watch.end(!finished);
      if (!finished) {
        void Promise.resolve(iterator.return?.()).catch(() => undefined);
      }
    }
  }
}
