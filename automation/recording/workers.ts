import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  findRunner,
  NODE_FLAGS,
  type ProgramExit,
  type ProgramOptions,
  programEnvironment,
  programVariables,
} from './program.ts';
import type { ProgramHost } from './protocol.ts';
import { serveProgram } from './server.ts';

/** One run, as a worker takes it. */
export interface WorkerRequest {
  /** As the SDK's runner parses its own arguments. */
  readonly argv: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly secretEnvironment: Readonly<Record<string, string>>;
}

export interface WorkerResult {
  /** The program ended well and left nothing behind. */
  readonly isClean: boolean;
  readonly printed: string;
}

/** Memory of a worker grows by the program's modules at each run. */
const MAX_RUNS = 25;

interface Worker {
  readonly child: ChildProcess;
  runs: number;
}

/**
 * Processes that run the programs of many stacks, one after the other each: a process of its own costs every run seconds
 * for loading the SDKs. As many as runs that are asked for at one time. Only ES modules that Node.js runs as they are.
 */
export class ProgramWorkers implements AsyncDisposable {
  /** Idle workers by folder of the program. */
  readonly #idle = new Map<string, Worker[]>();
  readonly #all = new Set<ChildProcess>();

  /** Like `startProgram`. Any exit but code 0 says that the run counts for nothing: it has to be repeated alone. */
  async start(host: ProgramHost, options: ProgramOptions): Promise<ProgramExit> {
    options.signal?.throwIfAborted();
    const worker = this.#idle.get(options.directory)?.pop() ?? this.#spawn(options.directory);
    const server = await serveProgram(host, options);
    let result: WorkerResult | undefined;
    try {
      result = await ask(worker.child, requestOf(server.address, options), options.signal);
    } finally {
      server.close();
      worker.runs++;
      if (result?.isClean && worker.runs < MAX_RUNS) this.#release(options.directory, worker);
      else this.#end(worker.child);
    }
    if (options.signal?.aborted) throw options.signal.reason;
    for (const line of result?.printed.split(/\n(?!$)/) ?? [])
      if (line !== '') options.onPrint?.(line.trimEnd());
    return { code: result?.isClean ? 0 : 1, signal: null, errorOutput: '' };
  }

  #spawn(directory: string): Worker {
    const child = fork(
      fileURLToPath(new URL('./worker.ts', import.meta.url)),
      [directory, findRunner(directory)],
      {
        cwd: directory,
        execArgv: [...NODE_FLAGS],
        env: programEnvironment(),
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      },
    );
    // What kills it is seen by the run that waits for it.
    child.on('error', () => undefined);
    this.#all.add(child);
    return { child, runs: 0 };
  }

  #release(directory: string, worker: Worker): void {
    const idle = this.#idle.get(directory) ?? [];
    this.#idle.set(directory, [...idle, worker]);
  }

  #end(child: ChildProcess): void {
    this.#all.delete(child);
    child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#all].filter((child) => child.exitCode === null && child.signalCode === null);
    const exits = running.map((child) => once(child, 'exit'));
    for (const child of this.#all) this.#end(child);
    await Promise.all(exits);
  }
}

/** Undefined when the worker ended, or was ended, without an answer. */
function ask(
  child: ChildProcess,
  request: WorkerRequest,
  signal: AbortSignal | undefined,
): Promise<WorkerResult | undefined> {
  const { promise, resolve } = Promise.withResolvers<WorkerResult | undefined>();
  const onEnd = () => resolve(undefined);
  const onMessage = (result: WorkerResult) => resolve(result);
  child.once('exit', onEnd).once('error', onEnd).once('message', onMessage);
  signal?.addEventListener('abort', onEnd, { once: true });
  child.send(request, (error) => {
    if (error) onEnd();
  });
  return promise.finally(() => {
    child.off('exit', onEnd).off('error', onEnd).off('message', onMessage);
    signal?.removeEventListener('abort', onEnd);
  });
}

function requestOf(address: string, options: ProgramOptions): WorkerRequest {
  const { environment, secretEnvironment } = programVariables(options);
  return {
    argv: {
      _: [options.main ?? '.'],
      organization: 'organization',
      project: options.project,
      stack: options.stack,
      pwd: options.directory,
      'dry-run': options.dryRun,
    },
    environment: {
      ...environment,
      PULUMI_NODEJS_ORGANIZATION: 'organization',
      PULUMI_NODEJS_PROJECT: options.project,
      PULUMI_NODEJS_ROOT_DIRECTORY: options.directory,
      PULUMI_NODEJS_STACK: options.stack,
      PULUMI_NODEJS_PARALLEL: '16',
      PULUMI_NODEJS_MONITOR: address,
      PULUMI_NODEJS_ENGINE: address,
      ...(options.dryRun ? { PULUMI_NODEJS_DRY_RUN: 'true' } : {}),
    },
    secretEnvironment,
  };
}
