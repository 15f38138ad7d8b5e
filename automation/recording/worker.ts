import { createRequire, Module, registerHooks } from 'node:module';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import '../../node-version.mjs';
import type { WorkerRequest, WorkerResult } from './workers.ts';

/**
 * Runs one program for one stack after the other in this process, with the SDKs loaded once. The program's own modules are
 * evaluated again for each run, so that nothing of one stack reaches the next through them; only packages stay. A run that
 * leaves anything behind, or ends otherwise than well, is reported as not clean: its caller runs it in a process of its own.
 */

const [directory = '.', runner = ''] = process.argv.slice(2);
const require = createRequire(runner);
// `run` takes one number from its own start file, which would begin to run a program when it is loaded.
require.cache[runner] = Object.assign(new Module(runner), { exports: {}, loaded: true });
const sdk = require('./run') as {
  run(
    argv: Record<string, unknown>,
    started: () => void,
    reportLogged: (error: unknown) => void,
    isLogged: (error: unknown) => boolean,
  ): Promise<unknown>;
};
const settings = require('../../runtime/settings') as {
  waitForRPCs(): Promise<void>;
  signalAndWaitForShutdown(): Promise<void>;
  disconnectSync(): void;
};
const { getStore } = require('../../runtime/state') as { getStore(): unknown };

const own = pathToFileURL(`${directory}/`).href;
let run = 0;
let ownModules = 0;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const isOwn = found.url.startsWith(own) && !found.url.includes('/node_modules/');
    if (!isOwn || !context.conditions.includes('import')) return found;
    ownModules++;
    return { ...found, url: `${found.url}?run=${run}` };
  },
});

const EVENTS = ['uncaughtException', 'unhandledRejection', 'exit'] as const;
const listeners = () => new Map(EVENTS.map((event) => [event, process.rawListeners(event)]));

let isClean = true;
const notClean = () => {
  isClean = false;
};
process.on('uncaughtException', notClean);
process.on('unhandledRejection', notClean);
process.once('disconnect', () => process.exit());

let printed = '';
for (const stream of [process.stdout, process.stderr]) {
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    printed += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (done) process.nextTick(done);
    return true;
  }) as typeof stream.write;
}

/** What keeps a process alive, sorted. */
const alive = () =>
  process
    .getActiveResourcesInfo()
    .filter((kind) => kind !== 'Immediate')
    .toSorted();
/** The part of it that is not the SDK's own connections: timers, files, programs. It may register more later. */
const working = () => alive().filter((kind) => !/^(TCP|Pipe)/.test(kind));
const same = (before: readonly string[], after: readonly string[]) => before.join() === after.join();

async function runOnce({ argv, environment, secretEnvironment }: WorkerRequest): Promise<WorkerResult> {
  run++;
  ownModules = 0;
  isClean = true;
  printed = '';
  const before = listeners();
  const aliveBefore = alive();
  const workingBefore = working();
  const ownEnvironment = { ...process.env };
  Object.assign(process.env, environment, secretEnvironment);
  // The SDK makes its store from the environment, once.
  Object.assign(globalThis, { globalStore: undefined, stackResource: undefined });
  getStore();
  for (const name of Object.keys(secretEnvironment)) delete process.env[name];
  const logged = new Set<unknown>();
  try {
    await sdk.run(
      argv,
      () => undefined,
      (error) => logged.add(error),
      (error) => logged.has(error),
    );
    await settings.waitForRPCs();
    // Rejections that nobody handles are told after the promises of this turn.
    await setImmediate();
    if (!same(workingBefore, working())) notClean();
    if (isClean && process.exitCode === undefined) await settings.signalAndWaitForShutdown();
  } catch {
    notClean();
  }
  settings.disconnectSync();
  for (const [event, kept] of before) {
    for (const listener of process.rawListeners(event)) {
      if (!kept.includes(listener)) process.off(event, listener as () => void);
    }
  }
  for (const name of Object.keys(process.env)) if (!(name in ownEnvironment)) delete process.env[name];
  Object.assign(process.env, ownEnvironment);
  for (let waits = 0; !same(aliveBefore, alive()) && waits < 50; waits++) await setTimeout(10);
  if (!same(aliveBefore, alive()) || ownModules === 0 || process.exitCode !== undefined) notClean();
  return { isClean, printed };
}

process.on('message', async (request: WorkerRequest) => {
  process.send?.(await runOnce(request));
});
